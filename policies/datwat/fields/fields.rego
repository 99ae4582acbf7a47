# METADATA
# title: Fields
# description: >-
#   Which of the fields asked the edge carries: those that it names, whose labels (AVG 9, AVG 10,
#   secrecy) it has a ground for, and that the person's consent covers where the edge rests on one.
package datwat.fields

import rego.v1

import data.datwat.consent
import data.datwat.edge

needed contains item.field if some item in edge.found.fields

labels := data.datwat.catalogue.products[input.ask.product].labels

# The reason that follows from what is stated, for a field that is not open.
reason(field) := "field_unknown" if {
	not_in_product(field)
} else := "field_not_in_purpose" if {
	not_needed(field)
} else := "field_criminal" if {
	unlifted(field, "c")
} else := "field_special_category" if {
	unlifted(field, "s")
} else := "field_secret"

default not_in_product(_) := true

not_in_product(field) := false if labels[field]

default not_needed(_) := true

not_needed(field) := false if field in needed

unlifted(field, label) if {
	label in labels[field]
	not lifted[label]
}

lifted contains label if {
	some label, ground in edge.found.grounds
	ground != ""
}

# Of the fields asked: those that the product has and the edge names, but for those with a label that
# the edge has no ground for.
open := (object.keys(known) & needed) - closed if {
	known := object.filter(labels, input.ask.fields)
	closed := {field |
		some field, marks in known
		some label in marks
		not lifted[label]
	}
}

# Left open by the stated facts, in the order asked.
stated := [field |
	some field in input.ask.fields
	open[field]
]

reasons[field] := reason(field) if {
	some field in input.ask.fields
	not open[field]
}

# ... and by the person.
permitted := stated if {
	consent.by_law
} else := [field |
	some field in stated
	consent.covers_field(field)
]
