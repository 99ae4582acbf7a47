# METADATA
# title: Entry point ask
# description: >-
#   The questions: who is involved, may somebody call, what is known; and the resident's own
#   access (AVG 5, 6, 9, 10, 15).
# scope: package
package datwat.ask

import rego.v1

import data.datwat.knife

acts := {"inquire", "request_contact", "release", "open_session", "wish"}

# METADATA
# title: Decision
# description: Permit or deny with a finding per code; an act of another entry point is refused.
# entrypoint: true
# scope: document
decision := weighed if {
	input.act in acts
	weighed := knife.decision
} else := knife.refusal
