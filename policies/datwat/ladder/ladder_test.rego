package datwat.ladder_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.ladder

rungs := ["none", "contact", "category", "dat", "wat"]

test_the_lower_of_two_rungs if {
	every i, one in rungs {
		every j, other in rungs {
			ladder.lesser[one][other] == rungs[min([i, j])]
		}
	}
}

test_the_ceiling_of_each_act if {
	expected := {"inquire": "dat", "request_contact": "contact", "release": "wat", "register": "none"}
	every act, rung in expected {
		ladder.ceiling == rung with input as fixture.asked({"act": act}) with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_occasion_caps_every_act if {
	every act in ["inquire", "request_contact", "release"] {
		asked := fixture.asked({"act": act, "occasion": {"kind": "crisis"}})
		ladder.ceiling == "contact" with input as asked with data.datwat.catalogue as fixture.catalogue
		none := fixture.asked({"act": act, "occasion": null})
		ladder.ceiling == "none" with input as none with data.datwat.catalogue as fixture.catalogue
	}
}

test_nothing_is_open_to_who_may_not_ask if {
	asked := fixture.asked({"act": "inquire", "requester": {"function": "other"}})
	ladder.ceiling == "none" with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_guarded_kinds_stay_away if {
	visible := ladder.visible with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	visible == {"debts": "wat", "work": "dat"}
	functions := ladder.functions with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	functions == {"source", "firm"}
}

test_a_contact_request_goes_to_one_source if {
	asked := fixture.asked({"act": "request_contact"})
	ladder.asked_of("source") with input as asked
	not ladder.asked_of("firm") with input as asked
	ladder.asked_of("firm") with input as fixture.question
}
