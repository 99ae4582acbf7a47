"""Decisions as the log keeps them, written into a broker's database that does not run.

Rule: each is weighed by a real OPA and sealed as the broker seals it, under keys of its own person;
only the tree is not grown, for replay does not read it. Whom they are about is random.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, insert

from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.opa_process import find_opa
from broker.adapters.secrets import load_secrets
from broker.adapters.trial_opa import TrialOpa
from broker.audit.records import ChainRef, EntryDraft, SubjectKeys
from broker.audit.sealing import Sealing, store_keys
from broker.policy.decision import Decision
from broker.policy.trial import build_trial_archive
from broker.purposes.bundled_cases import bind_cases, read_cases
from broker.purposes.catalogue import Catalogue
from datwat.party import clock
from datwat.protocol.bundle import Bundle
from datwat.protocol.entry import Audience, build_person_entry

_PER_PERSON = 3
_CHUNK = 500
_FAST = ("synchronous=OFF", "cache_size=-200000", "foreign_keys=OFF")
_RETENTION = timedelta(days=365)


class Decided(NamedTuple):
    """A question and the decision on it; `document` is what is kept of both."""

    question: dict[str, Any]
    decision: dict[str, Any]
    revision: str
    audience: Audience = "open"

    @property
    def document(self) -> bytes:
        """What the broker keeps beside the entry."""
        return orjson.dumps(
            {
                "v": 1,
                "revision": self.revision,
                "evaluation": self.question,
                "decision": self.decision,
                "occasion": None,
                "situation": None,
                "audience": "open",
                "internal_reason": None,
                "special_reason": None,
            }
        )


def vary(question: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    """Return a question with some facts of the person, and some that were stated, drawn anew."""
    changed = copy.deepcopy(dict(question))
    now = changed["now"]
    kinds = ("help_request", "report", "signal", "statutory_task", "crisis")
    if draw.random() < 0.3:  # noqa: PLR2004 - some
        changed["objections"] = [
            {"purpose": None, "made_at": now, "state": draw.choice(("open", "rejected"))}
        ]
    if changed["occasion"] and draw.random() < 0.3:  # noqa: PLR2004 - some
        changed["occasion"]["kind"] = draw.choice(kinds)
    if changed["conversation"] and draw.random() < 0.3:  # noqa: PLR2004 - some
        changed["conversation"]["reaction"] = draw.choice(("agrees", "objects", "not_told"))
    fields = changed["ask"]["fields"]
    if fields and draw.random() < 0.5:  # noqa: PLR2004 - half
        changed["ask"]["fields"] = fields[: draw.randint(1, len(fields))]
    return changed


def draw_questions(bundle: Bundle, count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield so many questions around the cases of a bundle, the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - nobody guards anything with it
    cases = bind_cases(read_cases(bundle.cases), Catalogue.from_bundle(bundle))
    for _ in range(count):
        yield vary(draw.choice(cases).question, draw)


async def decide(bundle: Bundle, questions: Sequence[dict[str, Any]]) -> list[Decided]:
    """Return the decisions of a bundle on questions; one that has none is left out."""
    archive = build_trial_archive(bundle.archive, dict(bundle.catalogue))
    async with TrialOpa(await find_opa(), archive) as engine:
        decisions = await engine.weigh(questions)
    return [
        Decided(question, read_decision(decision), bundle.revision)
        for question, decision in zip(questions, decisions, strict=True)
        if decision is not None
    ]


def read_decision(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision as the broker keeps it."""
    read = Decision.model_validate_json(orjson.dumps(decision))
    kept: dict[str, Any] = orjson.loads(read.model_dump_json())
    return kept


def write_decisions(home: Path, database: str, decided: Iterable[Decided]) -> int:
    """Write entries into a broker's database, which must have a log; return how many there are."""
    secrets = load_secrets(home)
    engine = open_engine(database)
    migrate(engine)
    store = SqlLogStore(engine)
    sealing = Sealing(secrets.kek, store)
    rows: list[dict[str, Any]] = []
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            for pragma in _FAST:
                connection.connection.cursor().execute(f"PRAGMA {pragma}")
        with connection.begin():
            keys: SubjectKeys | None = None
            for index, one in enumerate(decided):
                if keys is None or index % _PER_PERSON == 0:
                    keys = sealing.mint_subject(clock.now().replace(microsecond=0))
                    store_keys(store, connection, keys)
                rows.append(_build_row(sealing, keys, index, one))
                if len(rows) == _CHUNK:
                    _flush(connection, rows)
            _flush(connection, rows)
            head = store.lock_head(connection)
            size = index + 1
            store.update_head(connection, size, head[1] if head else b"")
    store.close()
    engine.dispose()
    return size


def _build_row(sealing: Sealing, keys: SubjectKeys, index: int, one: Decided) -> dict[str, Any]:
    at = keys.created_at or clock.now()
    draft = EntryDraft(
        chain=ChainRef(keys.subject_id, one.audience),
        core=b"{}",
        payload=b"{}",
        at=at,
        retention_until=at + _RETENTION,
        replay_input=one.document,
    )
    made = sealing.prepare_entry(keys, draft)
    return {
        "idx": index,
        "entry": build_person_entry(index.to_bytes(32, "big"), made.commit),
        "subject_id": keys.subject_id,
        "audience": one.audience,
        "quarter": made.quarter,
        "number": index,
        "sealed": made.sealed,
        "input_sealed": made.input_sealed,
        "document": None,
        "at": at,
        "retention_until": made.retention_until,
    }


def _flush(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table_of(LogEntry)), rows)
        rows.clear()
