# METADATA
# title: Efficiency (doelmatigheid)
# description: >-
#   Is this the most suitable way: the right route, a source that can deliver, no repetition?
#   Each rule is a code of codes.yaml and false unless proven.
package datwat.efficiency

import rego.v1

import data.datwat.facts

# The entry points refuse acts that are not their own; here: an act that the catalogue knows.
default act_fits := false

act_fits if data.datwat.catalogue.acts[input.act]

rungs_of := {
	"inquire": {"contact", "category", "dat"},
	"request_contact": {"contact"},
	"release": {"wat"},
}

default rung_fits_act := false

rung_fits_act if input.ask.rung in rungs_of[input.act]

default source_delivers := false

source_delivers if {
	input.ask.source_function in data.datwat.catalogue.products[input.ask.product].sources
}

default motivated_efficiency := false

motivated_efficiency if input.ask.motivation_length.efficiency >= facts.covenant.least_motivation

default since_plausible := false

since_plausible if time.parse_rfc3339_ns(input.registration.since_at) <= facts.now_ns

# Asked again within days, somebody is called twice for one question.
default contact_not_repeated := false

contact_not_repeated if input.contact_asked_at == null

contact_not_repeated if {
	not_recent(input.contact_asked_at)
}

not_recent(at) if facts.now_ns - time.parse_rfc3339_ns(at) > facts.covenant.contact_again_days * facts.day_ns

# A rule per code would cost a decision three times as much.
# regal ignore:prefer-set-or-object-rule
params := {"source_delivers": {"product": input.ask.product} | input.ask.product != null}
