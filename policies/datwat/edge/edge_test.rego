package datwat.edge_test

import rego.v1

import data.datwat.edge
import data.datwat.fixture_test as fixture

test_one_edge_fits if {
	edge.found.mode == "may" with input as fixture.question with data.datwat.catalogue as fixture.catalogue
}

test_without_an_edge_there_is_nothing if {
	asked := fixture.asked({"ask": {"product": null}})
	edge.found == {} with input as asked with data.datwat.catalogue as fixture.catalogue
}
