# METADATA
# title: The ladder
# description: >-
#   none < contact < category < dat < wat: what purpose, occasion and requester leave open at most, and
#   per kind of involvement the cap, plain and shielded.
package datwat.ladder

import rego.v1

import data.datwat.facts

# lesser[a][b]: the lower of two rungs.
lesser := {
	"none": {"none": "none", "contact": "none", "category": "none", "dat": "none", "wat": "none"},
	"contact": {"none": "none", "contact": "contact", "category": "contact", "dat": "contact", "wat": "contact"},
	"category": {"none": "none", "contact": "contact", "category": "category", "dat": "category", "wat": "category"},
	"dat": {"none": "none", "contact": "contact", "category": "category", "dat": "dat", "wat": "dat"},
	"wat": {"none": "none", "contact": "contact", "category": "category", "dat": "dat", "wat": "wat"},
}

# An occasion without a question of the resident's own has fewer rights; a crisis gives contact only.
default occasion_cap := "none"

occasion_cap := lesser[facts.purpose.occasions[input.occasion.kind]][facts.covenant.occasions[input.occasion.kind].cap]

default inquiry_cap := "none"

inquiry_cap := lesser[occasion_cap][facts.requester.inquire]

contact_cap := lesser[occasion_cap].contact

# What this act could reach at most, before any blade is weighed.
default ceiling := "none"

ceiling := inquiry_cap if input.act == "inquire"

ceiling := contact_cap if input.act == "request_contact"

ceiling := occasion_cap if input.act == "release"

# What the purpose sees, spelt out when the catalogue is built: per kind the least of its own cap and
# the purpose's, and none that is never for the purpose's domain; nothing where there is no purpose.
default visible := {}

visible := facts.purpose.index.visible

# The functions that register a kind which this purpose sees.
default functions := []

functions := facts.purpose.index.scope.functions

# Per rung granted, what each source's function shows of each kind, plain and shielded.
default caps := {}

caps := facts.purpose.index.caps
