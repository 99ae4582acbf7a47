# METADATA
# title: Entry point occasion
# description: >-
#   The acts on an occasion: opening, hand-over, closing, and what is recorded on it (AVG 5, 21, 23; Jeugdwet 7.3.11).
# scope: package
package datwat.occasion

import rego.v1

import data.datwat.knife

acts := {
	"open_occasion",
	"hand_over",
	"close_occasion",
	"record_conversation",
	"record_consent",
	"record_objection",
	"record_authority",
	"declare_special_situation",
}

# METADATA
# title: Decision
# description: Permit or deny with a finding per code; an act of another entry point is refused.
# entrypoint: true
# scope: document
decision := weighed if {
	input.act in acts
	weighed := knife.decision
} else := knife.refusal
