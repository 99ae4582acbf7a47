"""What is written of a question without its models, reads as those models, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from broker.adapters.tables import SPENT
from broker.audit.payloads import Record, build_payload, parse_payload
from datwat.party.spent import RidReusedError, SpentRequests
from datwat.protocol.canonical import decode_canonical
from datwat.protocol.entry import Content
from datwat.protocol.messages import Core
from datwat.protocol.values import encode_bytes
from tests.exchange.world import (
    MOTIVATION,
    Running,
    bsns,
    by_bsn,
    by_handle,
    draw,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    registers,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()


def read_contents(running: Running) -> Iterator[Content]:
    """Yield what lies sealed in every entry of the log."""
    store = running.broker.store
    with store.reading() as conn:
        query = "SELECT DISTINCT subject_id FROM log_entries WHERE subject_id IS NOT NULL"
        for subject_id in conn.execute(text(query)).scalars().all():
            rows = store.fetch_entries_of(conn, subject_id, ["open", "own"], limit=200, before=None)
            for content in running.broker.sealing.open_contents(conn, subject_id, rows):
                assert content is not None
                yield content


async def do_everything(running: Running) -> None:
    bsn, nobody = next(NUMBERS), next(NUMBERS)
    await register(running, "debt-counselling", bsn, "debt_counselling")
    await register(running, "youth-help", nobody, "no_such_kind")
    home = await open_household(running, bsn, nobody)
    pointer = inquiry_part(await inquire(running, home, bsn, nobody)).pointers[0]
    await running.ask(
        "social-team",
        "release",
        [by_handle(home.handles[bsn], involvement=draw())],
        say(occasion=home.occasion, motivation=MOTIVATION, internal_reason="Intern."),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status", "totaal_schuld"],
        reply_key=encode_bytes(draw(32)),
    )
    assert pointer.source is not None


async def test_both_halves_are_spelled_as_their_models_spell_them(broker: Running) -> None:
    await do_everything(broker)
    events = set()
    told: list[Record] = []
    for content in read_contents(broker):
        record = parse_payload(content.payload)
        assert build_payload(record) == content.payload
        core = decode_canonical(content.core)
        spelled = Core.model_validate_json(content.core).model_dump(mode="json", exclude_none=True)
        assert spelled == core  # a core that states no term has no member for it
        events.add(record.event)
        told.append(record)
    assert events == {"register", "open_occasion", "inquire", "release"}
    # Everything that could be left out by mistake is there at least once.
    said = [record.said for record in told if record.said]
    asked = [record.asked for record in told if record.asked]
    assert any(record.pointers for record in told)
    assert any(record.detail for record in told)
    assert any(one.withheld for one in said)
    assert any(one.obligations for one in said)
    assert any(finding.params for one in said for finding in one.findings)
    assert any(one.motivation and one.source and one.fields for one in asked)


async def test_a_recorded_answer_comes_back_as_it_was(broker: Running) -> None:
    sent = broker.world.build(
        "debt-counselling",
        "register",
        [
            by_bsn(next(NUMBERS), registers=registers("debt_counselling"), identity="document")
            for _ in range(2)
        ],
        say(),
    )
    first, again = await broker.send(sent), await broker.send(sent)
    one, two = broker.verify(first, sent), broker.verify(again, sent)
    assert [person.part for person in one.persons] == [person.part for person in two.persons]


async def test_the_form_of_an_earlier_version_is_refused(broker: Running) -> None:
    sent = broker.world.build(
        "debt-counselling",
        "register",
        [by_bsn(next(NUMBERS), registers=registers("debt_counselling"), identity="document")],
        say(),
    )
    iss = broker.world.members["debt-counselling"].id
    row_key = broker.broker.secrets.row_key
    blob = row_key.seal(b"spent", b'{"kind":"answer"}', iss.encode() + sent.rid)
    with broker.broker.database.begin() as conn:
        SpentRequests(SPENT).spend(conn, iss, sent.rid, sent.request_hash, answer=blob, now=now())
    with pytest.raises(RidReusedError):
        await broker.send(sent)
