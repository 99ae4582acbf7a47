package datwat.purpose_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.purpose

proven := {
	"covenant_in_force", "function_known", "known_purpose", "valid_purpose", "requester_in_purpose",
	"not_for_enforcement", "occasion_own", "occasion_open", "occasion_kind_fits", "occasion_not_lapsed",
	"handler_current", "person_in_household", "may_be_looked_up", "source_in_purpose", "edge_exists",
	"consent_fits", "partner_named", "partner_in_force", "bsn_right", "motivated_purpose", "may_be_represented",
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
	stated := {"kind": "disagreement", "source": "stated", "until_at": "2026-12-01T00:00:00Z"}
	purpose.may_be_represented with input as fixture.asked({"represented": true, "authorities": [stated]})
	disputes := [
		["disagreement", "document"], ["disagreement", "register"],
		["parent_without", "document"], ["parent_without", "stated"],
	]
	every pair in disputes {
		dispute := {"kind": pair[0], "source": pair[1], "until_at": "2026-12-01T00:00:00Z"}
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
	["partner_in_force", {"introduce_standing": null}],
	["partner_in_force", {"introduce_standing": {"covenant_until": "2026-03-02T09:00:00Z"}}],
	["partner_in_force", {"introduce_standing": {"suspended": true}}],
	["partner_in_force", {"introduce_standing": {"suspended": null}}],
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

test_an_objection_is_recorded_without_an_occasion_but_nothing_else if {
	every code in ["occasion_own", "person_in_household"] {
		purpose[code] == true with input as fixture.asked({"act": "record_objection", "occasion": null, "member": null})
		every act in ["record_consent", "record_authority", "record_conversation"] {
			purpose[code] == false with input as fixture.asked({"act": act, "occasion": null, "member": null})
		}
	}
	every code in ["occasion_open", "handler_current"] {
		purpose[code] == false with input as fixture.asked({"act": "record_objection", "occasion": null, "member": null})
	}
	not purpose.occasion_own with input as fixture.asked({"act": "record_objection", "occasion": {"holder": "3:team"}})
}

default is_lawful(_, _) := false

is_lawful(represented, giver) if [represented, giver] in {[false, "self"], [true, "representative"]}

test_who_consents_in_a_wish_is_the_one_who_is_logged_in if {
	every represented in [false, true, null] {
		every giver in ["self", "representative", "both", null] {
			wish := fixture.asked({"act": "wish", "represented": represented, "new_consent": {"given_by": giver}})
			purpose.giver_is_present == is_lawful(represented, giver) with input as wish
		}
	}
	purpose.giver_is_present with input as fixture.asked({"act": "wish"})
	not purpose.giver_is_present with input as {"act": "wish", "represented": false}
}

recorded(act, from, until) := fixture.asked({
	"act": act,
	"new_consent": {"given_at": from, "until_at": until},
	"new_authority": {"checked_at": from, "until_at": until},
})

# Twenty days for a consent, ten for authority, from both the day of giving and the day of recording.
test_what_is_recorded_has_a_longest_term if {
	terms := [
		["2026-03-02T09:00:00Z", "2026-03-12T09:00:00Z", true, true],
		["2026-03-02T09:00:00Z", "2026-03-12T09:00:01Z", true, false],
		["2026-03-02T09:00:00Z", "2026-03-22T09:00:00Z", true, false],
		["2026-03-02T09:00:00Z", "2026-03-22T09:00:01Z", false, false],
		["2026-02-27T09:00:00Z", "2026-03-10T09:00:00Z", true, false],
		["2026-02-09T09:00:00Z", "2026-03-04T09:00:00Z", false, false],
		["2026-03-10T09:00:00Z", "2026-03-14T09:00:00Z", true, false],
		["2026-03-20T09:00:00Z", "2026-03-25T09:00:00Z", false, false],
		["2026-03-02T09:00:00Z", "9999-12-31T00:00:00Z", false, false],
		[null, "2026-03-04T09:00:00Z", false, false],
		["2026-03-02T09:00:00Z", null, false, false],
	]
	every row in terms {
		consent := recorded("record_consent", row[0], row[1])
		purpose.consent_term_fits == row[2] with input as consent with data.datwat.catalogue as fixture.catalogue
		authority := recorded("record_authority", row[0], row[1])
		purpose.authority_term_fits == row[3] with input as authority with data.datwat.catalogue as fixture.catalogue
	}
}

test_only_a_wish_may_give_no_consent if {
	purpose.consent_term_fits with input as fixture.asked({"act": "wish"}) with data.datwat.catalogue as fixture.catalogue
	bare := fixture.asked({"act": "record_consent"})
	not purpose.consent_term_fits with input as bare with data.datwat.catalogue as fixture.catalogue
	long := recorded("wish", "2026-03-02T09:00:00Z", "2026-04-22T09:00:00Z")
	not purpose.consent_term_fits with input as long with data.datwat.catalogue as fixture.catalogue
	asked := fixture.asked({"act": "record_authority"})
	not purpose.authority_term_fits with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_the_resident_has_a_purpose_of_their_own if {
	portal := fixture.asked({"act": "wish", "purpose": null, "requester": {"function": "portal"}})
	purpose.known_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	purpose.valid_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	purpose.requester_in_purpose with input as portal with data.datwat.catalogue as fixture.catalogue
	late := object.union(portal, {"now": "2027-01-02T00:00:00Z"})
	not purpose.valid_purpose with input as late with data.datwat.catalogue as fixture.catalogue
}

followed := fixture.revised([
	object.union(fixture.help, {"until_at": fixture.question.now}),
	object.union(fixture.help, {"digest": "d3", "valid_from": fixture.question.now}),
])

# The revision that is followed may be named for two minutes more, the one that follows from its start.
test_a_revision_holds_until_the_next_one_is_known if {
	known := ["2026-03-02T08:59:59Z", "2026-03-02T09:00:00Z", "2026-03-02T09:01:59Z"]
	every now in known {
		purpose.valid_purpose with input as fixture.asked({"now": now}) with data.datwat.catalogue as followed
	}
	late := fixture.asked({"now": "2026-03-02T09:02:00Z"})
	not purpose.valid_purpose with input as late with data.datwat.catalogue as followed
	purpose.known_purpose with input as late with data.datwat.catalogue as followed
	next := fixture.asked({"purpose_digest": "d3"})
	purpose.valid_purpose with input as next with data.datwat.catalogue as followed
	early := object.union(next, {"now": "2026-03-02T08:59:59Z"})
	not purpose.valid_purpose with input as early with data.datwat.catalogue as followed
}

# No longer than its own end, followed or not; and not at all where nothing says when it is followed.
test_there_is_no_grace_after_an_own_end if {
	ended := {"valid_until": fixture.question.now, "until_at": fixture.question.now}
	not purpose.valid_purpose with input as fixture.question with data.datwat.catalogue as fixture.changed(ended)
	unclear := fixture.changed({"until_at": "soon"})
	not purpose.valid_purpose with input as fixture.question with data.datwat.catalogue as unclear
	graceless := object.remove(followed, {"grace_seconds"})
	not purpose.valid_purpose with input as fixture.question with data.datwat.catalogue as graceless
}

test_a_purpose_that_allows_enforcement if {
	free := fixture.changed({"not_for": []})
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
