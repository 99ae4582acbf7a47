"""An officer beside a running broker: their lists and what they do, through the real service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from broker.answers_wiring import build_answer_desk
from broker.exchange.answering_desk import AnswerDesk, Given
from broker.exchange.answering_lists import Listed, ListName
from datwat.protocol.acts import Authority, Consent, Professional
from tests.exchange.world import (
    Household,
    Running,
    act_part,
    by_handle,
    inquire,
    inquiry_part,
    now,
    say,
)

OFFICER = Professional(id="f.gans", role="privacyfunctionaris")
COLLEAGUE = Professional(id="p.smit", role="teamleider")
TEXT = "Wij hebben ernaar gekeken en het klopt."


def build_desk(running: Running, later: timedelta = timedelta(0)) -> AnswerDesk:
    """Return the service now, or as it will be in some time."""
    broker = running.broker
    clock = broker.rooms.clock
    rooms = replace(broker.rooms, clock=lambda: clock() + later)
    return build_answer_desk(broker, rooms)


def find_new(running: Running, name: ListName, before: set[str]) -> Listed:
    """Return the one item of a list that was not there before."""
    found = build_desk(running).lists.list_waiting(name)
    (one,) = [item for item in found if item.number not in before]
    return one


def list_numbers(running: Running, name: ListName, later: timedelta = timedelta(0)) -> set[str]:
    return {one.number for one in build_desk(running, later).lists.list_waiting(name)}


async def give(
    running: Running,
    name: ListName,
    number: str,
    outcome: str,
    **changes: Any,  # noqa: ANN401 - members
) -> Mapping[str, str]:
    given = Given(by=OFFICER, outcome=outcome, **{"text": TEXT, **changes})
    return await build_desk(running).answer(name, number, given)


async def record(running: Running, act: str, home: Household, bsn: str, **members: Any) -> int:  # noqa: ANN401
    """Let the social team write something down about a member of a household."""
    answer = await running.ask(
        "social-team", act, [by_handle(home.handles[bsn], **members)], say(occasion=home.occasion)
    )
    assert act_part(answer).state == "recorded", act_part(answer).weighing
    index = answer.persons[0].index
    assert index is not None
    return index


def build_disagreement(**changes: Any) -> Authority:  # noqa: ANN401 - members
    members = {
        "kind": "disagreement",
        "scope": "Gezag",
        "source": "document",
        "checked_at": now(),
        "until_at": now() + timedelta(days=90),
    }
    return Authority.model_validate({**members, **changes})


def build_consent(**changes: Any) -> Consent:  # noqa: ANN401 - members
    members = {
        "kind": "no_objection",
        "purpose": "coordinate_family_help",
        "given_by": "both",
        "written": True,
        "given_at": now(),
        "until_at": now() + timedelta(days=90),
    }
    return Consent.model_validate({**members, **changes})


async def count_pointers(running: Running, home: Household, bsn: str) -> int:
    return len(inquiry_part(await inquire(running, home, bsn)).pointers)
