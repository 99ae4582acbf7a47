package datwat.register_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.register

test_weighs_its_own_acts if {
	asked := fixture.asked({"act": "register"})
	decision := register.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	decision.permit
}

test_refuses_the_acts_of_others if {
	asked := fixture.asked({"act": "inquire"})
	decision := register.decision with input as asked with data.datwat.catalogue as fixture.catalogue
	not decision.permit
	not decision.stated_permit
	count(decision.findings) == 5
}

test_refuses_an_empty_question if {
	not register.decision.permit with input as {} with data.datwat.catalogue as fixture.catalogue
}
