package datwat.purpose_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.purpose

proven := {
	"covenant_in_force", "function_known", "known_purpose", "valid_purpose", "requester_in_purpose",
	"not_for_enforcement", "occasion_own", "occasion_open", "occasion_kind_fits", "occasion_not_lapsed",
	"handler_current", "person_in_household", "may_be_looked_up", "source_in_purpose", "edge_exists",
	"consent_fits", "partner_named", "bsn_right", "motivated_purpose", "may_be_represented",
}

ticket(right) := fixture.asked({"stated_by": "ticket", "requester": {"bsn_rights": [right]}})

test_every_code_is_proven if {
	every code in proven {
		purpose[code] == true with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_a_coordinator_is_named if {
	handler := {"professional": "x", "role": "coordinator", "from_at": fixture.question.now, "until_at": null}
	opens := {"handlers": [handler]}
	purpose.occasion_has_coordinator with input as fixture.asked({"opens": opens})
	not purpose.occasion_has_coordinator with input as fixture.question
}

test_who_is_represented_is_so_without_dispute if {
	settled := [{"kind": kind, "until_at": "2026-12-01T00:00:00Z"} |
		some kind in ["both_parents", "one_parent", "guardian", "curator", "mentor"]
	]
	over := {"kind": "disagreement", "until_at": "2026-03-01T00:00:00Z"}
	every authorities in [[], settled, [over]] {
		given := fixture.asked({"represented": true, "authorities": authorities})
		purpose.may_be_represented with input as given
	}
	every kind in ["disagreement", "parent_without"] {
		dispute := {"kind": kind, "until_at": "2026-12-01T00:00:00Z"}
		given := fixture.asked({"represented": true, "authorities": array.concat(settled, [dispute])})
		not purpose.may_be_represented with input as given
	}
}

# Nothing is proven by an empty question, or by one whose members have other kinds.
test_an_empty_question_proves_nothing if {
	every code in proven {
		purpose[code] == false with input as {} with data.datwat.catalogue as fixture.catalogue
	}
	odd := {"act": 1, "occasion": [], "ask": "x"}
	every code in proven {
		purpose[code] == false with input as odd with data.datwat.catalogue as fixture.catalogue
	}
}

unproven := [
	["known_purpose", {"purpose_digest": "d9"}],
	["valid_purpose", {"now": "2025-12-31T00:00:00Z"}],
	["not_for_enforcement", {"requester": {"enforcement": true}}],
	["occasion_own", {"requester": {"id": "3:team"}}],
	["occasion_open", {"occasion": {"closed_at": "2026-03-01T00:00:00Z"}}],
	["occasion_open", {"occasion": {"opened_at": "2026-03-04T00:00:00Z"}}],
	["occasion_kind_fits", {"occasion": {"kind": "report"}}],
	["occasion_not_lapsed", {"occasion": {"kind": "signal"}}],
	["occasion_not_lapsed", {"occasion": {"kind": "signal", "inform_by": "2026-03-01T00:00:00Z"}}],
	["handler_current", {"professional": {"id": "kim"}}],
	["handler_current", {"now": "2026-12-02T00:00:00Z"}],
	["handler_current", {"now": "2026-01-02T00:00:00Z"}],
	["may_be_looked_up", {"member": {"may_look_up": null}}],
	["may_be_represented", {"represented": null}],
	["may_be_represented", {"represented": true, "authorities": null}],
	["may_be_represented", {"represented": true, "authorities": [{"kind": "x", "until_at": "2026-12-01T00:00:00Z"}]}],
	["source_in_purpose", {"ask": {"source_function": "home"}}],
	["source_in_purpose", {"ask": {"source_function": "club"}}],
	["edge_exists", {"ask": {"source_function": "firm"}}],
	["edge_exists", {"ask": {"product": "other"}}],
	["edge_exists", {"requester": {"function": "other"}}],
	["partner_named", {"introduce_to": "1:team"}],
	["partner_named", {"introduce_to": "1:nobody"}],
	["motivated_purpose", {"ask": {"motivation_length": {"purpose": 4}}}],
]

test_each_fact_counts if {
	every pair in unproven {
		purpose[pair[0]] == false with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_occasion_without_help_request_lasts_until_its_day if {
	purpose.occasion_not_lapsed with input as fixture.on_occasion({"kind": "signal", "inform_by": "2026-03-09T00:00:00Z"})
}

test_consent_is_recorded_without_an_occasion_but_nothing_else if {
	every code in ["occasion_own", "occasion_open", "handler_current", "person_in_household"] {
		purpose[code] == true with input as fixture.asked({"act": "record_consent", "occasion": null, "member": null})
		purpose[code] == false with input as fixture.asked({"act": "record_conversation", "occasion": null, "member": null})
	}
	not purpose.occasion_own with input as fixture.asked({"act": "record_consent", "occasion": {"holder": "3:team"}})
}

test_the_resident_has_a_purpose_of_their_own if {
	portal := fixture.asked({"act": "wish", "purpose": null, "requester": {"function": "portal"}})
	purpose.known_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	purpose.valid_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	purpose.requester_in_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	late := object.union(portal, {"now": "2027-01-02T00:00:00Z"})
	not purpose.valid_purpose with input as late with data.datwat.catalogue as fixture.catalogue
}

test_a_purpose_that_allows_enforcement if {
	free := object.union(fixture.catalogue, {"purposes": {"help": {"not_for": []}}})
	asked := fixture.asked({"requester": {"enforcement": true}})
	purpose.not_for_enforcement with input as asked with data.datwat.catalogue as free
}

test_the_bsn_needs_a_right_for_the_class if {
	resident := {"law": "Wet 1", "whose": "resident", "uses": ["inquire"]}
	purpose.bsn_right with input as ticket(resident) with data.datwat.catalogue as fixture.catalogue
	every act in ["register", "wish"] {
		asked := object.union(ticket(resident), {"act": act})
		not purpose.bsn_right with input as asked with data.datwat.catalogue as fixture.catalogue
	}
	other := object.union(resident, {"law": "Andere wet"})
	not purpose.bsn_right with input as ticket(other) with data.datwat.catalogue as fixture.catalogue
	unknown := object.union(ticket(resident), {"stated_by": "guess"})
	not purpose.bsn_right with input as unknown with data.datwat.catalogue as fixture.catalogue
}

test_a_right_for_youth_covers_youth if {
	youth := {"law": "Jeugd 7", "whose": "resident", "uses": ["inquire", "register"]}
	not purpose.bsn_right with input as ticket(youth) with data.datwat.catalogue as fixture.catalogue
	boy := object.union(ticket(youth), {"member": {"age_band": "12-15"}})
	purpose.bsn_right with input as boy with data.datwat.catalogue as fixture.catalogue
	kind := object.union(ticket(youth), {"act": "register", "registration": {"kind": "work"}})
	purpose.bsn_right with input as kind with data.datwat.catalogue as fixture.catalogue
	narrow := {"law": "Wet 1", "whose": "youth", "uses": ["inquire"]}
	not purpose.bsn_right with input as ticket(narrow) with data.datwat.catalogue as fixture.catalogue
}

test_parameters_name_what_was_weighed if {
	params := purpose.params with input as fixture.on_occasion({"inform_by": "2026-03-09T00:00:00Z"})
		with data.datwat.catalogue as fixture.catalogue
	params == {
		"known_purpose": {"purpose": "help"},
		"occasion_kind_fits": {"kind": "help_request"},
		"requester_in_purpose": {"function": "team"},
		"source_in_purpose": {"function": "source"},
		"edge_exists": {"giver_article": "G", "taker_article": "T", "mode": "may"},
		"occasion_not_lapsed": {"inform_by": "2026-03-09T00:00:00Z"},
	}
	bare := purpose.params with input as fixture.asked({"purpose": null, "ask": {"source_function": null}})
		with data.datwat.catalogue as fixture.catalogue
	object.keys(bare) == {"occasion_kind_fits", "requester_in_purpose"}
}
