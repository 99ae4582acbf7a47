# METADATA
# title: Entry point introduce
# description: >-
#   Bringing a person to one other partner by a one-time code (AVG 5(1)(a)-(b)).
# scope: package
package datwat.introduce

import rego.v1

import data.datwat.knife

acts := {"introduce"}

# METADATA
# title: Decision
# description: Permit or deny with a finding per code; an act of another entry point is refused.
# entrypoint: true
# scope: document
decision := weighed if {
	input.act in acts
	weighed := knife.decision
} else := knife.refusal
