package datwat.knife_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.knife

# One question weighed, for every test below.
weighed(changes) := decision if {
	# regal ignore:with-outside-test-context,external-reference
	decision := knife.decision with input as fixture.asked(changes) with data.datwat.catalogue as fixture.catalogue
}

part(changes, name) := weighed(changes)[name]

codes(obligations) := {obligation.code | some obligation in obligations}

test_a_finding_for_every_code if {
	findings := part({}, "findings")
	{finding.code | some finding in findings} == object.keys(fixture.acts.codes)
	{finding.blade | some finding in findings} == {blade | some blade in knife.blades}
	every finding in findings {
		finding.satisfied
	}
}

test_a_finding_says_what_was_weighed if {
	expected := {
		"known_purpose": {"purpose": "help"},
		"asked_rung_open": {"asked": "wat", "open": "wat"},
		"fields_in_measure": {"asked": 2, "most": 5},
		"source_delivers": {"product": "debts"},
	}
	weighed_codes := {
		"known_purpose": fixture.code("purpose", "stated", true, null),
		"asked_rung_open": fixture.code("subsidiarity", "stated", true, null),
		"fields_in_measure": fixture.code("proportionality", "stated", true, null),
		"source_delivers": fixture.code("efficiency", "stated", true, null),
	}
	acts := {"release": fixture.spelt({"codes": weighed_codes})}
	more := object.union(fixture.catalogue, {"acts": acts})
	findings := knife.findings with input as fixture.question with data.datwat.catalogue as more
	{finding.code: finding.params | some finding in findings; finding.code in object.keys(expected)} == expected
}

test_a_release_is_permitted if {
	decision := weighed({})
	decision.permit
	decision.rung == "wat"
	decision.open_rung == "wat"
	decision.fields == ["a", "b"]
	decision.withheld == []
	decision.legal_basis == {"giver_article": "G", "taker_article": "T", "mode": "may"}
	decision.retention_days == 100
	decision.expires_days == null
	decision.scope == {"functions": [], "domains": [], "cannot_see": []}
	codes(decision.obligations) == {"keep_confidential", "use_for_purpose_only", "delete_after"}
}

test_what_only_advises_does_not_block if {
	decision := weighed({"member": {"told_at": null}})
	decision.permit
	decision.remedies == ["inform"]
}

test_a_stated_fact_refuses_and_is_explained if {
	decision := weighed({"purpose_digest": "d9"})
	not decision.permit
	not decision.stated_permit
	decision.remedies == ["register_purpose"]
	decision.rung == "none"
	decision.open_rung == "none"
	decision.fields == []
	decision.withheld == [{"field": "a", "code": "field_not_in_purpose"}, {"field": "b", "code": "field_not_in_purpose"}]
	decision.legal_basis == null
	decision.obligations == []
	decision.retention_days == 7
}

test_only_codes_of_the_act_are_weighed if {
	satisfied := knife.satisfied with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	satisfied == object.keys(fixture.acts.codes)
}

test_fields_are_granted_to_a_release_only if {
	part({"act": "inquire", "ask": {"rung": "dat"}}, "fields") == []
}

test_a_code_may_have_no_remedy if {
	part({"stated_by": "ticket"}, "remedies") == []
}

test_a_whole_refusal_withholds_every_field if {
	ask := {"requester": {"covenant_until": "2027-01-01T00:00:00Z"}, "stated_by": "ticket"}
	part(ask, "withheld") == [{"field": "a", "code": "refused"}, {"field": "b", "code": "refused"}]
}

test_a_fact_of_the_person_refuses_without_a_remedy if {
	decision := weighed({"ask": {"involvement": null}})
	not decision.permit
	decision.stated_permit
	decision.open_rung == "wat"
	decision.remedies == []
	decision.withheld == [{"field": "a", "code": "person_facts"}, {"field": "b", "code": "person_facts"}]
}

test_the_highest_rung_left_open if {
	part({"act": "inquire", "ask": {"rung": "category"}}, "rung") == "category"
	part({"act": "inquire", "ask": {"rung": "category"}}, "open_rung") == "dat"
	part({"act": "request_contact"}, "open_rung") == "dat"
	part({"act": "request_contact", "member": {"told_at": null}}, "open_rung") == "contact"
	part({"act": "release", "stated_by": "ticket"}, "open_rung") == "dat"
	part({"act": "release", "stated_by": "ticket", "occasion": null}, "open_rung") == "none"
	part({"act": "register"}, "open_rung") == "none"
}

