# METADATA
# title: Subsidiarity (subsidiariteit)
# description: >-
#   Can it be done with a notch less: without exchange, with the person, with contact or dat only?
#   AVG 5(1)(c). Each rule is a code of codes.yaml and false unless proven.
package datwat.subsidiarity

import rego.v1

import data.datwat.facts
import data.datwat.ladder

default nothing_taken := false

nothing_taken if {
	input.ask.product == null
	input.ask.fields == []
}

default asked_rung_open := false

asked_rung_open if ladder.lesser[ladder.ceiling][input.ask.rung] == input.ask.rung

default some_rung_open := false

some_rung_open if ladder.ceiling != "none"

# Ask the person first, and speak of what else could be done.
default talked_first := false

talked_first if {
	time.parse_rfc3339_ns(input.conversation.at) <= facts.now_ns
	input.conversation.alternatives_length > 0
	input.conversation.reaction in {"agrees", "none", "objects"}
}

talked_first if facts.telling_may_wait

# First dat, then wat: the involvement was shown to this requester, is of this source, and lasts.
default pointer_shown := false

pointer_shown if {
	input.ask.involvement.source == input.ask.source
	time.parse_rfc3339_ns(input.ask.involvement.shown_at) <= facts.now_ns
	time.parse_rfc3339_ns(input.ask.involvement.expires_at) > facts.now_ns
	input.ask.involvement.ended_at == null
}

# A contact request that stayed without answer is a fact that a reviewing officer may weigh.
default contact_tried := false

contact_tried if time.parse_rfc3339_ns(input.contact_unanswered_since) <= facts.now_ns

default motivated_subsidiarity := false

motivated_subsidiarity if input.ask.motivation_length.subsidiarity >= facts.covenant.least_motivation

# A rule per code would cost a decision three times as much.
# regal ignore:prefer-set-or-object-rule
params := {"asked_rung_open": {"asked": asked, "open": ladder.ceiling} | asked := input.ask.rung}
