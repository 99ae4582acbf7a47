package datwat.proportionality_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.proportionality

proven := {
	"identity_stated", "identity_certain", "fields_in_measure", "some_field_permitted", "all_fields_permitted",
	"motivated_proportionality", "reaction_weighed", "kind_allows", "no_objection",
}

block := {"organisation": "1:team", "since_at": "2026-02-20T00:00:00Z"}

objection := {"purpose": "help", "made_at": "2026-02-20T00:00:00Z", "state": "open"}

test_every_code_is_proven if {
	every code in proven {
		proportionality[code] == true with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_empty_question_proves_nothing if {
	every code in proven | {"kind_fits_function"} {
		proportionality[code] == false with input as {} with data.datwat.catalogue as fixture.catalogue
	}
}

unproven := [
	["identity_stated", {"stated_by": "ticket"}],
	["identity_certain", {"member": {"identity": "stated"}}],
	["fields_in_measure", {"ask": {"fields": ["a", "b", "c.d", "e", "f", "g"]}}],
	["some_field_permitted", {"ask": {"fields": ["f"]}}],
	["all_fields_permitted", {"ask": {"fields": ["a", "f"]}}],
	["motivated_proportionality", {"ask": {"motivation_length": {"proportionality": 4}}}],
	["reaction_weighed", {"conversation": null}],
	["reaction_weighed", {"conversation": {"reaction": "objects"}}],
	["kind_allows", {"ask": {"involvement": {"kind": "work"}}}],
	["kind_allows", {"ask": {"involvement": {"shielded": true}}}],
	["kind_allows", {"ask": {"involvement": {"function": "firm"}}}],
	["no_objection", {"objections": [objection]}],
	["no_objection", {"objections": [object.union(objection, {"purpose": null})]}],
	["no_objection", {"objections": [object.union(objection, {"state": "upheld"})]}],
	["no_objection", {"blocks": [block]}],
	["no_objection", {"blocks": [object.union(block, {"organisation": "2:source"}), block]}],
	["no_objection", {"blocks": null}],
	["kind_fits_function", {"requester": {"function": "team"}}],
]

test_each_fact_counts if {
	every pair in unproven {
		proportionality[pair[0]] == false with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

proven_otherwise := [
	["identity_stated", {"stated_by": "ticket", "stated_identity": "stated"}],
	["identity_certain", {"member": {"identity": null}, "stated_identity": "register"}],
	["reaction_weighed", {"conversation": {"reaction": "objects"}, "ask": {"product": "file"}}],
	["reaction_weighed", {"conversation": null, "occasion": {"special_situation": fixture.situation}}],
	["no_objection", {"objections": [object.union(objection, {"state": "rejected"})]}],
	["no_objection", {"objections": [object.union(objection, {"purpose": "other"})]}],
	["no_objection", {"objections": [objection], "occasion": {"kind": "crisis"}}],
	["no_objection", {"objections": [objection], "new_special_situation": fixture.situation}],
	["no_objection", {"blocks": [object.union(block, {"organisation": "2:source"})]}],
	["no_objection", {"blocks": [block], "occasion": {"kind": "crisis"}}],
	["no_objection", {"blocks": [block], "new_special_situation": fixture.situation}],
	["kind_fits_function", {"requester": {"function": "source"}}],
]

test_each_other_way_counts if {
	every pair in proven_otherwise {
		proportionality[pair[0]] == true with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

test_how_a_purpose_takes_objections if {
	asked := fixture.asked({"objections": [objection], "occasion": {"kind": "crisis"}})
	suspends := fixture.changed({"objection": "suspend"})
	not proportionality.no_objection with input as asked with data.datwat.catalogue as suspends
	ignores := fixture.changed({"objection": "none"})
	proportionality.no_objection with input as asked with data.datwat.catalogue as ignores
	blocked := fixture.asked({"blocks": [block], "occasion": {"kind": "crisis"}})
	not proportionality.no_objection with input as blocked with data.datwat.catalogue as suspends
	looking := fixture.asked({"blocks": [block]})
	proportionality.no_objection with input as looking with data.datwat.catalogue as ignores
	unclear := fixture.changed({"objection": "maybe"})
	not proportionality.no_objection with input as fixture.question with data.datwat.catalogue as unclear
}

test_parameters_name_what_was_weighed if {
	params := proportionality.params with input as fixture.asked({"ask": {"fields": ["a", "f"]}})
		with data.datwat.catalogue as fixture.catalogue
	params == {
		"fields_in_measure": {"asked": 2, "most": 5},
		"all_fields_permitted": {"withheld": ["f"]},
		"kind_fits_function": {"kind": "debts"},
	}
	inquiry := proportionality.params with input as fixture.asked({"act": "inquire"})
		with data.datwat.catalogue as fixture.catalogue
	object.keys(inquiry) == {"fields_in_measure", "kind_fits_function"}
}
