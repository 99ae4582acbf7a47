# METADATA
# title: The knife (juridisch Zwitsers zakmes)
# description: >-
#   Unfolds all blades, always: one finding per code that the catalogue names for the act, satisfied or
#   not. A code whose rule is missing or undefined counts as not satisfied, so that nothing is
#   permitted without positive proof. The decision is put together here and nowhere else.
package datwat.knife

import data.datwat.edge
import data.datwat.efficiency
import data.datwat.facts
import data.datwat.fields
import data.datwat.ladder
import data.datwat.proportionality
import data.datwat.purpose
import data.datwat.subsidiarity
import data.datwat.transparency

import rego.v1

# The codes of this act, indexed: by blade, those that block, and those of them that are stated.
weighed := data.datwat.catalogue.acts[input.act]

blades := ["purpose", "subsidiarity", "proportionality", "efficiency", "transparency"]

# The human rungs are always named, whatever is decided.
alternatives := ["talk_first", "consult_anonymously", "request_contact", "later"]

# The codes of each blade whose rule holds.
satisfied := union({
	{code | some code in weighed.of.purpose; purpose[code] == true},
	{code | some code in weighed.of.subsidiarity; subsidiarity[code] == true},
	{code | some code in weighed.of.proportionality; proportionality[code] == true},
	{code | some code in weighed.of.efficiency; efficiency[code] == true},
	{code | some code in weighed.of.transparency; transparency[code] == true},
})

# What a finding says beside its code.
told[code] := {"params": params} if {
	some said in [purpose.params, subsidiarity.params, proportionality.params, efficiency.params]
	some code, params in said
	weighed.codes[code]
}

# The catalogue has each finding twice. What has no proof is told as not satisfied.
differing := object.union(object.filter(weighed.unproven, unsatisfied), told)

found := object.union(weighed.proven, differing)

findings := [finding | some finding in found]

unsatisfied := object.keys(weighed.codes) - satisfied

# Codes that block and are not proven.
unmet contains code if {
	some code in unsatisfied
	weighed.codes[code].blocks
}

# Every blade has something to weigh.
default unfolded := false

unfolded if {
	weighed.of.purpose[0]
	weighed.of.subsidiarity[0]
	weighed.of.proportionality[0]
	weighed.of.efficiency[0]
	weighed.of.transparency[0]
}

default permit := false

permit if {
	unfolded
	count(unmet) == 0
}

default stated_permit := false

stated_permit if {
	unfolded
	count({code | some code in unmet; weighed.codes[code].about == "stated"}) == 0
}

# The stated codes that this act shares with another one: would that act be open?
would_permit(act) if {
	every code in weighed.shared[act] {
		code in satisfied
	}
}

# The highest rung that the stated facts leave open, whatever was asked.
default open_rung := "none"

open_rung := ladder.ceiling if {
	input.act in {"inquire", "release"}
	stated_permit
} else := ladder.inquiry_cap if {
	input.act in {"request_contact", "release"}
	would_permit("inquire")
	ladder.inquiry_cap != "none"
} else := ladder.contact_cap if {
	would_permit("request_contact")
}

default rung := "none"

rung := ladder.lesser[ladder.ceiling][input.ask.rung] if permit

# The table of every kind that is visible: source's function x kind x shielded -> rung, never above
# what is granted. What has no row here is none.
default caps := []

caps := ladder.caps[rung] if input.act != "request_contact"

# A contact request goes to one source; to all others nothing opens.
caps := [row |
	some row in ladder.caps[rung]
	row.function == input.ask.source_function
] if {
	input.act == "request_contact"
}

default granted := []

granted := fields.permitted if {
	input.act == "release"
	permit
}

withheld := [{"field": field, "code": object.get(fields.reasons, field, otherwise)} |
	some field in input.ask.fields
	not kept[field]
]

kept contains field if some field in granted

# A field without a stated reason of its own: the whole was refused, or it is of the person.
default otherwise := "person_facts"

otherwise := "refused" if stated_permit == false

