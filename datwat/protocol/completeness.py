r"""The bundle by which somebody proves to themselves that no entry about them is missing.

Rule: a bundle is the only thing that its checker reads of the log; keys of log and witnesses never
come from it. It names chains by their key of one quarter, so that whoever sees it can follow no
other quarter; a copy for somebody else has no keys at all.

One JSON document (`CompletenessBundle`):

    a roll       a chain in a quarter: its k_tag, its entries 0 … n-1, and the proof that place n is
                 empty under the tag root
    tag_root     the newest entry of type 02 below the checkpoint: the root over the tags of the
                 first `size` entries (absent: `size` is 0, and the tail is the whole log)
    peaks, tail  the complete subtrees of the first `size` entries, largest first, and every entry
                 from there to the checkpoint, 66 bytes each: together they make its root

Source: house rules of the log ("Completeness"); docs/explanation/completeness.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from datwat.protocol.canonical import CanonicalError, TooLargeError, decode_strict
from datwat.protocol.completeness_errors import BundleFormError, BundleTooLargeError
from datwat.protocol.entry import (
    ENTRY_LENGTH,
    Audience,
    derive_commit,
    derive_commit_of,
    derive_payload_hash,
    derive_tag,
)
from datwat.protocol.tag_tree import TagProof
from datwat.protocol.values import Bytes32, BytesUpTo16M, BytesUpTo64K, Quarter, Value

MAX_BUNDLE_BYTES = 32 * 1_048_576
MAX_QUARTERS = 40
MAX_TERMS = 1_000
_MAX_ENTRIES = 100_000

View = Literal["self", "representative", "auditor", "somebody_else"]
_Index = Annotated[int, Field(ge=0, lt=2**53)]
_One = Annotated[int, Field(ge=1, le=1)]  # a Literal would take `true` for it
_Path = Annotated[tuple[Bytes32, ...], Field(max_length=64)]

VIEWS: dict[View, tuple[frozenset[Audience], ...]] = {
    "self": (frozenset({"open", "own"}),),
    "representative": (frozenset({"open"}),),
    "auditor": (frozenset({"delayed"}),),
    "somebody_else": (frozenset({"open", "own"}), frozenset({"open"})),
}
"""The chains that a bundle holds of each of its quarters, by who may read it."""


class EarlierEntry(Value):
    """Where the log holds the entry that could not be shown before: its stub and its path."""

    tag: Bytes32
    path: _Path


class StatedEntry(Value):
    """An entry that states something of a delayed one, without the person's half of it."""

    index: _Index
    tag: Bytes32
    core: BytesUpTo64K
    payload_hash: Bytes32
    path: _Path


class RollEntry(Value):
    """Place `n` of a roll: both halves of its entry, and where it lies.

    The halves are `core`, `salt` and `payload`; for the auditor the hashes of both (`core_hash`,
    `payload_hash`); `commit` alone where the contents are gone. `path` leads to the checkpoint's
    root, `place` to the tag root (where the entry lies in the tail: that its stub lies nowhere
    else). `tag` is there, and `place` is not, where the roll has no key. `earlier` belongs to an
    entry that opens a delayed one. To a delayed one belong `terms`, the entries by which its term
    was declared and moved, `opening`, that which opened it, and `ended`, that which told its person
    that its contents ended.
    """

    n: _Index
    index: _Index
    core: BytesUpTo64K | None = None
    salt: Bytes32 | None = None
    payload: BytesUpTo64K | None = Field(default=None, repr=False)
    core_hash: Bytes32 | None = None
    payload_hash: Bytes32 | None = None
    commit: Bytes32 | None = None
    path: _Path
    place: TagProof | None = None
    tag: Bytes32 | None = None
    earlier: EarlierEntry | None = None
    terms: tuple[StatedEntry, ...] = Field(default=(), max_length=MAX_TERMS)
    opening: StatedEntry | None = None
    ended: StatedEntry | None = None

    @property
    def is_erased(self) -> bool:
        """Whether its contents are gone: what it said can no longer be told."""
        return self.commit is not None

    @property
    def is_judged(self) -> bool:
        """Whether it has what only a delayed entry may have."""
        return bool(self.terms) or self.opening is not None or self.ended is not None

    def find_commit(self) -> bytes | None:
        """Return what the entry commits to; None where it says that in no way, or in two."""
        halves = (self.core, self.salt, self.payload)
        match (*halves, self.core_hash, self.payload_hash, self.commit):
            case (None, None, None, None, None, bytes() as commit):
                return commit
            case (bytes() as core, bytes() as salt, bytes() as payload, None, None, None):
                return derive_commit(core, derive_payload_hash(salt, payload))
            case (None, None, None, bytes() as core_hash, bytes() as payload_hash, None):
                return derive_commit_of(core_hash, payload_hash)
        return None


class Roll(Value):
    """One chain in one quarter: `end` proves that the place after the last entry is empty."""

    audience: Audience
    quarter: Quarter
    tag_key: Bytes32 | None = Field(repr=False)
    entries: tuple[RollEntry, ...] = Field(max_length=_MAX_ENTRIES)
    end: TagProof | None


class TagRoot(Value):
    """The entry of type 02 that is used: where it lies, and what it states."""

    index: _Index
    size: Annotated[int, Field(ge=1, lt=2**53)]
    root: Bytes32
    path: _Path


class CompletenessBundle(Value):
    """See the module; for whom it was made is in `view`."""

    v: _One
    type: Literal["completeness"]
    view: View
    origin: str = Field(max_length=250)
    checkpoint: str = Field(max_length=65_536)
    tag_root: TagRoot | None
    peaks: _Path
    tail: BytesUpTo16M
    rolls: tuple[Roll, ...] = Field(min_length=1, max_length=2 * MAX_QUARTERS)

    @property
    def quarters(self) -> tuple[str, ...]:
        """The quarters of the rolls, each once, in order."""
        return tuple(sorted({roll.quarter for roll in self.rolls}))

    def read_tail(self) -> list[bytes]:
        """Return the entries of the tail; what is left over at its end is one that is too short."""
        starts = range(0, len(self.tail), ENTRY_LENGTH)
        return [self.tail[start : start + ENTRY_LENGTH] for start in starts]


def read_bundle(data: bytes) -> CompletenessBundle:
    """Return the bundle in a file or an answer; nothing of it is proved yet.

    Raises:
        BundleTooLargeError: more than 32 MiB.
        BundleFormError: anything but a bundle of this version.
    """
    try:
        decode_strict(data, max_bytes=MAX_BUNDLE_BYTES)
        return CompletenessBundle.model_validate_json(data)
    except TooLargeError:
        raise BundleTooLargeError from None
    except (CanonicalError, ValidationError):
        raise BundleFormError from None


def build_copy(bundle: CompletenessBundle) -> CompletenessBundle:
    """Return the copy for somebody else, who can follow nothing with it.

    It shows that each entry stands in the log, and nothing about others: no keys, no places in the
    rolls, no tail.
    """
    rolls = tuple(
        roll.model_copy(
            update={
                "tag_key": None,
                "end": None,
                "entries": tuple(_build_copied(entry, roll.tag_key) for entry in roll.entries),
            }
        )
        for roll in bundle.rolls
    )
    return bundle.model_copy(
        update={"view": "somebody_else", "rolls": rolls, "tag_root": None, "peaks": (), "tail": b""}
    )


def _build_copied(entry: RollEntry, tag_key: bytes | None) -> RollEntry:
    tag = entry.tag if tag_key is None else derive_tag(tag_key, entry.n)
    return entry.model_copy(update={"tag": tag, "place": None})
