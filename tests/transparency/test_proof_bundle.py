"""The completeness bundle of a real broker: with witnesses, what waits, and who looks."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.app import build_commands
from broker.audit.payloads import Organisation, Record, build_payload, parse_payload
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job
from broker.exchange.admission import read_question
from broker.transparency.proof_bundle import QuarterError, list_quarters
from connectors.client.outgoing import Sent
from connectors.portal.errors import OwnLogError
from connectors.portal.own_proof import Asked, verify_own_proof
from datwat.party.http_in import read_message
from datwat.protocol.access_log import AccessLogProof
from datwat.protocol.acts import ProofRequest
from datwat.protocol.checkpoint import build_cosignature
from datwat.protocol.completeness import CompletenessBundle, RollEntry
from datwat.protocol.completeness_checks import LogTrust, Verdict, check_parsed
from datwat.protocol.completeness_delayed import DelayedCounts
from datwat.protocol.completeness_errors import CompletenessError
from datwat.protocol.entry import derive_quarter
from datwat.protocol.errors import DatwatError
from datwat.protocol.log_cores import find_term
from datwat.protocol.messages import ActObject
from datwat.protocol.notes import COSIGNATURE_TYPE, VerifierKey, parse_note
from datwat.protocol.trust import Witness
from datwat.protocol.values import decode_bytes
from tests.exchange.test_openings import BOSS, open_waiting
from tests.exchange.world import (
    BROKER,
    ON_EACH_DATABASE,
    Running,
    World,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    draw,
    inquire,
    now,
    open_household,
    open_world,
    register,
)
from tests.transparency.test_access_log import events, log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
ENTRIES = table_of(LogEntry)
LONGER = "Het gevaar is er nog."
WITNESSES = {
    name: Ed25519PrivateKey.generate() for name in ("one.example", "two.example", "three.example")
}
ViewName = Literal["self", "representative"]


def build_witness(name: str) -> Witness:
    public = WITNESSES[name].public_key().public_bytes_raw()
    vkey = VerifierKey(name=name, type=COSIGNATURE_TYPE, public_key=public).text
    return Witness(name=name, vkey=vkey)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        world = World(
            tmp_path_factory.mktemp("world"),
            database_url=database,
            witnesses=tuple(map(build_witness, WITNESSES)),
            witness_threshold=2,
        )
        yield await open_world(world, stack)


def cosign(running: Running, *names: str, at: datetime | None = None) -> None:
    """Let witnesses vouch for the newest signed head, as if they were asked now."""
    publication = running.broker.publishing.publication
    head = running.broker.rooms.proofs.read_head()
    text = parse_note(head.note.encode()).text
    stamp = int((at or now()).timestamp())
    lines = [
        build_cosignature(text, name, WITNESSES[name], stamp)
        for name in names or ("one.example", "two.example")
    ]
    publication.offer(head, lines)


async def publish(running: Running) -> None:
    """What the broker's rounds do: a root over all tags, and a checkpoint that is cosigned."""
    await running.broker.publishing.tag_roots.state()
    cosign(running)


@dataclass
class Reader:
    """Somebody at the portal, who asks for bundles over everything but HTTP."""

    running: Running
    handle: bytes
    view: ViewName = "self"

    async def ask(self, *quarters: str) -> tuple[Sent, bytes]:
        running = self.running
        person = by_handle(self.handle, proof=ProofRequest(quarters=quarters))
        sent = running.world.build("portal", "access_log_proof", [person])
        moment = running.broker.rooms.clock()
        directory = running.broker.keeper.directory
        admitted = read_message(sent.wire, directory, ActObject, aud=BROKER, now=moment)
        question = read_question(admitted, moment)
        view = await running.api.portal.open_view(question, lambda: None)
        bundle = await running.api.proof_bundles.fetch(
            view.subject_id,
            "representative" if view.is_represented else "self",
            view.quarters,
            question.now,
        )
        answer = AccessLogProof.model_construct(v=1, rid=sent.rid, bundle=bundle)
        return sent, answer.model_dump_json().encode()

    async def fetch(self, *quarters: str) -> tuple[CompletenessBundle, Verdict]:
        """Return a bundle that the portal checked."""
        sent, raw = await self.ask(*quarters)
        return verify_own_proof(
            raw, sent.rid, Asked(self.view, quarters), trust_of(self.running), now()
        )


