package datwat.facts_test

import rego.v1

import data.datwat.facts
import data.datwat.fixture_test as fixture

test_a_moment_is_past_or_to_come if {
	facts.past(fixture.question.now) with input as fixture.question
	not facts.future(fixture.question.now) with input as fixture.question
	facts.future("2026-03-02T09:00:01Z") with input as fixture.question
	not facts.past("2026-03-02T09:00:01Z") with input as fixture.question
}

test_what_is_no_moment_is_neither if {
	every value in [null, "", "tomorrow", 3, "2026-03-02"] {
		not facts.past(value) with input as fixture.question
		not facts.future(value) with input as fixture.question
	}
}

# A question names its revision; the resident's own access is the one in force, without any grace.
test_which_revision_it_is if {
	late := object.union(fixture.help, {"digest": "d3"})
	two := fixture.revised([fixture.help, late])
	facts.purpose == fixture.help with input as fixture.question with data.datwat.catalogue as two
	facts.purpose == late with input as fixture.asked({"purpose_digest": "d3"}) with data.datwat.catalogue as two
	facts.purpose == {} with input as fixture.asked({"purpose_digest": "d9"}) with data.datwat.catalogue as two
	facts.purpose == {} with input as fixture.asked({"purpose": "x"}) with data.datwat.catalogue as two
}

test_the_residents_own_access_is_the_one_in_force if {
	first := object.union(fixture.own_access, {"valid_until": null, "until_at": fixture.question.now})
	second := object.union(fixture.own_access, {"digest": "d4", "valid_from": fixture.question.now})
	both := object.union(fixture.catalogue, {"purposes": {"own_access": {"revisions": [first, second]}}})
	own := fixture.asked({"act": "wish"})
	facts.purpose == second with input as own with data.datwat.catalogue as both
	before := object.union(own, {"now": "2026-03-02T08:59:59Z"})
	facts.purpose == first with input as before with data.datwat.catalogue as both
	facts.purpose == {} with input as object.union(own, {"now": "2025-12-31T00:00:00Z"})
		with data.datwat.catalogue as both
	facts.purpose == {} with input as object.union(own, {"now": "2027-01-01T00:00:00Z"})
		with data.datwat.catalogue as both
}

test_a_special_situation_in_force if {
	open := fixture.situation
	held := [
		open,
		object.union(open, {"declared_at": "2026-01-01T00:00:00Z", "until_at": "2026-02-01T00:00:00Z"}),
		object.union(open, {"ground": "others", "opening": "automatic"}),
	]
	every situation in held {
		facts.in_force(situation) with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
	over := [
		object.union(open, {"ground": "ease"}),
		object.union(open, {"declared_at": "2026-03-03T00:00:00Z"}),
		object.union(open, {"opening": "automatic", "until_at": "2026-03-01T00:00:00Z"}),
	]
	every situation in over {
		not facts.in_force(situation) with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_telling_waits_for_the_occasions_own_situation_only if {
	held := fixture.on_occasion({"special_situation": fixture.situation})
	facts.telling_may_wait with input as held with data.datwat.catalogue as fixture.catalogue
	fresh := fixture.asked({"new_special_situation": fixture.situation})
	not facts.telling_may_wait with input as fresh with data.datwat.catalogue as fixture.catalogue
}

test_danger if {
	dangerous := [
		fixture.on_occasion({"kind": "crisis"}),
		fixture.on_occasion({"special_situation": fixture.situation}),
		fixture.asked({"opens": {"special_situation": fixture.situation}}),
	]
	every asked in dangerous {
		facts.danger with input as asked with data.datwat.catalogue as fixture.catalogue
	}
	calm := fixture.on_occasion({"special_situation": object.union(fixture.situation, {"ground": "others"})})
	not facts.danger with input as calm with data.datwat.catalogue as fixture.catalogue
}
