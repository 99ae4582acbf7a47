"""Each part of key holder, connector, portal and witness: how it is, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import connectors.watching
import keyholder.watching
import witness.watching
from datwat.party.metric_rows import PARTS
from datwat.party.parts import Part, describe_parts, read_parts
from datwat.protocol.trust import TrustList
from tests.party.covenant import TestCovenant as Keys
from tests.party.covenant import now

NOW = now()
MOMENT = timedelta(milliseconds=2)
SCHOOL = "00000099000000010000:school"


def build_trust(days: float = 40) -> TrustList:
    return Keys().build(valid_until=NOW + timedelta(days=days))


KEY_HOLDER = keyholder.watching.Found(
    now=NOW,
    trust=build_trust(),
    took=MOMENT,
    partners=frozenset({SCHOOL}),
    opened=frozenset({SCHOOL}),
    used={(SCHOOL, "inquire"): 0.2},
)
CONNECTOR = connectors.watching.Found(
    now=NOW,
    trust=build_trust(),
    seq=7,
    revision="ab" * 32,
    took=MOMENT,
    log_size=1_000,
    housekeeping_at=NOW,
)
WITNESS = witness.watching.Found(
    now=NOW, trust=build_trust(), took=MOMENT, size=1_000, vouched_at=NOW
)
Derive = Callable[[Any], tuple[Part, ...]]
FINE: dict[str, tuple[Any, Derive]] = {
    "key holder": (KEY_HOLDER, keyholder.watching.derive_parts),
    "connector": (CONNECTOR, connectors.watching.derive_parts),
    "portal": (CONNECTOR, connectors.watching.derive_portal_parts),
    "witness": (WITNESS, witness.watching.derive_parts),
}


@pytest.mark.parametrize("party", FINE)
def test_every_part_is_fine_and_asks_nothing(party: str) -> None:
    found, derive = FINE[party]
    parts = derive(found)
    assert len({one.part for one in parts}) == len(parts)
    assert {one.part for one in parts} <= set(PARTS)
    for one in describe_parts(parts):
        assert (one["state"], one["word"], one["what_to_do"]) == ("ok", "Works", ""), one
        assert one["what"]
    assert {one.value for one in read_parts((p.part, p.state) for p in parts)} == {0}


@pytest.mark.parametrize(
    ("party", "part", "state", "code", "change"),
    [
        ("key holder", "trust_list", "attention", "list_ends", {"trust": build_trust(2)}),
        ("key holder", "trust_list", "failed", "list_ended", {"trust": build_trust(-1)}),
        ("key holder", "database", "failed", "database_away", {"took": None}),
        ("key holder", "partners", "attention", "partners_none_open", {"opened": frozenset()}),
        (
            "key holder",
            "quotas",
            "attention",
            "quotas_nearly_used",
            {"used": {(SCHOOL, "register"): 0.95}},
        ),
        ("connector", "policy", "failed", "policy_missing", {"seq": None, "revision": None}),
        ("portal", "policy", "failed", "policy_missing", {"seq": None, "revision": None}),
        ("portal", "trust_list", "failed", "list_ended", {"trust": build_trust(-1)}),
        ("connector", "gateway", "failed", "gateway_alarm", {"alarm": "log_forked"}),
        ("connector", "gateway", "attention", "gateway_uncovered", {"uncovered_since": NOW}),
        (
            "connector",
            "database",
            "attention",
            "database_slow",
            {"took": timedelta(seconds=1)},
        ),
        (
            "connector",
            "housekeeping",
            "attention",
            "housekeeping_failed",
            {"is_housekeeping_failing": True},
        ),
        ("connector", "housekeeping", "attention", "housekeeping_quiet", {"housekeeping_at": None}),
        (
            "connector",
            "housekeeping",
            "attention",
            "housekeeping_quiet",
            {"housekeeping_at": NOW - timedelta(hours=1)},
        ),
        ("witness", "alarms", "failed", "alarms_stand", {"alarms": ("one",)}),
        ("witness", "vouching", "attention", "vouching_never", {"vouched_at": None}),
        (
            "witness",
            "vouching",
            "attention",
            "vouching_quiet",
            {"vouched_at": NOW - timedelta(minutes=6)},
        ),
        ("witness", "database", "failed", "database_away", {"took": None}),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    party: str, part: str, state: str, code: str, change: dict[str, Any]
) -> None:
    fine, derive = FINE[party]
    parts = derive(replace(fine, **change))
    found = next(one for one in parts if one.part == part)
    assert (found.state, found.code) == (state, code)
    assert found.what_to_do
    (number,) = read_parts([(found.part, found.state)])
    assert number.value == {"attention": 1, "failed": 2}[state]
    # With the database away nothing is said of what lies in it.
    assert {one.state for one in parts if one is not found} == {"ok"}
