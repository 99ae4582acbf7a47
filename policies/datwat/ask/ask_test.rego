package datwat.ask_test

import rego.v1

import data.datwat.ask
import data.datwat.fixture_test as fixture

test_weighs_its_own_acts if {
	asked := fixture.asked({"act": "inquire"})
	decision := ask.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	decision.permit
}

test_refuses_the_acts_of_others if {
	asked := fixture.asked({"act": "introduce"})
	decision := ask.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	not decision.permit
	not decision.stated_permit
	count(decision.findings) == 5
}

test_refuses_an_empty_question if {
	not ask.decision.permit with input as {} with data.datwat.catalogue as fixture.catalogue
}
