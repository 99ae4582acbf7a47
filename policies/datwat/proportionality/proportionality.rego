# METADATA
# title: Proportionality (proportionaliteit)
# description: >-
#   In proportion to the concern, in the person's interest, no more fields than needed, about the right
#   person. AVG 5(1)(c)-(d), 9, 10, 21. Each rule is a code of codes.yaml and false unless proven.
package datwat.proportionality

import rego.v1

import data.datwat.edge
import data.datwat.facts
import data.datwat.fields
import data.datwat.ladder

# A BSN is used only after name and date of birth were compared (Wabb 12).
default identity_stated := false

identity_stated if input.stated_by in {"handle", "introduction"}

identity_stated if input.stated_identity in {"document", "register", "stated"}

default identity_certain := false

identity_certain if input.member.identity in {"document", "register"}

identity_certain if input.stated_identity in {"document", "register"}

default fields_in_measure := false

fields_in_measure if {
	count(input.ask.fields) <= data.datwat.catalogue.products[input.ask.product].most_fields
}

default some_field_permitted := false

some_field_permitted if count(fields.stated) > 0

default all_fields_permitted := false

all_fields_permitted if fields.stated == input.ask.fields

default motivated_proportionality := false

motivated_proportionality if {
	input.ask.motivation_length.proportionality >= facts.covenant.least_motivation
}

# Against the person's wish only where the law makes it a duty, or while telling may wait.
default reaction_weighed := false

reaction_weighed if input.conversation.reaction in {"agrees", "none"}

reaction_weighed if {
	input.conversation.reaction == "objects"
	edge.found.mode == "duty"
}

reaction_weighed if facts.telling_may_wait

# The kind of the involvement, and a shielded address, cap the rung: silently.
default kind_allows := false

kind_allows if {
	ladder.visible[input.ask.involvement.kind] == "wat"
	input.ask.involvement.shielded == false
	input.ask.involvement.function == input.ask.source_function
}

# AVG 21: an objection counts from the moment it is made until it is rejected; whom the person names
# as one who may not look, until they take it back.
default no_objection := false

no_objection if {
	facts.purpose.objection in {"none", "suspend", "suspend_unless_danger"}
	count(weighing_objections) == 0
	may_look
}

may_look if {
	every block in input.blocks {
		block.organisation != input.requester.id
	}
}

# A statutory duty, and danger to another person, go before a person's wish that one may not look.
may_look if facts.purpose.objection == "none"

may_look if {
	facts.purpose.objection == "suspend_unless_danger"
	facts.danger
}

weighing_objections contains objection if {
	some objection in input.objections
	objection.state != "rejected"
	about_this_purpose(objection.purpose)
	suspends
}

about_this_purpose(null)

about_this_purpose(id) if id == facts.purpose.id

suspends if facts.purpose.objection == "suspend"

suspends if {
	facts.purpose.objection == "suspend_unless_danger"
	facts.danger == false
}

default kind_fits_function := false

kind_fits_function if {
	input.requester.function in data.datwat.catalogue.kinds[input.registration.kind].functions
}

# What a finding says beside its code; a rule per code would cost a decision twice as much.
params := object.union_n([
	{"fields_in_measure": {"asked": asked, "most": most} |
		asked := count(input.ask.fields)
		most := data.datwat.catalogue.products[input.ask.product].most_fields
	},
	{"all_fields_permitted": {"withheld": [field | some field, _ in fields.reasons]} | input.act == "release"},
	{"kind_fits_function": {"kind": kind} | kind := input.registration.kind},
])
