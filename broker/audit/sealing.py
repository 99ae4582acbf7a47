"""Keys of subjects and quarters, and the contents that lie sealed under them.

Rule: a content is sealed under a random key of one person and one quarter, that key under the KEK;
destroying the key's row destroys the content, while every proof goes on to hold. A draft is sealed
before it queues: nothing sealed depends on the place it will get.
Source: house reference "audit-log", Chains and Ends.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.ports import EntryRow, KekPort, LogStore
from broker.audit.records import (
    DELAYED_CHAIN_ID,
    SUBJECT_ID_LENGTH,
    EntryDraft,
    KeyCell,
    LogMissingError,
    PreparedEntry,
    SubjectKeys,
)
from broker.audit.replaced import ReplacedKeys
from datwat.protocol.entry import (
    SALT_LENGTH,
    Content,
    derive_commit,
    derive_content_key,
    derive_quarter,
    derive_tag_key,
    open_content,
    open_input,
    parse_entry,
    seal_content,
    seal_input,
)
from datwat.protocol.sealing import KEY_SIZE


class Sealing:
    """Opens and makes keys, seals and opens; it keeps no key but that of the auditor's chain."""

    def __init__(self, kek: KekPort, store: LogStore) -> None:
        self._kek = kek
        self._store = store
        self._delayed_chain_key: bytes | None = None
        self.replaced = ReplacedKeys()

    def mint_delayed_chain_key(self) -> bytes:
        """Return a new, sealed key for the auditor's chain."""
        return self._kek.seal(os.urandom(KEY_SIZE), DELAYED_CHAIN_ID)

    def open_delayed_chain_key(self) -> bytes:
        """Return the key of the auditor's chain; raise LogMissingError where there is no log."""
        if self._delayed_chain_key is None:
            with self._store.reading() as connection:
                head = self._store.find_head(connection)
            if head is None:
                raise LogMissingError
            self._delayed_chain_key = self._kek.unseal(
                head.delayed_chain_key_sealed, DELAYED_CHAIN_ID
            )
        return self._delayed_chain_key

    def mint_subject(self, at: datetime) -> SubjectKeys:
        """Return a new data subject in memory; a job that names its keys writes it."""
        subject_id, chain_key = os.urandom(SUBJECT_ID_LENGTH), os.urandom(KEY_SIZE)
        return self._with_new_quarter(
            subject_id, chain_key, at, chain_key_sealed=self._kek.seal(chain_key, subject_id)
        )

    def fetch_keys(
        self, connection: Connection, subject_ids: Collection[bytes], at: datetime
    ) -> Mapping[bytes, SubjectKeys]:
        """Return the keys of existing subjects for the quarter of `at`, new where there is none."""
        quarter = derive_quarter(at)
        found = {}
        # Before the read: who reads while keys are being replaced must hear of it.
        cells = {each: self.replaced.find_cell(each, quarter) for each in subject_ids}
        for row in self._store.fetch_keys(connection, subject_ids, quarter):
            cell = cells[row.subject_id]
            chain_key = self._kek.unseal(row.chain_key_sealed, row.subject_id)
            if row.quarter_key_sealed is None:
                found[row.subject_id] = self._with_new_quarter(
                    row.subject_id, chain_key, at, cell=cell
                )
                continue
            aad = derive_quarter_aad(row.subject_id, quarter)
            key = self._kek.unseal(row.quarter_key_sealed, aad)
            found[row.subject_id] = SubjectKeys(
                subject_id=row.subject_id,
                quarter=quarter,
                chain_key=chain_key,
                content_key=derive_content_key(key),
                quarter_key_sealed=row.quarter_key_sealed,
                cell=cell,
            )
        return found

    def prepare_entry(self, keys: SubjectKeys, draft: EntryDraft) -> PreparedEntry:
        """Seal a draft under its subject's keys.

        Raises:
            ValueError: the keys are another subject's or another quarter's.
        """
        quarter = derive_quarter(draft.at)
        if keys.subject_id != draft.chain.subject_id or keys.quarter != quarter:
            raise ValueError("these keys do not belong to this draft")
        audience = draft.chain.audience
        delayed = audience == "delayed"
        chain_key = self.open_delayed_chain_key() if delayed else keys.chain_key
        content = Content(salt=os.urandom(SALT_LENGTH), core=draft.core, payload=draft.payload)
        payload_hash = content.payload_hash
        commit = derive_commit(draft.core, payload_hash)
        replay = draft.replay_input
        return PreparedEntry(
            chain=draft.chain,
            quarter=quarter,
            tag_key=derive_tag_key(chain_key, audience, quarter),
            payload_hash=payload_hash,
            commit=commit,
            sealed=seal_content(keys.content_key, content),
            input_sealed=None if replay is None else seal_input(keys.content_key, replay, commit),
            at=draft.at,
            retention_until=draft.retention_until,
            seen=draft.seen,
        )

    def open_contents(
        self, connection: Connection, subject_id: bytes, rows: Sequence[EntryRow]
    ) -> list[Content | None]:
        """Return what lies sealed in each row of one subject, None where it was destroyed."""
        keys = self._open_quarter_keys(connection, subject_id, rows)
        contents: list[Content | None] = []
        for row in rows:
            key = keys.get(row.quarter or "")
            if key is None or row.sealed is None:
                contents.append(None)
            else:
                contents.append(open_content(key, row.sealed, parse_entry(row.entry).hash))
        return contents

    def open_replay_input(self, connection: Connection, row: EntryRow) -> bytes | None:
        """Return what replay and a reviewing officer read of an entry, None where it is gone."""
        if row.subject_id is None or row.input_sealed is None:
            return None
        key = self._open_quarter_keys(connection, row.subject_id, [row]).get(row.quarter or "")
        if key is None:
            return None
        return open_input(key, row.input_sealed, parse_entry(row.entry).hash)

    def _open_quarter_keys(
        self, connection: Connection, subject_id: bytes, rows: Sequence[EntryRow]
    ) -> dict[str, bytes]:
        quarters = {row.quarter for row in rows if row.quarter is not None}
        sealed = self._store.fetch_quarter_keys(connection, subject_id, quarters)
        return {
            quarter: derive_content_key(
                self._kek.unseal(key, derive_quarter_aad(subject_id, quarter))
            )
            for quarter, key in sealed.items()
        }

    def _with_new_quarter(
        self,
        subject_id: bytes,
        chain_key: bytes,
        at: datetime,
        *,
        chain_key_sealed: bytes | None = None,
        cell: KeyCell | None = None,
    ) -> SubjectKeys:
        quarter = derive_quarter(at)
        key = os.urandom(KEY_SIZE)
        return SubjectKeys(
            subject_id=subject_id,
            quarter=quarter,
            chain_key=chain_key,
            content_key=derive_content_key(key),
            created_at=at,
            new_chain_key_sealed=chain_key_sealed,
            new_quarter_key_sealed=self._kek.seal(key, derive_quarter_aad(subject_id, quarter)),
            cell=cell,
        )


