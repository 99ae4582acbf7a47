package datwat.subsidiarity_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.subsidiarity

proven := {
	"asked_rung_open", "some_rung_open", "talked_first",
	"pointer_shown", "contact_tried", "motivated_subsidiarity",
}

test_every_code_is_proven if {
	every code in proven {
		subsidiarity[code] == true with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_empty_question_proves_nothing if {
	every code in proven | {"nothing_taken"} {
		subsidiarity[code] == false with input as {} with data.datwat.catalogue as fixture.catalogue
	}
}

unproven := [
	["nothing_taken", {"ask": {"fields": []}}],
	["nothing_taken", {"ask": {"product": null}}],
	["asked_rung_open", {"occasion": {"kind": "signal"}}],
	["asked_rung_open", {"ask": {"rung": "all"}}],
	["some_rung_open", {"occasion": {"kind": "report"}}],
	["talked_first", {"conversation": null}],
	["talked_first", {"conversation": {"at": "2026-03-05T00:00:00Z"}}],
	["talked_first", {"conversation": {"alternatives_length": 0}}],
	["talked_first", {"conversation": {"reaction": "not_told"}}],
	["pointer_shown", {"ask": {"involvement": null}}],
	["pointer_shown", {"ask": {"involvement": {"source": "9:source"}}}],
	["pointer_shown", {"ask": {"involvement": {"shown_at": "2026-03-05T00:00:00Z"}}}],
	["pointer_shown", {"ask": {"involvement": {"expires_at": "2026-03-01T00:00:00Z"}}}],
	["pointer_shown", {"ask": {"involvement": {"ended_at": "2026-03-01T00:00:00Z"}}}],
	["contact_tried", {"contact_unanswered_since": null}],
	["motivated_subsidiarity", {"ask": {"motivation_length": {"subsidiarity": 4}}}],
]

test_each_fact_counts if {
	every pair in unproven {
		subsidiarity[pair[0]] == false with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_act_takes_nothing if {
	subsidiarity.nothing_taken with input as fixture.asked({"ask": {"product": null, "fields": []}})
}

test_talking_may_wait_in_a_special_situation if {
	asked := object.union(fixture.on_occasion({"special_situation": fixture.situation}), {"conversation": null})
	subsidiarity.talked_first with input as asked with data.datwat.catalogue as fixture.catalogue
}

test_parameters_name_the_rungs if {
	params := subsidiarity.params with input as fixture.on_occasion({"kind": "crisis"})
		with data.datwat.catalogue as fixture.catalogue
	params == {"asked_rung_open": {"asked": "wat", "open": "contact"}}
}
