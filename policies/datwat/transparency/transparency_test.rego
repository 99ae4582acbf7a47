package datwat.transparency_test

import rego.v1

import data.datwat.fixture_test as fixture
import data.datwat.transparency

proven := {"notice_lawful", "professional_named", "told", "told_beforehand", "motivated_transparency", "nothing_waits"}

opening(changes) := object.union(
	fixture.asked({"act": "open_occasion", "occasion": null}),
	{"opens": object.union({"kind": "help_request", "inform_by": null, "special_situation": null}, changes)},
)

declaring(changes) := opening({"special_situation": object.union(fixture.situation, changes)})

renewing(changes) := object.union(
	fixture.on_occasion({"special_situation": fixture.situation}),
	{"new_special_situation": object.union(fixture.situation, changes)},
)

test_every_code_is_proven if {
	every code in proven {
		transparency[code] == true with input as fixture.question with data.datwat.catalogue as fixture.catalogue
	}
}

test_an_empty_question_proves_nothing if {
	every code in (proven | {"inform_date_set", "situation_lawful"}) - {"notice_lawful"} {
		transparency[code] == false with input as {} with data.datwat.catalogue as fixture.catalogue
	}
}

unproven := [
	["notice_lawful", {"occasion": {"special_situation": object.union(fixture.situation, {"ground": "ease"})}}],
	["professional_named", {"professional": null}],
	["told", {"member": {"told_at": null}}],
	["told", {"member": {"told_at": "2026-03-05T00:00:00Z"}}],
	["told_beforehand", {"conversation": null}],
	["told_beforehand", {"conversation": {"at": "2026-03-05T00:00:00Z"}}],
	["told_beforehand", {"conversation": {"told_length": 0}}],
	["told_beforehand", {"conversation": {"reaction": "not_told"}}],
	["nothing_waits", {"occasion": null}],
	["nothing_waits", {"occasion": {"special_situation": fixture.situation}}],
	["motivated_transparency", {"ask": {"motivation_length": {"transparency": 4}}}],
]

test_each_fact_counts if {
	every pair in unproven {
		transparency[pair[0]] == false with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

untold := {"member": {"told_at": null}}

proven_otherwise := [
	["told", object.union(untold, {"told_at": "2026-03-01T00:00:00Z"})],
	["told", {"member": {"told_at": null, "age_band": "0-11"}}],
	["told", object.union(untold, {"occasion": {"kind": "crisis"}})],
	["told", object.union(untold, {"occasion": {"special_situation": fixture.situation}})],
	["told_beforehand", {"conversation": null, "occasion": {"special_situation": fixture.situation}}],
]

test_each_other_way_counts if {
	every pair in proven_otherwise {
		transparency[pair[0]] == true with input as fixture.asked(pair[1]) with data.datwat.catalogue as fixture.catalogue
	}
}

test_a_day_to_inform if {
	lawful := [
		opening({}),
		opening({"kind": "signal", "inform_by": "2026-03-12T09:00:00Z"}),
	]
	every asked in lawful {
		transparency.inform_date_set with input as asked with data.datwat.catalogue as fixture.catalogue
	}
	unlawful := [
		opening({"kind": "signal"}),
		opening({"kind": "signal", "inform_by": "2026-03-01T00:00:00Z"}),
		opening({"kind": "signal", "inform_by": "2026-03-13T00:00:00Z"}),
	]
	every asked in unlawful {
		not transparency.inform_date_set with input as asked with data.datwat.catalogue as fixture.catalogue
	}
}

test_a_special_situation_within_its_terms if {
	lawful := [opening({}), declaring({}), renewing({"until_at": "2026-03-07T09:00:00Z"})]
	every asked in lawful {
		transparency.situation_lawful with input as asked with data.datwat.catalogue as fixture.catalogue
	}
	unlawful := [
		fixture.question,
		object.union(opening({}), {"act": "declare_special_situation"}),
		declaring({"declared_at": "2026-03-03T00:00:00Z"}),
		declaring({"declared_at": "2026-02-25T00:00:00Z", "until_at": "2026-03-01T00:00:00Z"}),
		declaring({"opening": "automatic"}),
		declaring({"decider": "noor"}),
		declaring({"until_at": "2026-03-12T09:00:01Z"}),
		renewing({"until_at": "2026-03-07T09:00:01Z"}),
	]
	every asked in unlawful {
		not transparency.situation_lawful with input as asked with data.datwat.catalogue as fixture.catalogue
	}
}
