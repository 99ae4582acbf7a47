package datwat.fields_test

import rego.v1

import data.datwat.fields
import data.datwat.fixture_test as fixture

test_each_field_has_its_reason if {
	asked := fixture.asked({"ask": {"fields": ["a", "b", "c.d", "e", "f", "z"]}})
	reasons := fields.reasons with input as asked with data.datwat.catalogue as fixture.catalogue
	reasons == {
		"c.d": "field_special_category",
		"e": "field_criminal",
		"f": "field_not_in_purpose",
		"z": "field_unknown",
	}
}

test_secrecy_needs_a_ground if {
	groundless := {"source": {"team": {"debts": {"grounds": {"pw": ""}}}}}
	bare := fixture.changed({"index": {"edges": groundless}})
	reasons := fields.reasons with input as fixture.question with data.datwat.catalogue as bare
	reasons == {"b": "field_secret"}
}

test_of_several_labels_the_one_without_a_ground_is_the_reason if {
	edges := {"source": {"team": {"debts": {"grounds": {"c": "G", "s": "G", "pw": ""}}}}}
	marked := {"products": {"debts": {"labels": {"a": ["c", "pw"], "b": ["s", "pw"], "e": ["c"]}}}}
	several := object.union(fixture.changed({"index": {"edges": edges}}), marked)
	asked := fixture.asked({"ask": {"fields": ["a", "b", "e"]}})
	reasons := fields.reasons with input as asked with data.datwat.catalogue as several
	reasons == {"a": "field_secret", "b": "field_secret"}
}

test_fields_keep_the_order_asked if {
	asked := fixture.asked({"ask": {"fields": ["b", "f", "a"]}})
	fields.stated == ["b", "a"] with input as asked with data.datwat.catalogue as fixture.catalogue
	fields.permitted == ["b", "a"] with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_consent_narrows_the_fields if {
	consents := [object.union(fixture.consent, {"fields": ["b"]})]
	asked := fixture.asked({"consents": consents, "ask": {"product": "plan"}})
	fields.stated == ["a", "b"] with input as asked with data.datwat.catalogue as fixture.catalogue
	fields.permitted == ["b"] with input as asked with data.datwat.catalogue as fixture.catalogue
}
