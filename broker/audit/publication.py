"""The checkpoint that outsiders are shown: the newest one that enough witnesses vouch for.

Rules: with a threshold of 0 that is the newest one signed; else it is the newest with enough
cosignatures, and until there is a first one, the newest one signed. It never goes back. What
witnesses saw lies in the ratchet before it is shown: a database put back to before that is refused.
Source: C2SP tlog-checkpoint, tlog-cosignature; house reference "audit-log", Sequencing.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from broker.audit.log import Log
from broker.audit.proofs import SignedHead, read_note
from broker.audit.publication_ports import PublicationStore
from broker.audit.records import LogBehindError, LogForkedError
from datwat.party.ratchet import Ratchet, RatchetRefusedError
from datwat.protocol.checkpoint import parse_checkpoint, verify_checkpoint, verify_cosignatures
from datwat.protocol.cosigning import add_lines
from datwat.protocol.merkle import derive_root_at
from datwat.protocol.notes import NoteError, SignatureLine, parse_note
from datwat.protocol.trust import TrustList

_CANDIDATES_KEPT = 64


class ProofBase(NamedTuple):
    """What proofs for a resident rest on: the checkpoint shown, and the newest tag root under it.

    `tag_index` is None, `tag_size` 0 and `tag_root` 32 zeros while no root lies under it.
    """

    note: str
    size: int
    tag_index: int | None
    tag_size: int
    tag_root: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that enough witnesses vouched for: since `at` (Unix seconds) at the latest.

    `at` is the moment of the cosignature that completes the threshold, the newest ones counted.
    """

    note: bytes
    size: int
    count: int
    at: int


class Publication:
    """Collects cosignatures and says which checkpoint is shown; safe in several threads."""

    def __init__(
        self,
        log: Log,
        store: PublicationStore,
        ratchet: Ratchet,
        read_trust: Callable[[], TrustList],
        on_cosigned: Callable[[int], None],
    ) -> None:
        """`on_cosigned` is told the size of each checkpoint that is shown from now on."""
        self._log = log
        self._store = store
        self._ratchet = ratchet
        self._read_trust = read_trust
        self._on_cosigned = on_cosigned
        self._lock = threading.Lock()
        self._candidates: OrderedDict[int, bytes] = OrderedDict()
        self._cosigned: Cosigned | None = None

    def load(self) -> None:
        """Take up the newest cosigned checkpoint, and check the log against what witnesses saw.

        Raises:
            LogBehindError: witnesses saw a larger log.
            LogForkedError: what they saw is not the beginning of this one.
        """
        origin = self._read_trust().log.origin
        mark = self._ratchet.value(_derive_name(origin))
        if mark is not None:
            self.require_contains(mark.number, mark.digest)
        with self._store.reading() as connection:
            note = self._store.find_cosigned(connection, origin)
        if note is None:
            return
        try:
            seen = verify_checkpoint(note, origin, self._read_trust().log.vkeys)
        except NoteError:
            raise LogForkedError from None
        self.require_contains(seen.size, seen.root)
        self._cosigned = self._judge(note, seen.size)

    def require_contains(self, size: int, root: bytes) -> None:
        """Raise LogBehindError or LogForkedError unless the signed log begins with this tree."""
        if size > self._log.size:
            raise LogBehindError
        if not hmac.compare_digest(derive_root_at(self._log.node, size), root):
            raise LogForkedError

    def read_shown(self) -> SignedHead:
        """Return the checkpoint that outsiders are shown, and its size.

        What another process of this log collected counts at once.
        """
        cosigned = self.read_cosigned()
        if self._read_trust().witness_threshold and cosigned is not None:
            return SignedHead(cosigned.note.decode(), cosigned.size)
        return read_note(self._log.checkpoint())

    def read_vouched(self) -> SignedHead:
        """Return what this process last knew to be shown; from memory, but for the first one.

        For a source that wants a word of witnesses which is not old, and not the newest.
        """
        cosigned = self._cosigned
        if not self._read_trust().witness_threshold:
            return read_note(self._log.known_checkpoint)
        if cosigned is None:
            return self.read_shown()
        return SignedHead(cosigned.note.decode(), cosigned.size)

    def read_cosigned(self) -> Cosigned | None:
        """Return the newest checkpoint that enough witnesses vouched for."""
        if self._ratchet.is_shared:
            self.follow()
        return self._cosigned

    @property
    def known(self) -> Cosigned | None:
        """The same as far as this process knows; from memory."""
        return self._cosigned

    def follow(self) -> None:
        """Take up what another process collected; raise LogBehindError, LogForkedError."""
        held, trust = self._cosigned, self._read_trust()
        with self._store.reading() as connection:
            note = self._store.find_cosigned(connection, trust.log.origin)
        if note is None or (held is not None and note == held.note):
            return
        seen = verify_checkpoint(note, trust.log.origin, trust.log.vkeys)
        self.require_contains(seen.size, seen.root)
        found = self._judge(note, seen.size)
        with self._lock:
            held = self._cosigned
            if found is None or (held is not None and found.size < held.size):
                return
            self._cosigned = found
        self._on_cosigned(found.size)

    def offer(self, head: SignedHead, lines: Sequence[SignatureLine]) -> None:
        """Take in verified lines of a witness under a checkpoint that this log signed.

        Durable before it is shown: first the ratchet, then the database.
        """
        with self._lock:
            note = add_lines(self._candidates.get(head.size, head.note.encode()), lines)
            self._candidates[head.size] = note
            while len(self._candidates) > _CANDIDATES_KEPT:
                self._candidates.popitem(last=False)
            found = self._judge(note, head.size)
            held = self._cosigned
            if found is None or (held is not None and found.size < held.size):
                return
            checkpoint = parse_checkpoint(parse_note(note).text)
            name = _derive_name(checkpoint.origin)
            try:
                self._ratchet.advance(name, checkpoint.size, checkpoint.root)
            except RatchetRefusedError:
                if self._ratchet.is_shared:
                    return  # another process collected more meanwhile
                raise
            with self._store.writing() as connection:
                self._store.put_cosigned(connection, checkpoint.origin, found.size, note)
            self._cosigned = found
            for size in [size for size in self._candidates if size < found.size]:
                del self._candidates[size]
        self._on_cosigned(found.size)

    def _judge(self, note: bytes, size: int) -> Cosigned | None:
        """Return the note as cosigned if enough witnesses of the list in force vouch for it."""
        trust = self._read_trust()
        vkeys = [witness.vkey for witness in trust.witnesses]
        moments = sorted(
            (word.timestamp for word in verify_cosignatures(parse_note(note), vkeys)), reverse=True
        )
        if not moments or len(moments) < trust.witness_threshold:
            return None
        at = moments[max(trust.witness_threshold, 1) - 1]
        return Cosigned(note, size, len(moments), at)


def _derive_name(origin: str) -> str:
    return f"witnessed:{origin}"