remedies := sort({remedy |
	some code in unsatisfied
	weighed.codes[code].about == "stated"
	remedy := weighed.codes[code].remedy
	remedy != null
})

default legal_basis := null

legal_basis := {
	"giver_article": edge.found.giver_article,
	"taker_article": edge.found.taker_article,
	"mode": edge.found.mode,
} if {
	input.act == "release"
}

legal_basis := facts.purpose.basis if input.act != "release"

default notice := "now"

notice := "later" if count(facts.situations_in_force) > 0

# What is declared may be a matter of safety, also where it is refused for its form: then a person
# decides when to tell, not a slip of the pen.
notice := "later" if count(facts.declared) > 0

default audience := "open"

audience := "own" if input.occasion.confidential

audience := "own" if input.opens.confidential

audience := "own" if input.registration.confidential

audience := "own" if facts.covenant.functions[input.requester.function].own == true

audience := "own" if {
	facts.covenant.functions[split(input.occasion.introduced_by, ":")[1]].own == true
}

default expires_days := null

expires_days := data.datwat.catalogue.kinds[input.registration.kind].expires_days if input.act == "register"

retention_days := object.get(facts.purpose, "retention_days", facts.covenant.retention_days)

default scope := {"functions": [], "domains": [], "cannot_see": []}

# What the purpose leaves unseen is told too, so that "nobody" says what it means.
scope := facts.purpose.index.scope if {
	input.act == "inquire"
	stated_permit
}

scope := {
	"functions": [input.ask.source_function],
	"domains": [facts.covenant.functions[input.ask.source_function].domain],
	"cannot_see": facts.purpose.index.scope.cannot_see,
} if {
	input.act == "request_contact"
	stated_permit
	input.ask.source_function in ladder.functions
}

default obligations := []

obligations := [obligation | some obligation in duties] if stated_permit

handing := facts.asking | {"introduce"}

duties := union({
	{{"code": "keep_confidential", "params": {}} | input.act in handing},
	{{"code": "use_for_purpose_only", "params": {"purpose": facts.purpose.id}} | input.act in facts.asking},
	{{"code": "delete_after", "params": {"days": facts.purpose.retention_days}} | input.act == "release"},
	{{"code": "inform_by", "params": {"date": input.occasion.inform_by}} | input.occasion.inform_by != null},
	{{"code": "inform_by", "params": {"date": input.opens.inform_by}} | input.opens.inform_by != null},
	{{"code": "inform_later", "params": {"date": situation.until_at}} | some situation in facts.situations_in_force},
	{{"code": "review_afterwards", "params": {}} | input.occasion.kind == "crisis"},
	{{"code": "inform_resident", "params": {}} | input.act == "register"; transparency.told == false},
})

decision := {
	"v": 1,
	"permit": permit,
	"rung": rung,
	"open_rung": open_rung,
	"stated_permit": stated_permit,
	"findings": findings,
	"remedies": remedies,
	"alternatives": alternatives,
	"obligations": obligations,
	"caps": caps,
	"scope": scope,
	"fields": granted,
	"withheld": withheld,
	"legal_basis": legal_basis,
	"notice": notice,
	"audience": audience,
	"expires_days": expires_days,
	"retention_days": retention_days,
}

# What an entry point answers to an act that is not its own, or that it could not weigh at all.
refusal := {
	"v": 1,
	"permit": false,
	"rung": "none",
	"open_rung": "none",
	"stated_permit": false,
	"findings": [{"blade": blade, "code": "act_fits", "satisfied": false, "about": "stated", "params": {}} |
		some blade in blades
	],
	"remedies": ["use_right_route"],
	"alternatives": alternatives,
	"obligations": [],
	"caps": [],
	"scope": {"functions": [], "domains": [], "cannot_see": []},
	"fields": [],
	"withheld": [],
	"legal_basis": null,
	"notice": notice,
	"audience": audience,
	"expires_days": null,
	"retention_days": facts.covenant.retention_days,
}
