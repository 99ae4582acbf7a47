package datwat.efficiency_test

import rego.v1

import data.datwat.efficiency
import data.datwat.fixture_test as fixture

proven := {
	"act_fits", "rung_fits_act", "source_delivers",
	"motivated_efficiency", "since_plausible", "contact_not_repeated",
}

test_every_code_is_proven if {
	every code in proven {
		efficiency[code] == true with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_empty_question_proves_nothing if {
	every code in proven {
		efficiency[code] == false with input as {} with data.datwat.catalogue as fixture.catalogue
	}
}

unproven := [
	["act_fits", {"act": "gossip"}],
	["rung_fits_act", {"ask": {"rung": "dat"}}],
	["source_delivers", {"ask": {"source_function": "firm"}}],
	["motivated_efficiency", {"ask": {"motivation_length": {"efficiency": 4}}}],
	["since_plausible", {"registration": {"since_at": "2026-03-05T00:00:00Z"}}],
	["contact_not_repeated", {"contact_asked_at": "2026-03-01T00:00:00Z"}],
]

test_each_fact_counts if {
	every pair in unproven {
		efficiency[pair[0]] == false with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

test_after_some_days_contact_may_be_asked_again if {
	asked := fixture.asked({"contact_asked_at": "2026-02-26T00:00:00Z"})
	efficiency.contact_not_repeated with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_parameters_name_the_product if {
	efficiency.params == {"source_delivers": {"product": "debts"}} with input as fixture.question
	efficiency.params == {} with input as fixture.asked({"ask": {"product": null}})
}