def trust_of(running: Running) -> LogTrust:
    return LogTrust.from_list(running.broker.keeper.directory.trust)


async def read_as(running: Running, bsn: str) -> Reader:
    (resident,) = await log_in(running, bsn)
    return Reader(running, resident.handle)


async def represent(running: Running, parent: str, child: str) -> Reader:
    persons = [by_bsn(bsn, identity="document") for bsn in (parent, child)]
    handle = act_part(await running.ask("portal", "open_session", persons), 1).handle
    assert handle is not None
    return Reader(running, handle, "representative")


def count(verdict: Verdict) -> dict[str, int]:
    return {roll.audience: roll.entries for roll in verdict.rolls}


def list_told(bundle: CompletenessBundle) -> list[str]:
    entries = [entry for roll in bundle.rolls for entry in roll.entries]
    return [parse_payload(entry.payload).event for entry in entries if entry.payload is not None]


async def test_all_that_a_resident_sees_is_proved_in_tree_and_tail(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    await broker.broker.publishing.tag_roots.state()
    await inquire(broker, home, bsn)  # between the root's size and the checkpoint
    cosign(broker)
    reader = await read_as(broker, bsn)
    bundle, verdict = await reader.fetch()
    assert (verdict.status, count(verdict)) == ("proved", {"open": 3, "own": 0})
    assert bundle.tag_root is not None
    indexes = [entry.index for roll in bundle.rolls for entry in roll.entries]
    assert sum(index < bundle.tag_root.size for index in indexes) == 2
    await broker.broker.publishing.tag_roots.state()  # not cosigned yet: the older root goes on
    again, verdict = await reader.fetch()
    assert (again.tag_root, verdict.status) == (bundle.tag_root, "proved")
    cosign(broker)
    newer, verdict = await reader.fetch()
    assert newer.tag_root is not None
    assert newer.tag_root.size > bundle.tag_root.size
    assert (verdict.status, count(verdict)) == ("proved", {"open": 3, "own": 0})


async def test_it_says_how_far_cosignatures_reach(broker: Running) -> None:
    for witness in ("one.example", "two.example"):
        cosign(broker, witness)
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    await broker.broker.publishing.tag_roots.state()
    reader = await read_as(broker, bsn)
    cosign(broker, "one.example")
    _, verdict = await reader.fetch()  # one witness is not enough: an older checkpoint is shown
    assert count(verdict)["open"] == 0
    at = now() - timedelta(minutes=20)
    cosign(broker, "three.example", at=at)
    _, verdict = await reader.fetch()
    assert (verdict.status, verdict.until) == ("proved_until", at)
    assert count(verdict)["open"] == 1
    cosign(broker, "two.example")
    assert (await reader.fetch())[1].status == "proved"


async def test_a_representatives_bundle_has_the_open_chain_only(broker: Running) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    await open_household(broker, child)
    await open_household(broker, child, confidential=True)
    await publish(broker)
    reader = await represent(broker, parent, child)
    bundle, verdict = await reader.fetch()
    assert count(verdict) == {"open": 1}
    own, verdict = await (await read_as(broker, child)).fetch()
    assert count(verdict) == {"open": 1, "own": 1}
    keys = {roll.tag_key for roll in own.rolls if roll.audience == "own"}
    assert not keys & {roll.tag_key for roll in bundle.rolls}


async def test_the_portal_passes_on_no_bundle_for_other_eyes_or_quarters(broker: Running) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    await open_household(broker, child)
    await publish(broker)
    sent, raw = await (await represent(broker, parent, child)).ask()
    trust = trust_of(broker)
    for asked in (Asked("self", ()), Asked("representative", ("2025Q1",))):
        with pytest.raises(OwnLogError):
            verify_own_proof(raw, sent.rid, asked, trust, now())
    with pytest.raises(OwnLogError):
        verify_own_proof(raw, draw(), Asked("representative", ()), trust, now())
    document = json.loads(raw)
    document["bundle"]["rolls"][0]["entries"] = []
    with pytest.raises(CompletenessError):
        verify_own_proof(
            json.dumps(document).encode(), sent.rid, Asked("representative", ()), trust, now()
        )


async def test_quarters_are_those_that_were_chosen(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    await publish(broker)
    reader = await read_as(broker, bsn)
    this = derive_quarter(now())
    bundle, verdict = await reader.fetch("2025Q1", this)
    assert bundle.quarters == ("2025Q1", this)
    assert [roll.entries for roll in verdict.rolls] == [0, 0, 1, 0]
    for refused in (("2999Q1",), (this, this)):
        with pytest.raises(QuarterError):
            await reader.ask(*refused)


async def test_nothing_differs_by_what_waits_until_it_opens(broker: Running) -> None:
    """Two residents, one with a delayed entry: the same bundle but for what is random in it."""
    plain, waiting = next(NUMBERS), next(NUMBERS)
    for bsn in (plain, waiting):
        await open_household(broker, bsn)
    _, row = await open_waiting(broker, waiting)
    await publish(broker)
    shapes, pages, sizes = [], [], []
    for bsn in (plain, waiting):
        reader = await read_as(broker, bsn)
        sent, raw = await reader.ask()
        shapes.append(mask(json.loads(raw)))
        pages.append(events(await (await log_in(broker, bsn))[0].read()))
        sizes.append(len(raw) - proof_bytes(raw))
        assert verify_own_proof(raw, sent.rid, Asked("self", ()), trust_of(broker), now())
    assert shapes[0] == shapes[1]
    assert pages[0] == pages[1]
    assert sizes[0] == sizes[1]
    rows = [fetch_public(broker, index) for index in range(broker.broker.log.size)]
    assert {(len(entry), entry[0]) for entry in rows} == {(66, 1)}
    assert {entry[1] for entry in rows} <= {1, 2, 3}
    assert await broker.broker.openings.open(row, BOSS) == 1
    await publish(broker)
    bundle, verdict = await (await read_as(broker, waiting)).fetch()
    assert count(verdict)["open"] == 2
    assert list_told(bundle) == ["open_occasion", "opened"]
    opened = bundle.rolls[0].entries[1]
    assert opened.earlier is not None
    assert opened.payload is not None
    told = parse_payload(opened.payload).reopened
    assert told is not None
    assert fetch_public(broker, told.index)[2:34] == opened.earlier.tag
    changed = opened.model_copy(update={"earlier": None})
    roll = bundle.rolls[0].model_copy(update={"entries": (bundle.rolls[0].entries[0], changed)})
    forged = bundle.model_copy(update={"rolls": (roll, *bundle.rolls[1:])})
    with pytest.raises(CompletenessError):
        check_parsed(forged, trust_of(broker), now())


async def test_who_is_known_for_what_waits_only_has_what_nobody_has(broker: Running) -> None:
    """A person who became known a year ago, by a delayed entry alone: no quarter tells so."""
    unknown, waiting = next(NUMBERS), next(NUMBERS)
    await open_waiting(broker, waiting)
    await publish(broker)
    later = now() + timedelta(days=200)
    shapes = []
    for bsn in (unknown, waiting):
        (resident,) = await log_in(broker, bsn)
        subject = find_subject(broker, resident.handle)
        bundle = broker.api.proof_bundles.build(subject, "self", (), later)
        assert bundle.quarters == (derive_quarter(later),)
        shapes.append([(roll.audience, roll.quarter, roll.entries) for roll in bundle.rolls])
    assert shapes[0] == shapes[1]


def audit(
    running: Running, moment: datetime | None = None
) -> tuple[CompletenessBundle, DelayedCounts, list[RollEntry]]:
    """Return the auditor's bundle of this quarter as it travels, what is found, and its entries."""
    bundle = running.api.proof_bundles.build_delayed((), now())
    parsed = CompletenessBundle.model_validate_json(bundle.model_dump_json())
    verdict = check_parsed(parsed, trust_of(running), moment or now())
    assert verdict.view == "auditor"
    found = verdict.rolls[0].delayed
    assert found is not None
    return parsed, found, list(parsed.rolls[0].entries)


async def test_the_auditor_proves_that_all_were_opened_or_which_not(broker: Running) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    await publish(broker)
    _, before, _ = audit(broker)
    _, row = await open_waiting(broker, first)
    await open_waiting(broker, second)
    assert await broker.broker.openings.open(row, BOSS) == 1
    await publish(broker)
    bundle, found, entries = audit(broker)
    assert check_parsed(bundle, trust_of(broker), now()).status == "proved"
    assert entries[-1].opening is None
    assert entries[-2].opening is not None
    assert (found.in_time, found.not_due) == (before.in_time + 1, before.not_due + 1)
    assert found.waiting_undated == found.opened_undated == 0


async def test_the_auditor_sees_the_term_as_it_was_declared_and_moved(broker: Running) -> None:
    """Of every entry that waits, that of another act too; and what is overdue, when it is."""
    bsn = next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    await inquire(broker, home, bsn)
    later = row.stated.until_at + timedelta(days=3)
    await broker.broker.openings.renew(row, later, BOSS, LONGER)
    cosign(broker)
    # No cosignature is so new: what counts is when the bundle is looked at.
    bundle = broker.api.proof_bundles.build_delayed((), now())
    lonely = replace(trust_of(broker), witnesses=())
    entries = bundle.rolls[0].entries[-3:]
    assert len({tuple(one.index for one in entry.terms) for entry in entries}) == 1
    stated = [find_term(one.core) for one in entries[0].terms]
    assert [term and term.until_at for term in stated] == [row.stated.until_at, later]
    before = check_parsed(bundle, lonely, later + timedelta(hours=23)).rolls[0].delayed
    after = check_parsed(bundle, lonely, later + timedelta(hours=25))
    found = after.rolls[0].delayed
    assert before is not None
    assert found is not None
    assert (found.overdue - before.overdue, before.not_due - found.not_due) == (3, 3)
    assert "overdue" in after.findings


async def test_the_auditor_is_given_neither_half_of_an_entry(broker: Running) -> None:
    """Hashes of both; of a declaration the core, in which its partner's message is hashes too."""
    bsn = next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    await inquire(broker, home, bsn)
    await broker.broker.openings.open(row, BOSS)
    await publish(broker)
    _, _, entries = audit(broker)
    stated: set[str] = set()
    for entry in entries:
        assert (entry.core, entry.salt, entry.payload) == (None, None, None)
        cores = [one.core for one in (*entry.terms, entry.opening, entry.ended) if one is not None]
        stated |= {name for core in cores for name in json.loads(core)}
    hashes = {"request_hash", "person_hash", "answer_hash"}
    said = {"v", "type", "revision", "notice", "term", "index", "commit", "at"}
    assert stated - {"entries", "places"} == hashes | said


async def test_the_end_of_what_waited_is_told_and_shown_to_the_auditor(broker: Running) -> None:
    """First the entry ends, then its opening too: never is it counted as one that never opened."""
    bsn = next(NUMBERS)
    _, row = await open_waiting(broker, bsn)
    assert await broker.broker.openings.open(row, BOSS) == 1
    await publish(broker)
    _, before, entries = audit(broker)
    opened = entries[-1]
    assert opened.opening is not None
    await end(broker, opened.index)
    await publish(broker)
    _, found, entries = audit(broker)
    assert entries[-1].is_erased
    assert (found.opened_undated, found.unjudged) == (before.opened_undated + 1, before.unjudged)
    await end(broker, opened.opening.index)
    await publish(broker)
    _, found, entries = audit(broker)
    assert (found.ended, found.unjudged) == (before.ended + 1, before.unjudged)
    assert found.unopened == before.unopened
    assert entries[-1].ended is not None
    bundle, verdict = await (await read_as(broker, bsn)).fetch()
    assert verdict.findings == ()
    assert [one.unannounced for one in verdict.rolls] == [0, 0]
    assert sum(one.erased for one in verdict.rolls) == 1
    assert list_told(bundle).count("erased") == 2


async def test_a_term_whose_declaration_has_ended_is_not_shown(broker: Running) -> None:
    """Its renewal is kept longer, and says nothing of what was written before it."""
    bsn = next(NUMBERS)
    _, row = await open_waiting(broker, bsn)
    await broker.broker.openings.renew(row, row.stated.until_at + timedelta(days=1), BOSS, LONGER)
    assert await broker.broker.openings.open(row, BOSS) == 2
    await publish(broker)
    _, before, entries = audit(broker)
    declared, renewed = entries[-2:]
    assert [one.index for one in declared.terms] == [declared.index, renewed.index]
    await end(broker, declared.index)
    await publish(broker)
    _, found, entries = audit(broker)
    assert (entries[-2].terms, len(entries[-1].terms)) == ((), 1)
    assert found.opened_undated == before.opened_undated + 1
    assert found.in_time == before.in_time - 1


async def test_contents_that_a_broker_withholds_are_named(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    await publish(broker)
    reader = await read_as(broker, bsn)
    bundle, _ = await reader.fetch()
    index = bundle.rolls[0].entries[0].index
    with broker.broker.store.writing() as conn:
        conn.execute(update(ENTRIES).where(ENTRIES.c.idx == index).values(sealed=None))
    _, verdict = await reader.fetch()
    assert (verdict.status, verdict.findings) == ("proved", ("unannounced",))
    await end(broker, index)  # as it should end: with a notice that names it
    await publish(broker)
    _, verdict = await reader.fetch()
    assert (verdict.findings, verdict.rolls[0].erased) == ((), 1)


async def end(running: Running, index: int) -> None:
    """Let the content of an entry come to its end, and the housekeeper end it."""
    with running.broker.store.writing() as conn:
        over = now() - timedelta(seconds=1)
        conn.execute(update(ENTRIES).where(ENTRIES.c.idx == index).values(retention_until=over))
    assert (await running.broker.ends.ends.erase_due(now(), 100)).contents == 1


async def test_an_auditors_look_is_told_when_what_waits_opens(broker: Running) -> None:
    bsn = next(NUMBERS)
    _, row = await open_waiting(broker, bsn)
    (resident,) = await log_in(broker, bsn)
    before = events(await resident.read())
    command = build_commands(broker.broker, lambda: None)["special_audit"]
    asked = {
        "by": "a.auditor",
        "role": "auditor",
        "second_by": "f.gegevens",
        "second_role": "functionaris gegevensbescherming",
        "reason": "Jaarlijkse controle op tijdig openen.",
    }
    size = broker.broker.log.size
    for wrong, code in (
        ({"second_by": "A.Auditor "}, "second_person"),
        ({"reason": "  kort  "}, "reason_missing"),
        ({"reason": "met een\nnieuwe regel erin"}, "input_invalid"),
        ({"quarters": ["2026Q9"]}, "input_invalid"),
        ({"second_role": None}, "input_invalid"),
    ):
        with pytest.raises(DatwatError) as caught:
            await command({**asked, **wrong})
        assert caught.value.code == code
    assert broker.broker.log.size == size
    given = await command(asked)
    waiting = broker.broker.openings.count_waiting()[0]
    assert given["entries"] == broker.broker.log.size - size >= waiting >= 1
    bundle = CompletenessBundle.model_validate_json(json.dumps(given["bundle"]))
    assert check_parsed(bundle, trust_of(broker), now()).view == "auditor"
    assert events(await resident.read()) == before
    assert await broker.broker.openings.open(row, BOSS) == 2
    page = await resident.read()
    assert events(page)[:2] == ["looked", "open_occasion"]
    card = page.cards[0]
    assert card.details["looked_because"] == asked["reason"]
    assert card.details["looked_by"] == "auditor, functionaris gegevensbescherming"
    assert card.told_later_at is not None
    assert "a.auditor" not in page.model_dump_json()


async def test_500_entries_make_a_bundle_within_a_second(broker: Running) -> None:
    bsn = next(NUMBERS)
    (resident,) = await log_in(broker, bsn)
    subject = find_subject(broker, resident.handle)
    await append_many(broker, subject, 500)
    await publish(broker)
    seconds, data = [], ""
    for _ in range(6):
        began = time.perf_counter()
        bundle = broker.api.proof_bundles.build(subject, "self", (), now())
        data = bundle.model_dump_json()
        seconds.append(time.perf_counter() - began)
    parsed = CompletenessBundle.model_validate_json(data)
    assert len(parsed.rolls[0].entries) == 500
    assert check_parsed(parsed, trust_of(broker), now()).status == "proved"
    print(f"500 entries built: {seconds} s, {len(data)} bytes")  # noqa: T201 - read with -s
    assert min(seconds) <= 1.0, seconds


@pytest.mark.parametrize(
    ("quarters", "expected"),
    [
        ((), ["2026Q4"]),
        (("2026Q2", "2026Q4"), ["2026Q2", "2026Q3", "2026Q4"]),
        (("2025Q4",), ["2025Q4", "2026Q1", "2026Q2", "2026Q3", "2026Q4"]),
        (("2001Q1",), [f"{2017 + n // 4}Q{n % 4 + 1}" for n in range(40)]),
    ],
)
async def test_the_quarters_run_from_the_first_visible_entry_to_now(
    broker: Running, quarters: tuple[str, ...], expected: list[str]
) -> None:
    rows = [Row(quarter) for quarter in quarters]
    found = list_quarters(rows, datetime(2026, 11, 25, tzinfo=UTC))  # type: ignore[arg-type] # only its quarter is read
    assert found == expected


@dataclass
class Row:
    quarter: str


def find_subject(running: Running, handle: bytes) -> bytes:
    references = running.broker.rooms.registers.references
    with running.broker.rooms.reading() as conn:
        target = references.find_handle(conn, running.world.members["portal"].id, handle, now())
    assert target is not None
    return target.target


def fetch_public(running: Running, index: int) -> bytes:
    store = running.broker.publishing.store
    with store.reading() as conn:
        ((_, entry),) = store.fetch_entries(conn, index, index + 1)
    return entry


def mask(document: object) -> object:
    """Return a document with the random values in it replaced by their lengths, proofs left out."""
    if isinstance(document, dict):
        hidden = ("path", "place", "end", "tag_root", "peaks", "tail", "checkpoint")
        return {name: mask(value) for name, value in document.items() if name not in hidden}
    if isinstance(document, list):
        return [mask(value) for value in document]
    return len(decode_bytes(document)) if isinstance(document, str) and len(document) > 20 else None


def proof_bytes(raw: bytes) -> int:
    """Return how many bytes paths and places take: their length follows from other entries."""
    total = 0
    bundle = json.loads(raw)["bundle"]
    for roll in bundle["rolls"]:
        total += len(json.dumps(roll["end"], separators=(",", ":")))
        for entry in roll["entries"]:
            for name in ("path", "place", "index"):
                total += len(json.dumps(entry[name], separators=(",", ":")))
    return total


async def append_many(running: Running, subject_id: bytes, number: int) -> None:
    """Write entries about one person straight into the log, with those of others between."""
    sealing, log = running.broker.sealing, running.broker.log
    with running.broker.store.reading() as conn:
        keys = sealing.fetch_keys(conn, [subject_id], now())[subject_id]
    party = Organisation(id=running.world.members["social-team"].id, name="Wijkteam")
    for first in range(0, number, 50):
        entries = [
            sealing.prepare_entry(
                keys,
                EntryDraft(
                    chain=ChainRef(subject_id, "open"),
                    core=b'{"type":"inquiry","v":1}',
                    payload=build_payload(
                        Record(
                            v=1,
                            event="inquire",
                            at=now(),
                            rid=draw(),
                            requester=party,
                            notice="now",
                        )
                    ),
                    at=now(),
                    retention_until=now() + timedelta(days=365),
                ),
            )
            for _ in range(50)
        ]

        def work(_conn: Connection, batch: Sequence[Appendable] = entries) -> Sequence[Appendable]:
            return batch

        await log.append(Job(work, keys=(keys,) if first == 0 else ()))