def store_keys(store: LogStore, connection: Connection, keys: SubjectKeys) -> bool:
    """Write what is new of these keys.

    Return False if another request wrote the quarter first, or the keys were replaced since.
    """
    if keys.cell is not None and keys.cell.replaced:
        return False
    if keys.new_chain_key_sealed is not None and keys.created_at is not None:
        store.insert_subject(
            connection, keys.subject_id, keys.new_chain_key_sealed, keys.created_at
        )
    if keys.new_quarter_key_sealed is None:
        return True
    return store.insert_quarter_key(
        connection, keys.subject_id, keys.quarter, keys.new_quarter_key_sealed
    )


def are_current(store: LogStore, connection: Connection, keys: Sequence[SubjectKeys]) -> bool:
    """Tell whether what is stored is still what these keys were read from.

    In the writer's transaction, for a log that several processes write: another one may have
    replaced or destroyed keys since. The same statement whether a person is known or new.
    """
    by_quarter: dict[str, list[SubjectKeys]] = {}
    for each in keys:
        by_quarter.setdefault(each.quarter, []).append(each)
    for quarter, some in by_quarter.items():
        ids = [each.subject_id for each in some]
        rows = {row.subject_id: row for row in store.fetch_keys(connection, ids, quarter)}
        for each in some:
            row = rows.get(each.subject_id)
            if each.new_chain_key_sealed is not None:
                continue
            if row is None or row.quarter_key_sealed != each.quarter_key_sealed:
                return False
    return True


def derive_quarter_aad(subject_id: bytes, quarter: str) -> bytes:
    """Return the context under which the KEK seals K(subject, quarter)."""
    return subject_id + quarter.encode("ascii")
