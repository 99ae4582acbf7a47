package datwat.introduce_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.introduce

test_weighs_its_own_acts if {
	asked := fixture.asked({"act": "introduce"})
	decision := introduce.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	decision.permit
}

test_refuses_the_acts_of_others if {
	asked := fixture.asked({"act": "inquire"})
	decision := introduce.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	not decision.permit
	not decision.stated_permit
	count(decision.findings) == 5
}

test_refuses_an_empty_question if {
	not introduce.decision.permit with input as {} with data.datwat.catalogue as fixture.catalogue
}
