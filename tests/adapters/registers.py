"""Values and fixtures that the tests of the registers share; test people only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine

from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING
from broker.adapters.stores import build_registers
from broker.consent.duties import Duty
from broker.consent.models import (
    BlockRow,
    ConsentRow,
    ErasureRow,
    ObjectionRow,
    QuestionRow,
    Reply,
    Shield,
)
from broker.exchange.registers import Registers
from broker.involvement.contacts import ContactRequest, derive_contact_ends
from broker.involvement.involvements import Involvement
from broker.involvement.notices import Notice, derive_notice_end
from broker.involvement.occasions import Member, Occasion, derive_occasion_end
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import (
    Consent,
    Contact,
    Conversation,
    Handler,
    Objection,
    Professional,
    SpecialSituation,
)
from datwat.protocol.deliveries import EndedNotice

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
ROW_KEY = bytes(range(32))
TEAM = "00000099000000001000:social-team"
SCHOOL = "00000099000000002000:school"
YOUTH = "00000099000000003000:youth-help"
CONTACT = Contact(role="Aanspreekpunt jeugd", name="Wilhelmina Bakboord", phone="0881234567")
STAFF = "medewerker-zilvermeeuw"
COORDINATOR = Handler(professional=STAFF, role="coordinator", from_at=NOW - 30 * DAY, until_at=None)
DECIDER = Professional(id="officer-kanoet", role="gedragsdeskundige")
SPECIAL = SpecialSituation(
    ground="safety",
    decider=DECIDER,
    until_at=NOW + 28 * DAY,
    opening="by_person",
    reason="Vermoeden van stuurboordgeweld",
)
TOLD = Conversation(
    at=NOW, told="Verteld over scheepsgeheim", reaction="agrees", alternatives="Later bellen"
)
Result = TypeVar("Result")


@pytest.fixture
def registers() -> Registers:
    return build_registers(ROW_KEY)


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    with (
        engine.connect().execution_options(**{BEGIN_OPTION: BEGIN_WRITING}) as connection,
        connection.begin(),
    ):
        yield connection


def at_once(count: int, task: Callable[[threading.Barrier], Result]) -> list[Result]:
    """Run a task in `count` threads that wait for each other at the barrier each is given."""
    barrier = threading.Barrier(count, timeout=30)
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(task, barrier) for _ in range(count)]
        return [future.result(timeout=60) for future in futures]


def build_involvement(**changes: object) -> Involvement:
    involvement = Involvement(
        id=draw_id(),
        subject_id=draw_id(),
        source=YOUTH,
        function="youth-help",
        kind="youth_help",
        domain="youth",
        contact=CONTACT,
        since_at=NOW - 60 * DAY,
        registered_at=NOW,
        reconfirmed_at=NOW,
        expires_at=NOW + 365 * DAY,
    )
    return replace(involvement, **changes)  # type: ignore[arg-type]


def build_notice(**changes: object) -> Notice:
    content = EndedNotice(kind="involvement", reference=draw_id(), reason="ended", ended_at=NOW)
    notice = Notice(draw_id(), SCHOOL, "ended", content, derive_notice_end(NOW))
    return replace(notice, **changes)  # type: ignore[arg-type]


def build_occasion(**changes: object) -> Occasion:
    occasion = Occasion(
        id=draw_id(),
        holder=TEAM,
        kind="help_request",
        team="Wijkteam Waterlinie",
        opened_at=NOW,
        until_at=derive_occasion_end(NOW, None),
        confidential=False,
        handlers=(COORDINATOR,),
    )
    return replace(occasion, **changes)  # type: ignore[arg-type]


def build_member(occasion: Occasion, **changes: object) -> Member:
    member = Member(
        occasion_id=occasion.id,
        subject_id=draw_id(),
        role="parent",
        source="told",
        named_at=occasion.opened_at,
        told_at=NOW - DAY,
        may_look_up=True,
        identity="document",
        age_band="18+",
        conversation=TOLD,
    )
    return replace(member, **changes)  # type: ignore[arg-type]


def build_contact_request(**changes: object) -> ContactRequest:
    due_at, until_at = derive_contact_ends(NOW)
    request = ContactRequest(
        id=draw_id(),
        requester=SCHOOL,
        source=TEAM,
        subject_id=draw_id(),
        relayed=True,
        asked_at=NOW,
        due_at=due_at,
        until_at=until_at,
        call_back=Contact(role="Mentor", name="Geertruida Loefzijde", phone="0201234567"),
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def build_consent(**changes: object) -> ConsentRow:
    stated = Consent(
        kind="explicit",
        purpose="school_attendance",
        product="youth_help",
        fields=("status",),
        source=YOUTH,
        requester=SCHOOL,
        given_by="self",
        written=True,
        given_at=NOW - DAY,
        until_at=NOW + 90 * DAY,
    )
    row = ConsentRow.build(stated, row_id=draw_id(), subject_id=draw_id(), recorded_by=TEAM)
    return row.model_copy(update=changes)


def build_block(**changes: object) -> BlockRow:
    row = BlockRow(
        id=draw_id(),
        subject_id=draw_id(),
        organisation=TEAM,
        recorded_by=SCHOOL,
        since_at=NOW,
        until_at=NOW + 365 * DAY,
    )
    return row.model_copy(update=changes)


def build_question(**changes: object) -> QuestionRow:
    row = QuestionRow(
        id=draw_id(),
        subject_id=draw_id(),
        to=TEAM,
        text="Waarom stuurboord?",
        about=3,
        recorded_by=SCHOOL,
        asked_at=NOW,
        until_at=NOW + 365 * DAY,
    )
    return row.model_copy(update=changes)


def build_erasure(**changes: object) -> ErasureRow:
    row = ErasureRow(
        id=draw_id(),
        subject_id=draw_id(),
        erases=3,
        asked_at=NOW,
        until_at=NOW + 365 * DAY,
    )
    return row.model_copy(update=changes)


def build_duty(**changes: Any) -> Duty:  # noqa: ANN401 - members of the duty
    duty = Duty(
        id=draw_id(),
        kind="tell",
        subject_id=draw_id(),
        partner=TEAM,
        since_at=NOW,
        due_at=NOW + 5 * DAY,
        until_at=NOW + 365 * DAY,
        rid=draw_id(),
        act="open_occasion",
        occasion_id=draw_id(),
    )
    return replace(duty, **changes)


def build_shield(until_at: datetime = NOW + DAY, **changes: object) -> Shield:
    return Shield(own_at=NOW, open_at=None, until_at=until_at).model_copy(update=changes)


REPLY = Reply(
    by=Professional(id="kanoet", role="Functionaris bakboord"),
    text="Dat hoort bij de Waterlinie.",
    remedy="court",
)


def build_objection(**changes: object) -> ObjectionRow:
    stated = Objection(purpose="family_help", reason="Liever niet via bakboord", made_at=NOW)
    row = ObjectionRow.build(
        stated,
        row_id=draw_id(),
        subject_id=draw_id(),
        recorded_by=TEAM,
        until_at=NOW + 365 * DAY,
    )
    return row.model_copy(update=changes)