test_the_caps_follow_the_rung_granted if {
	rows := part({"act": "inquire", "ask": {"rung": "dat"}}, "caps")
	{row | some row in rows} == {
		{"function": "source", "kind": "debts", "plain": "dat", "shielded": "category"},
		{"function": "source", "kind": "work", "plain": "dat", "shielded": "category"},
		{"function": "firm", "kind": "work", "plain": "dat", "shielded": "category"},
	}
	refused := part({"act": "inquire", "ask": {"rung": "dat", "involvement": null}}, "caps")
	{row.plain | some row in refused} == {"none"}
	one := part({"act": "request_contact"}, "caps")
	{row.function | some row in one} == {"source"}
}

test_the_scope_says_what_was_asked_and_what_not if {
	part({"act": "inquire", "ask": {"rung": "dat"}}, "scope") == {
		"functions": ["firm", "source"],
		"domains": ["debt", "income"],
		"cannot_see": ["shelter", "youth"],
	}
	part({"act": "request_contact"}, "scope") == {
		"functions": ["source"],
		"domains": ["debt"],
		"cannot_see": ["shelter", "youth"],
	}
	part({"act": "request_contact", "ask": {"source_function": "safe"}}, "scope").functions == []
	part({"act": "request_contact", "stated_by": "ticket"}, "scope").functions == []
	part({"act": "inquire", "stated_by": "ticket"}, "scope") == {"functions": [], "domains": [], "cannot_see": []}
}

test_later_while_a_special_situation_is_in_force if {
	part({}, "notice") == "now"
	decision := weighed({"occasion": {"special_situation": fixture.situation}})
	decision.notice == "later"
	"inform_later" in codes(decision.obligations)
}

test_what_is_declared_waits_also_where_its_form_is_wrong if {
	wrong := [{"ground": "ease"}, {"until_at": "2026-03-01T00:00:00Z", "opening": "automatic"}]
	every changes in wrong {
		stated := object.union(fixture.situation, changes)
		part({"opens": {"special_situation": stated}}, "notice") == "later"
		part({"new_special_situation": stated}, "notice") == "later"
		part({"occasion": {"special_situation": stated}}, "notice") == "now"
	}
}

test_own_is_for_the_person_alone if {
	part({}, "audience") == "open"
	own := [
		{"occasion": {"confidential": true}},
		{"occasion": {"introduced_by": "3:safe"}},
		{"opens": {"confidential": true}},
		{"registration": {"confidential": true}},
		{"requester": {"function": "safe"}},
	]
	every changes in own {
		part(changes, "audience") == "own"
	}
}

test_the_terms_of_a_registration if {
	decision := weighed({"act": "register"})
	decision.expires_days == 10
	decision.legal_basis == null
	decision.retention_days == 7
	not "inform_resident" in codes(decision.obligations)
	"inform_resident" in codes(part({"act": "register", "member": {"told_at": null}}, "obligations"))
}

test_obligations_of_an_occasion if {
	dated := part({"occasion": {"inform_by": "2026-03-09T00:00:00Z"}}, "obligations")
	"inform_by" in codes(dated)
	opened := part({"act": "open_occasion", "opens": {"inform_by": "2026-03-09T00:00:00Z"}}, "obligations")
	codes(opened) == {"inform_by"}
	"review_afterwards" in codes(part({"occasion": {"kind": "crisis"}}, "obligations"))
	codes(part({"act": "introduce"}, "obligations")) == {"keep_confidential"}
}

test_the_residents_own_access_has_its_basis if {
	portal := {"act": "open_session", "requester": {"function": "portal"}}
	part(portal, "legal_basis").giver_article == "A"
	part(portal, "retention_days") == 50
}

# A catalogue that names no code for a blade permits nothing.
test_every_blade_must_weigh_something if {
	every blade in knife.blades {
		weighed_codes := {code: terms | some code, terms in fixture.acts.codes; terms.blade != blade}
		bare := json.patch(fixture.catalogue, [
			{"op": "replace", "path": "acts/release/codes", "value": weighed_codes},
			{"op": "replace", "path": ["acts", "release", "of", blade], "value": []},
		])
		decision := knife.decision with input as fixture.question with data.datwat.catalogue as bare
		not decision.permit
		not decision.stated_permit
	}
}
