# METADATA
# title: Entry point register
# description: >-
#   The acts by which a source says that it is involved, and ends or answers it (Wabb 10-12; AVG 5(1)(d)-(e)).
# scope: package
package datwat.register

import rego.v1

import data.datwat.knife

acts := {"register", "end", "answer_contact", "report_wrong_person"}

# METADATA
# title: Decision
# description: Permit or deny with a finding per code; an act of another entry point is refused.
# entrypoint: true
# scope: document
decision := weighed if {
	input.act in acts
	weighed := knife.decision
} else := knife.refusal
