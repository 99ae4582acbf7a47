package datwat.consent_test

import rego.v1

import data.datwat.consent
import data.datwat.fixture_test as fixture

plan(consents, changes) := object.union(
	fixture.asked({"consents": consents, "ask": {"product": "plan"}}),
	changes,
)

with_changes(changes) := plan([object.union(fixture.consent, changes)], {})

child(by, band, authorities) := plan(
	[object.union(fixture.consent, {"given_by": by})],
	{"member": {"age_band": band}, "authorities": authorities},
)

test_a_consent_in_every_point if {
	lawful := [
		with_changes({}),
		with_changes({"product": null}),
		with_changes({"source": null}),
		with_changes({"requester": null}),
		with_changes({"fields": ["a"]}),
		child("representative", "0-11", [fixture.authority]),
		child("both", "12-15", [fixture.authority]),
		child("representative", "18+", [object.union(fixture.authority, {"kind": "mentor"})]),
	]
	every asked in lawful {
		consent.covers_field("a") with input as asked with data.datwat.catalogue as fixture.catalogue
	}
}

test_a_consent_that_fails_in_one_point if {
	disagreement := object.union(fixture.authority, {"kind": "disagreement"})
	unlawful := [
		plan([], {}),
		with_changes({"kind": "no_objection"}),
		with_changes({"purpose": "other"}),
		with_changes({"product": "debts"}),
		with_changes({"source": "9:source"}),
		with_changes({"requester": "9:team"}),
		with_changes({"fields": ["b"]}),
		with_changes({"given_at": "2026-03-05T00:00:00Z"}),
		with_changes({"until_at": "2026-03-01T00:00:00Z"}),
		with_changes({"withdrawn_at": "2026-03-01T00:00:00Z"}),
		with_changes({"given_by": "both"}),
		child("self", "0-11", []),
		child("self", "16-17", []),
		child("self", null, []),
		child("representative", "0-11", []),
		child("representative", "0-11", [object.union(fixture.authority, {"kind": "parent_without"})]),
		child("representative", "0-11", [object.union(fixture.authority, {"source": "stated"})]),
		child("representative", "0-11", [object.union(fixture.authority, {"checked_at": "2026-03-05T00:00:00Z"})]),
		child("representative", "0-11", [object.union(fixture.authority, {"until_at": "2026-03-01T00:00:00Z"})]),
		child("representative", "0-11", [fixture.authority, disagreement]),
		child("both", "0-11", [fixture.authority]),
		child("representative", "18+", [fixture.authority]),
		child("both", "18+", [object.union(fixture.authority, {"kind": "mentor"})]),
		child("representative", "12-15", [object.union(fixture.authority, {"kind": "mentor"})]),
	]
	every asked in unlawful {
		not consent.covers_field("a") with input as asked with data.datwat.catalogue as fixture.catalogue
	}
}

test_a_disagreement_that_is_over_does_not_count if {
	over := object.union(fixture.authority, {"kind": "disagreement", "until_at": "2026-03-01T00:00:00Z"})
	asked := child("representative", "0-11", [fixture.authority, over])
	consent.covers_field("a") with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_no_objection_is_written if {
	no_objection := object.union(fixture.consent, {"kind": "no_objection", "product": null})
	written := plan([no_objection], {"ask": {"product": "wages"}})
	consent.covers_field("a") with input as written with data.datwat.catalogue as fixture.catalogue
	spoken := plan(
		[object.union(fixture.consent, {"kind": "no_objection", "product": null, "written": false})],
		{"ask": {"product": "wages"}},
	)
	not consent.covers_field("a") with input as spoken with data.datwat.catalogue as fixture.catalogue
	explicit := plan([object.union(fixture.consent, {"product": null})], {"ask": {"product": "wages"}})
	not consent.covers_field("a") with input as explicit with data.datwat.catalogue as fixture.catalogue
}

test_duty_and_may_rest_on_the_law if {
	asks := [fixture.asked({"ask": {"product": "file"}}), fixture.question]
	every asked in asks {
		consent.covers_field("a") with input as asked with data.datwat.catalogue as fixture.catalogue
	}
}
