"""A real log that is written, killed, put back, published and ended in any order, and its model.

The model is what an outsider and the persons concerned remember: the public bytes, each receipt,
the numbers of each roll, and what each content says until its end.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from broker.adapters.database import open_engine
from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from broker.audit.ends import Ends
from broker.audit.erasing import POSTPONED, Eraser
from broker.audit.log import Log, create_log
from broker.audit.payloads import Organisation
from broker.audit.records import (
    Appended,
    AppendedEntry,
    ChainRef,
    EntryDraft,
    Job,
    SubjectKeys,
)
from broker.audit.sealing import Sealing
from broker.audit.tag_roots import TagRoots
from datwat.party.ratchet import Ratchet
from datwat.party.tag_index import TagIndex
from datwat.protocol.checkpoint import Checkpoint, CheckpointSigner, verify_checkpoint
from datwat.protocol.entry import (
    Audience,
    EntryType,
    derive_leaf_hash,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.merkle import derive_root
from datwat.protocol.receipt import require_inclusion
from datwat.protocol.tag_tree import derive_tag_root, require_no_tag, require_tag
from tests.audit.conftest import AT, ORIGIN
from tests.log.disks import Disk

SOON, LATER = AT + timedelta(days=1), AT + timedelta(days=300)
RETENTION = timedelta(days=900)
_KEY = Ed25519PrivateKey.generate()
_PARTY = Organisation(id="00000099000000003000:broker", name="Broker")
_ROWS = text(
    "SELECT idx, entry, subject_id, audience, quarter, number, sealed FROM log_entries ORDER BY idx"
)


class DiedError(Exception):
    """The process ends here, and nobody gets an answer."""


@dataclass
class Person:
    """A data subject, and the key of its rolls as the person was given it."""

    subject_id: bytes
    chain_key: bytes
    is_known: bool = True


@dataclass
class Held:
    """A content that lies in the log, until its end."""

    person: Person
    audience: Audience
    payload: bytes
    until: datetime
    mark: bytes | None


@dataclass
class Model:
    """What others remember of the log."""

    public: list[bytes] = field(default_factory=list)
    receipts: list[tuple[AppendedEntry, Checkpoint]] = field(default_factory=list)
    signed: dict[int, bytes] = field(default_factory=dict)
    rolls: dict[tuple[bytes, str, str], int] = field(default_factory=lambda: defaultdict(int))
    held: dict[int, Held] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    waiting: set[bytes] = field(default_factory=set)


class Process:
    """A process of the broker as far as its log goes: begun, and stopped or abandoned."""

    def __init__(self, disk: Disk, apart: Path, model: Model, *, is_new: bool = False) -> None:
        self._model = model
        self.engine = open_engine(disk.url)
        self.store = SqlLogStore(self.engine)
        kek = apart / "kek"
        self.kek = FileKek.create(kek) if is_new else FileKek.open(kek)
        self.sealing = Sealing(self.kek, self.store)
        if is_new:
            create_log(self.store, self.sealing, ORIGIN)
        self.ratchet = Ratchet.open(apart / "ratchet")
        self.log = Log(self.store, self.ratchet, CheckpointSigner(ORIGIN, _KEY))
        try:
            self.log.start()
        except BaseException:
            self.abandon()
            raise
        self.roots = TagRoots(
            self.log, SqlPublication(self.engine), TagIndex(LOG_TAGS, 8), lambda: AT
        )
        self.roots.load(self.log.size)

    @property
    def ends(self) -> Ends:
        ends = SqlEnds()
        return Ends(
            store=self.store,
            ends=ends,
            eraser=Eraser(ends, self.kek, lambda _, mark: mark in self._model.waiting),
            sealing=self.sealing,
            log=self.log,
            party=_PARTY,
            find_retention=lambda: RETENTION,
        )

    def die_at_signing(self, *, has_moved_ratchet: bool) -> None:
        """Let the next commit be the last: nothing of it is signed, and nobody is answered."""

        def die(size: int, root: bytes) -> None:
            if has_moved_ratchet:
                self.ratchet.advance(f"log:{ORIGIN}", size, root)
            raise DiedError

        self.log._signer.sign = die  # type: ignore[assignment,method-assign] # noqa: SLF001 - there is no other way to stand between commit and signature

    def abandon(self) -> None:
        """Let go of everything, as the end of a process does; what was copied before counts."""
        self.log.stop()
        self.ratchet.close()
        self.store.close()
        self.engine.dispose()


class Lived:
    """A log through many processes, with the model beside it."""

    def __init__(self, disk: Disk, apart: Path) -> None:
        self.disk, self.apart, self.model = disk, apart, Model()
        self.persons: list[Person] = []
        self.saved: int | None = None
        self.runner = asyncio.Runner()
        self.process = Process(disk, apart, self.model, is_new=True)

    def close(self) -> None:
        self.process.abandon()
        self.runner.close()

    def restart(self) -> None:
        self.process = Process(self.disk, self.apart, self.model)

    def fetch_keys(self, person: Person) -> SubjectKeys:
        with self.process.store.reading() as conn:
            return self.process.sealing.fetch_keys(conn, [person.subject_id], AT)[person.subject_id]

    def mint(self) -> tuple[Person, SubjectKeys]:
        keys = self.process.sealing.mint_subject(AT)
        return Person(keys.subject_id, keys.chain_key), keys

    def append(
        self, written: Sequence[tuple[Person, SubjectKeys, Held]], core: bytes = b"core"
    ) -> Appended:
        """Write entries in one job; what was acknowledged is taken up in the model."""
        prepared = [
            self.process.sealing.prepare_entry(
                keys,
                EntryDraft(
                    chain=ChainRef(person.subject_id, held.audience),
                    core=core,
                    payload=held.payload,
                    at=AT,
                    retention_until=held.until,
                    replay_input=held.mark,
                ),
            )
            for person, keys, held in written
        ]
        keys = list({keys.subject_id: keys for _, keys, _ in written}.values())
        appended = self.runner.run(self._send(Job(lambda _: prepared, keys=keys)))
        signed = self.read_signed(appended.checkpoint)
        for entry, (person, _, held) in zip(appended.entries, written, strict=True):
            self.model.receipts.append((entry, signed))
            self.model.held[entry.index] = held
            if person not in self.persons:
                self.persons.append(person)
        return appended

    async def _send(self, job: Job) -> Appended:
        return await self.process.log.append(job)

    def read_signed(self, note: str) -> Checkpoint:
        signer = CheckpointSigner(ORIGIN, _KEY)
        found = verify_checkpoint(note.encode(), ORIGIN, [signer.vkey])
        assert self.model.signed.setdefault(found.size, found.root) == found.root
        return found

    def end(self, now: datetime) -> None:
        """End what is due at a moment, to the last; model what that must do."""
        ends = self.process.ends
        while self.runner.run(ends.erase_due(now, 2)).places:
            pass
        model = self.model
        for index, held in model.held.items():
            if index in model.ended or held.until > now:
                continue
            if held.audience == "delayed" and held.mark in model.waiting:
                held.until = now + POSTPONED
            else:
                model.ended.add(index)

    def end_persons(self, now: datetime) -> None:
        """End the persons of whom nothing is left."""
        self.runner.run(self.process.ends.end_subjects(now, b"", 100))
        with self.process.engine.connect() as conn:
            known = set(conn.execute(text("SELECT subject_id FROM subjects")).scalars())
        for person in self.persons:
            person.is_known = person.subject_id in {bytes(one) for one in known}

    def absorb(self) -> None:
        """Take up what was written since, and see that nothing written before is another."""
        with self.process.engine.connect() as conn:
            rows = conn.execute(_ROWS).all()
        public, rolls = self.model.public, self.model.rolls
        assert [row.idx for row in rows] == list(range(len(rows)))
        assert [bytes(row.entry) for row in rows[: len(public)]] == public
        for row in rows[len(public) :]:
            public.append(bytes(row.entry))
            if row.subject_id is not None:
                whose = b"" if row.audience == "delayed" else bytes(row.subject_id)
                roll = (whose, row.audience, row.quarter)
                assert row.number == rolls[roll]
                rolls[roll] += 1
        gone = {row.idx for row in rows if row.sealed is None}
        assert {index for index in self.model.held if index in gone} == self.model.ended

    def check(self) -> None:
        """Check everything that must hold at every moment."""
        self.absorb()
        self._check_tree()
        self._check_roots()
        self._check_rolls()
        self._check_contents()

    def _check_tree(self) -> None:
        """Each signed root is that of the beginning, and each receipt holds."""
        leaves = [derive_leaf_hash(entry) for entry in self.model.public]
        self.read_signed(self.process.log.checkpoint())
        assert max(self.model.signed) <= len(leaves)
        for size, root in self.model.signed.items():
            assert derive_root(leaves[:size]) == root
        for entry, signed in self.model.receipts:
            assert parse_entry(self.model.public[entry.index]).ref == entry.tag
            require_inclusion(leaves[entry.index], entry.receipt, signed)

    def _check_roots(self) -> None:
        """Each tag root is that of its tags; where proofs are given they are right."""
        found = list(enumerate(map(parse_entry, self.model.public)))
        tags = [(one.ref, index) for index, one in found if one.type is EntryType.PERSON]
        assert len({tag for tag, _ in tags}) == len(tags)
        for _, stated in found:
            if stated.type is EntryType.TAG_ROOT:
                size = int.from_bytes(stated.ref[:8], "big")
                assert derive_tag_root(sorted(one for one in tags if one[1] < size)) == stated.hash
        base = self.process.roots.read_base()
        if base is None:
            return
        with self.process.engine.connect() as conn:
            proofs = self.process.roots.prove_tags(conn, base.size, [tag for tag, _ in tags])
        for (tag, index), proof in zip(tags, proofs, strict=True):
            if index < base.size:
                require_tag(proof, tag, index, base.root)
            else:
                require_no_tag(proof, tag, base.root)

    def _check_rolls(self) -> None:
        """Whoever holds the key of a roll finds its stubs, from 0 on, and none behind them."""
        tags = {parse_entry(entry).ref for entry in self.model.public}
        keys = {person.subject_id: person.chain_key for person in self.persons}
        keys[b""] = self.process.sealing.open_delayed_chain_key()
        counted = 0
        for (whose, audience, quarter), count in self.model.rolls.items():
            if whose not in keys:
                continue  # nobody was answered: the person is not known yet
            key = derive_tag_key(keys[whose], audience, quarter)  # type: ignore[arg-type] # as the table has it
            assert [derive_tag(key, place) in tags for place in range(count + 1)] == [
                *[True] * count,
                False,
            ]
            counted += count
        assert counted >= len(self.model.held)

    def _check_contents(self) -> None:
        """What did not end opens and says what it said; what ended opens never again."""
        store, sealing = self.process.store, self.process.sealing
        with store.reading() as conn:
            for index, held in self.model.held.items():
                row = store.find_entry(conn, index)
                assert row is not None
                if index in self.model.ended:
                    assert (row.sealed, row.input_sealed) == (None, None)
                    continue
                (content,) = sealing.open_contents(conn, held.person.subject_id, [row])
                assert content is not None
                assert content.payload == held.payload
