"""Each part of the system: how it is, since when, what to do; and nothing of anybody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from broker.pages.part_words import PART_NAMES, SENTENCES, build_view, describe_part
from broker.status import Asked, Ending, Facts, Part, Refused, Since, derive_parts
from datwat.web.dates import say_date
from tests.authoring.world import OFFICER
from tests.broker_pages.world import PagesWorld, Visitor, words_of

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FINE = Facts(
    now=NOW,
    policy_seq=7,
    policy_revision="ab" * 32,
    policy_since=NOW - timedelta(days=3),
    policy_refused=None,
    is_engine_ready=True,
    is_key_holder_there=True,
    database_took=timedelta(milliseconds=2),
    log_size=1_234,
    tag_root_failure=None,
    witnesses=(Asked("w1"), Asked("w2")),
    witness_threshold=1,
    cosigned_at=NOW,
    housekeeping_at=NOW,
    housekeeping_failed=(),
    partners=(Asked("School"), Asked("Wijkteam")),
    list_seq=3,
    list_ends_at=NOW + timedelta(days=40),
    endings=(Ending("School", NOW + timedelta(days=400)),),
    is_kek_overdue=False,
    processing_waiting=0,
)
EARLIER = NOW - timedelta(hours=2)


def find(facts: Facts, name: str) -> Part:
    return next(part for part in derive_parts(facts) if part.part == name)


def test_every_part_is_there_and_fine() -> None:
    parts = derive_parts(FINE)
    assert {part.part for part in parts} == set(PART_NAMES)
    assert {part.state for part in parts} == {"ok"}


@pytest.mark.parametrize(
    ("name", "state", "code", "change"),
    [
        ("policy", "attention", "policy_refused", {"policy_refused": Refused(8, "x", EARLIER)}),
        ("policy_engine", "failed", "engine_not_ready", {"is_engine_ready": False}),
        ("key_holder", "failed", "key_holder_away", {"is_key_holder_there": False}),
        ("database", "failed", "database_away", {"database_took": None}),
        ("database", "attention", "database_slow", {"database_took": timedelta(seconds=1)}),
        ("database", "attention", "database_clock", {"clock_off": timedelta(seconds=-20)}),
        ("log", "failed", "log_tag_root", {"tag_root_failure": "log_gap"}),
        ("log", "attention", "log_waits", {"log_waiting": 1_000}),
        ("witnesses", "off", "witnesses_none", {"witnesses": ()}),
        ("witnesses", "attention", "witnesses_old", {"cosigned_at": EARLIER}),
        ("housekeeping", "attention", "housekeeping_behind", {"contents_to_end": 50_000}),
        ("housekeeping", "off", "housekeeping_elsewhere", {"keeps_house": False}),
        ("processes", "failed", "processes_behind", {"is_current": False}),
        ("answers", "attention", "answers_overdue", {"answers_overdue": 1}),
        (
            "witnesses",
            "attention",
            "witnesses_failing",
            {"witnesses": (Asked("w1"), Asked("w2", is_failing=True, since_at=EARLIER))},
        ),
        (
            "witnesses",
            "failed",
            "witnesses_too_few",
            {"witnesses": (Asked("w1", is_failing=True),), "witness_threshold": 1},
        ),
        ("housekeeping", "attention", "housekeeping_failed", {"housekeeping_failed": ("purge",)}),
        ("housekeeping", "attention", "housekeeping_quiet", {"housekeeping_at": EARLIER}),
        ("housekeeping", "attention", "housekeeping_quiet", {"housekeeping_at": None}),
        (
            "partners",
            "attention",
            "partners_failing",
            {"partners": (Asked("School", is_failing=True, since_at=EARLIER),)},
        ),
        ("trust_list", "attention", "list_ends", {"list_ends_at": NOW + timedelta(days=2)}),
        ("trust_list", "failed", "list_ended", {"list_ends_at": EARLIER}),
        ("keys", "failed", "kek_overdue", {"is_kek_overdue": True}),
        (
            "keys",
            "attention",
            "keys_end",
            {"endings": (Ending("School", NOW + timedelta(days=9)),)},
        ),
        ("processing_log", "off", "processing_off", {"processing_waiting": None}),
        ("processing_log", "failed", "processing_overdue", {"is_processing_overdue": True}),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    name: str, state: str, code: str, change: dict[str, Any]
) -> None:
    facts = replace(FINE, **change)
    part = find(facts, name)
    assert (part.state, part.code) == (state, code)
    others = [one for one in derive_parts(facts) if one.part != name]
    assert {one.state for one in others} == {"ok"}
    shown = describe_part(part)
    assert "%(" not in shown["what"]
    assert shown["icon"]
    assert shown["word"]
    if state in ("attention", "failed"):
        assert shown["what_to_do"]


def test_every_sentence_belongs_to_a_part_that_can_be_so() -> None:
    assert len(SENTENCES) == len(set(SENTENCES))
    for part in derive_parts(FINE):
        assert build_view(part, lambda text, **values: text % values if values else text).sentence


def test_since_when_is_when_it_became_so() -> None:
    since = Since()
    away = replace(FINE, is_key_holder_there=False)
    later, latest = NOW + timedelta(minutes=5), NOW + timedelta(minutes=9)

    def at(facts: Facts, moment: datetime) -> datetime | None:
        parts = since.note(derive_parts(facts), moment)
        return next(part.since_at for part in parts if part.part == "key_holder")

    assert at(FINE, NOW) == NOW
    assert at(FINE, later) == NOW
    assert at(away, later) == later
    assert at(away, latest) == later
    assert at(FINE, latest) == latest
    refused = replace(FINE, policy_refused=Refused(8, "x", EARLIER))
    assert next(iter(since.note(derive_parts(refused), latest))).since_at == EARLIER


@pytest.mark.asyncio(loop_scope="module")
async def test_page_and_command_say_the_same_of_the_running_broker(
    pages: PagesWorld, visitor: Visitor
) -> None:
    await pages.watch.look()
    told = {one["part"]: one for one in pages.watch.build_status()["parts"]}
    assert set(told) == set(PART_NAMES)
    assert told["key_holder"]["state"] == "failed"  # there is none in this world
    assert told["policy_engine"]["state"] == "ok"
    assert told["database"]["state"] == "ok"
    await visitor.log_in(OFFICER)
    page = words_of(await visitor.client.get("/system?lang=en"))
    for one in told.values():
        assert _DAY.sub(lambda day: say_date(date.fromisoformat(day[0]), "en"), one["what"]) in page
        assert one["what_to_do"] in page, one
