# METADATA
# title: Transparency (transparantie)
# description: >-
#   The resident knows who asks what of whom: told beforehand, or later on a listed ground within its
#   longest term. AVG 5(1)(a), 13-14, 23; UAVG 41. Each rule is a code of codes.yaml and false unless
#   proven.
package datwat.transparency

import rego.v1

import data.datwat.facts

# What is told later, is told later on a ground from the list.
default notice_lawful := false

notice_lawful if {
	every situation in facts.situations {
		situation.ground in object.keys(facts.covenant.grounds)
	}
}

default professional_named := false

professional_named if input.professional.id

# From 12 years on each person knows of the question; in a crisis they are told afterwards.
default told := false

told if time.parse_rfc3339_ns(input.told_at) <= facts.now_ns

told if time.parse_rfc3339_ns(input.member.told_at) <= facts.now_ns

told if input.member.age_band == "0-11"

told if input.occasion.kind == "crisis"

told if facts.telling_may_wait

# Told what, with whom, when, and how they took it.
default told_beforehand := false

told_beforehand if {
	time.parse_rfc3339_ns(input.conversation.at) <= facts.now_ns
	input.conversation.told_length > 0
	input.conversation.reaction in {"agrees", "none", "objects"}
}

told_beforehand if facts.telling_may_wait

default motivated_transparency := false

motivated_transparency if input.ask.motivation_length.transparency >= facts.covenant.least_motivation

# Another partner does not know that telling waits, and would tell: nobody is brought to it until then.
default nothing_waits := false

nothing_waits if input.occasion.special_situation == null

# Without a question of the resident's own there is a day on which they are told.
default inform_date_set := false

inform_date_set if facts.covenant.occasions[input.opens.kind].longest_inform_days == null

inform_date_set if {
	time.parse_rfc3339_ns(input.opens.inform_by) > facts.now_ns
	facts.within_days(input.now, input.opens.inform_by, facts.covenant.occasions[input.opens.kind].longest_inform_days)
}

# A ground to wait: from the list, decided by somebody else, within its longest term.
default situation_lawful := false

situation_lawful if {
	input.act == "open_occasion"
	input.opens.special_situation == null
}

situation_lawful if {
	some situation in facts.declared
	time.parse_rfc3339_ns(situation.declared_at) <= facts.now_ns
	time.parse_rfc3339_ns(situation.until_at) > facts.now_ns
	situation.opening in facts.covenant.grounds[situation.ground].opening
	situation.decider != input.professional.id
	term_fits(situation)
}

term_fits(situation) if {
	object.get(input, ["occasion", "special_situation"], null) == null
	facts.within_days(situation.declared_at, situation.until_at, facts.covenant.grounds[situation.ground].longest_days)
}

term_fits(situation) if {
	facts.within_days(situation.declared_at, situation.until_at, facts.covenant.grounds[situation.ground].renewal_days)
}
