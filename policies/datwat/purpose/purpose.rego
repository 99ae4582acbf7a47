# METADATA
# title: Purpose (doelbinding)
# description: >-
#   Which purpose, whose occasion, whose task, on which two articles. AVG 5(1)(b), 6; UAVG 46; Jeugdwet
#   7.2.1; Wabb 10. Each rule is a code of codes.yaml and false unless proven.
package datwat.purpose

import rego.v1

import data.datwat.edge
import data.datwat.facts
import data.datwat.fields
import data.datwat.ladder

default covenant_in_force := false

covenant_in_force if time.parse_rfc3339_ns(input.requester.covenant_until) > facts.now_ns

default function_known := false

function_known if facts.covenant.functions[input.requester.function]

default known_purpose := false

known_purpose if facts.purpose.id

# The revision named has begun and not ended, and the one that follows it, if any, has not begun but
# for the time in which whoever asks may not have heard of it.
default valid_purpose := false

valid_purpose if {
	time.parse_rfc3339_ns(facts.purpose.valid_from) <= facts.now_ns
	not_ended(facts.purpose.valid_until)
	facts.not_followed(facts.purpose, data.datwat.catalogue.grace_seconds)
}

not_ended(null)

not_ended(until) if time.parse_rfc3339_ns(until) > facts.now_ns

default requester_in_purpose := false

requester_in_purpose if facts.requester.function

# Help and enforcement are different partners, also when one organisation does both.
default not_for_enforcement := false

not_for_enforcement if input.requester.enforcement == false

not_for_enforcement if {
	every use in facts.purpose.not_for {
		use != "enforcement"
	}
}

default occasion_own := false

occasion_own if input.occasion.holder == input.requester.id

occasion_own if recorded_without_occasion

# An objection can be made anywhere and takes nothing: it alone is recorded without an occasion. AVG 21.
recorded_without_occasion if {
	input.act == "record_objection"
	input.occasion == null
}

default occasion_open := false

occasion_open if {
	time.parse_rfc3339_ns(input.occasion.opened_at) <= facts.now_ns
	input.occasion.closed_at == null
}

default occasion_kind_fits := false

occasion_kind_fits if facts.purpose.occasions[input.occasion.kind]

# Where no question of the resident's own leads, the right to ask ends on the day to tell them.
default occasion_not_lapsed := false

occasion_not_lapsed if input.occasion.kind == "help_request"

occasion_not_lapsed if time.parse_rfc3339_ns(input.occasion.inform_by) > facts.now_ns

# A consulted colleague thinks along and asks nothing.
default handler_current := false

handler_current if {
	some handler in input.occasion.handlers
	handler.professional == input.professional.id
	current(handler)
}

current(handler) if {
	handler.role in {"coordinator", "second", "replacement"}
	time.parse_rfc3339_ns(handler.from_at) <= facts.now_ns
	not_ended(handler.until_at)
}

default occasion_has_coordinator := false

occasion_has_coordinator if {
	some handler in input.opens.handlers
	handler.role == "coordinator"
	current(handler)
}

default person_in_household := false

person_in_household if time.parse_rfc3339_ns(input.member.named_at) <= facts.now_ns

person_in_household if recorded_without_occasion

default may_be_looked_up := false

may_be_looked_up if input.member.may_look_up == true

# Whose authority is disputed or absent, nobody looks for: a record names no parent, so that the
# careful reading holds until it is settled. BW 1:245 (legal_check: open).
default may_be_represented := false

may_be_represented if input.represented == false

may_be_represented if {
	input.represented == true
	every authority in input.authorities {
		leaves_open(authority)
	}
}

leaves_open(authority) if authority.kind in {"both_parents", "one_parent", "guardian", "curator", "mentor"}

leaves_open(authority) if time.parse_rfc3339_ns(authority.until_at) <= facts.now_ns

# What somebody only stated of the parents closes nothing: a document or register does.
leaves_open(authority) if {
	authority.kind == "disagreement"
	authority.source == "stated"
}

default source_in_purpose := false

source_in_purpose if input.ask.source_function in ladder.functions

# Two locks: one article lets the source give, the other lets the requester take.
default edge_exists := false

edge_exists if edge.found.giver_article

default consent_fits := false

consent_fits if count(fields.permitted) > 0

# A consent and a record of authority hold for a time, and are asked again: counted from the day of
# both giving and recording, so that a later day of giving adds nothing.
default consent_term_fits := false

consent_term_fits if {
	term_fits(input.new_consent.given_at, input.new_consent.until_at, facts.covenant.longest_consent_days)
}

# A wish that gives no consent.
consent_term_fits if {
	input.act == "wish"
	input.new_consent == null
}

# At the portal only who is logged in consents: the person, or who represents them; never both.
default giver_is_present := false

giver_is_present if input.new_consent == null

giver_is_present if {
	input.represented == false
	input.new_consent.given_by == "self"
}

giver_is_present if {
	input.represented == true
	input.new_consent.given_by == "representative"
}

default authority_term_fits := false

authority_term_fits if {
	term_fits(input.new_authority.checked_at, input.new_authority.until_at, facts.covenant.longest_authority_days)
}

term_fits(from, until, days) if {
	facts.within_days(from, until, days)
	facts.within_days(input.now, until, days)
}

default partner_named := false

partner_named if {
	input.introduce_to != input.requester.id
	facts.covenant.functions[split(input.introduce_to, ":")[1]]
}

# Nobody is handed to who cannot answer for it: in the trust list, its covenant not over, not suspended.
default partner_in_force := false

partner_in_force if {
	time.parse_rfc3339_ns(input.introduce_standing.covenant_until) > facts.now_ns
	input.introduce_standing.suspended == false
}

# The right to use the BSN: for this class of act, by a law that covers this person.
default bsn_right := false

bsn_right if input.stated_by in {"handle", "introduction"}

bsn_right if {
	input.stated_by == "ticket"
	some right in input.requester.bsn_rights
	request_class in right.uses
	covers(right.whose)
	some law, whose in facts.covenant.laws
	startswith(right.law, law)
	covers(whose)
}

default request_class := "inquire"

request_class := "register" if input.act in {"register", "end", "answer_contact", "report_wrong_person"}

request_class := "self" if input.act in facts.own

covers("resident")

covers("youth") if input.member.age_band in {"0-11", "12-15", "16-17"}

covers("youth") if data.datwat.catalogue.kinds[input.registration.kind].whose == "youth"

default motivated_purpose := false

motivated_purpose if input.ask.motivation_length.purpose >= facts.covenant.least_motivation

# What a finding says beside its code; a rule per code would cost a decision twice as much.
params := object.union_n([
	{"known_purpose": {"purpose": input.purpose} | input.purpose != null},
	{"occasion_kind_fits": {"kind": kind} | kind := input.occasion.kind},
	{"requester_in_purpose": {"function": function} | function := input.requester.function},
	{"source_in_purpose": {"function": input.ask.source_function} | input.ask.source_function != null},
	{"edge_exists": {"giver_article": giver, "taker_article": taker, "mode": mode} |
		giver := edge.found.giver_article
		taker := edge.found.taker_article
		mode := edge.found.mode
	},
	{"occasion_not_lapsed": {"inform_by": input.occasion.inform_by} | input.occasion.inform_by != null},
])
