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

test_nothing_is_seen_without_a_purpose if {
	asked := fixture.asked({"purpose_digest": "d9"})
	ladder.visible == {} with input as asked with data.datwat.catalogue as fixture.catalogue
	ladder.functions == [] with input as asked with data.datwat.catalogue as fixture.catalogue
	ladder.caps == {} with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_what_the_purpose_sees_is_looked_up if {
	index := fixture.help.index
	ladder.visible == index.visible with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	ladder.functions == index.scope.functions with input as fixture.question
		with data.datwat.catalogue as fixture.catalogue
	ladder.caps == index.caps with input as fixture.question with data.datwat.catalogue as fixture.catalogue
}
