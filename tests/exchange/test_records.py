"""What a partner may write down of a resident, on which occasion, for how long, and who decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.exchange.members import MemberMissingError
from datwat.party.problems import InputInvalidError
from datwat.protocol.acts import (
    Authority,
    Consent,
    Objection,
    Professional,
    SpecialSituation,
    Statement,
)
from datwat.protocol.answers import ActPart
from tests.exchange.world import (
    WORKER,
    Running,
    act_part,
    bsns,
    by_handle,
    draw,
    member,
    now,
    open_household,
    opens,
    register,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
NO_OCCASION = {"occasion_own", "occasion_open", "handler_current", "person_in_household"}


def build_consent(until_at: datetime) -> Consent:
    return Consent(
        kind="no_objection",
        purpose="coordinate_family_help",
        product="inkomenssituatie",
        given_by="self",
        written=True,
        given_at=now(),
        until_at=until_at,
    )


def build_authority(until_at: datetime) -> Authority:
    return Authority(
        kind="disagreement", scope="Gezag", source="stated", checked_at=now(), until_at=until_at
    )


def build_record(act: str, until_at: datetime) -> dict[str, Any]:
    if act == "record_consent":
        return {"consent": build_consent(until_at)}
    return {"authority": build_authority(until_at)}


def unmet(part: ActPart) -> set[str]:
    return {one.code for one in part.weighing.findings if not one.satisfied}


@pytest.mark.parametrize("act", ["record_consent", "record_authority"])
async def test_without_an_occasion_only_an_objection_is_recorded(broker: Running, act: str) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert part.handle is not None
    record = by_handle(part.handle, **build_record(act, now() + timedelta(days=90)))
    with pytest.raises(MemberMissingError) as caught:
        await broker.ask("debt-counselling", act, [record], say())
    assert caught.value.place == "statement.occasion"
    # An occasion that is not there is no occasion either.
    answer = await broker.ask("debt-counselling", act, [record], say(occasion=draw()))
    assert (act_part(answer).state, unmet(act_part(answer))) == ("refused", NO_OCCASION)
    objection = by_handle(part.handle, objection=Objection(made_at=now()))
    answer = await broker.ask("debt-counselling", "record_objection", [objection], say())
    assert act_part(answer).state == "recorded"


@pytest.mark.parametrize("act", ["record_consent", "record_authority"])
async def test_who_does_not_work_on_the_occasion_records_nothing(broker: Running, act: str) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    record = by_handle(home.handles[bsn], **build_record(act, now() + timedelta(days=90)))
    stranger = Statement(
        professional=Professional(id="somebody.else", role="medewerker"), occasion=home.occasion
    )
    part = act_part(await broker.ask("social-team", act, [record], stranger))
    assert (part.state, unmet(part)) == ("refused", {"handler_current"})


@pytest.mark.parametrize(
    ("act", "code"),
    [("record_consent", "consent_term_fits"), ("record_authority", "authority_term_fits")],
)
async def test_nothing_that_is_recorded_holds_for_ever(
    broker: Running, act: str, code: str
) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    for until_at in (FOR_EVER, now() + timedelta(days=367)):
        record = by_handle(home.handles[bsn], **build_record(act, until_at))
        part = act_part(await broker.ask("social-team", act, [record], say(occasion=home.occasion)))
        assert (part.state, unmet(part)) == ("refused", {code})
    record = by_handle(home.handles[bsn], **build_record(act, now() + timedelta(days=365)))
    part = act_part(await broker.ask("social-team", act, [record], say(occasion=home.occasion)))
    assert (part.state, unmet(part)) == ("recorded", set())


def build_situation(decider: Professional) -> SpecialSituation:
    return SpecialSituation(
        ground="child_safety",
        decider=decider,
        until_at=now() + timedelta(days=20),
        opening="by_person",
        reason="Gevaar.",
    )


@pytest.mark.parametrize("spelling", ["J.Jansen", "j.jansen ", "j.jansen\u200b"])
async def test_who_asks_does_not_decide_under_another_spelling(
    broker: Running, spelling: str
) -> None:
    """Another spelling of one's own id is no id; one's own id is not somebody else's."""
    assert spelling.strip().strip("\u200b").lower() == WORKER.id
    decider = Professional.model_construct(id=spelling, role="teamleider")
    situation = build_situation(WORKER).model_copy(update={"decider": decider})
    stated = opens().model_copy(update={"special_situation": situation})
    persons = [member(next(NUMBERS))]
    with pytest.raises(InputInvalidError):
        await broker.ask(
            "social-team", "open_occasion", persons, say().model_copy(update={"opens": stated})
        )
    own = say(opens=opens(special_situation=build_situation(WORKER)))
    part = act_part(await broker.ask("social-team", "open_occasion", persons, own))
    assert (part.state, unmet(part)) == ("refused", {"situation_lawful"})
