"""One entry of a completeness bundle, held against the log: steps 4 to 8 of the check. Pure.

Rule: a stub lies at its own place and nowhere else, in the tree of tags and in the tail alike; the
log holds, under that stub, exactly the contents that are shown. Numbered as in
docs/reference/protocol.md section 12.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datwat.protocol.canonical import CanonicalError, decode_strict
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.completeness import CompletenessBundle, RollEntry
from datwat.protocol.completeness_errors import (
    CompletenessError,
    EndError,
    EntryChangedError,
    OpenedError,
    PlaceError,
    TagRootError,
    TailError,
)
from datwat.protocol.deliveries import OpenedCore
from datwat.protocol.entry import (
    Entry,
    EntryError,
    EntryType,
    build_person_entry,
    build_tag_root_entry,
    derive_commit,
    derive_leaf_hash,
    derive_payload_hash,
    parse_entry,
)
from datwat.protocol.log_cores import find_stated
from datwat.protocol.merkle import InclusionError, derive_peaks, derive_root, verify_inclusion
from datwat.protocol.tag_tree import (
    EMPTY,
    TagProof,
    TagProofError,
    TagTwiceError,
    require_no_tag,
    require_tag,
)
from datwat.protocol.values import decode_bytes


@dataclass(frozen=True, slots=True)
class Base:
    """What presence and absence are held against: the tag root, and the tail after it."""

    size: int
    root: bytes
    tail: Sequence[Entry]
    tags: frozenset[bytes]

    def require_empty(self, tag: bytes, proof: TagProof) -> None:
        """Step 6: raise EndError unless no entry of the whole log has this tag."""
        if tag in self.tags:
            raise EndError
        try:
            require_no_tag(proof, tag, self.root)
        except TagProofError:
            raise EndError from None

    def require_place(self, tag: bytes, index: int, proof: TagProof) -> None:
        """Step 7: the entry at `index`, and no other, has this tag.

        Raises:
            PlaceError: it has another tag, or that is not proved.
            TagTwiceError: another entry has the same tag.
        """
        in_tree = index < self.size
        found = proof.found is not None and hmac.compare_digest(proof.found.tag, tag)
        if (in_tree and tag in self.tags) or (not in_tree and found):
            raise TagTwiceError
        try:
            if in_tree:
                require_tag(proof, tag, index, self.root)
            else:
                self._require_in_tail(tag, index - self.size)
                require_no_tag(proof, tag, self.root)
        except TagProofError:
            raise PlaceError from None

    def _require_in_tail(self, tag: bytes, place: int) -> None:
        if place >= len(self.tail):
            raise PlaceError
        entry = self.tail[place]
        if entry.type is not EntryType.PERSON or not hmac.compare_digest(entry.ref, tag):
            raise PlaceError


def build_base(bundle: CompletenessBundle, checkpoint: Checkpoint) -> Base:
    """Steps 4 and 5: the tag root stands in the log, and nothing is left out from its size on.

    Raises:
        TagRootError: the root's entry does not stand there.
        TailError: the tail starts later, ends earlier, or holds other entries than the log.
        TagTwiceError: two entries of the tail have one tag.
    """
    size, root = 0, EMPTY
    stated = bundle.tag_root
    if stated is not None:
        size, root = stated.size, stated.root
        if stated.index < size:
            raise TagRootError
        leaf = derive_leaf_hash(build_tag_root_entry(size, root))
        try:
            verify_inclusion(leaf, stated.index, checkpoint.size, stated.path, checkpoint.root)
        except InclusionError:
            raise TagRootError from None
    raw = bundle.read_tail()
    peaks = derive_peaks(size)
    if len(raw) != checkpoint.size - size or len(bundle.peaks) != len(peaks):
        raise TailError
    before = zip((level for level, _ in peaks), bundle.peaks, strict=True)
    found = derive_root(map(derive_leaf_hash, raw), before)
    if not hmac.compare_digest(found, checkpoint.root):
        raise TailError
    tail = _parse_tail(raw)
    tags = [entry.ref for entry in tail if entry.type is EntryType.PERSON]
    if len(set(tags)) != len(tags):
        raise TagTwiceError
    return Base(size, root, tail, frozenset(tags))


def check_entry(entry: RollEntry, tag: bytes, base: Base | None, checkpoint: Checkpoint) -> None:
    """Steps 7 and 8: place, contents, and what the entry opens.

    Without a base (a copy for somebody else) only that the log holds the entry.

    Raises:
        PlaceError, EntryChangedError, OpenedError, TagTwiceError.
    """
    commit = entry.find_commit()
    if commit is None:
        raise EntryChangedError
    if (entry.place is None) != (base is None):
        raise PlaceError
    if base is not None and entry.place is not None:
        base.require_place(tag, entry.index, entry.place)
    require_logged(tag, commit, entry.index, entry.path, checkpoint, EntryChangedError)
    _check_opened(entry, checkpoint)


def _check_opened(entry: RollEntry, checkpoint: Checkpoint) -> None:
    """Step 8: what is told later is what the log held all the while, at the place named."""
    opened, earlier = find_opened(entry.core or b""), entry.earlier
    told = find_member(entry.payload, "reopened")
    if opened is None or earlier is None:
        if (opened, earlier, told) != (None, None, None):
            raise OpenedError
        return
    place = opened.index
    if place >= entry.index:
        raise OpenedError
    require_logged(earlier.tag, opened.commit, place, earlier.path, checkpoint, OpenedError)
    if entry.payload is None:  # not for this reader
        return
    try:
        salt, core, payload = (decode_bytes(told[name]) for name in ("salt", "core", "payload"))
        fits = told["index"] is not True and told["index"] == opened.index
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OpenedError from None
    commit = derive_commit(core, derive_payload_hash(salt, payload))
    if not fits or not hmac.compare_digest(commit, opened.commit):
        raise OpenedError


def require_logged(  # noqa: PLR0917 - what is looked for, and where
    tag: bytes,
    commit: bytes,
    index: int,
    path: Sequence[bytes],
    checkpoint: Checkpoint,
    refusal: type[CompletenessError],
) -> None:
    """Raise `refusal` unless the log holds the entry made of tag and commit at an index."""
    leaf = derive_leaf_hash(build_person_entry(tag, commit))
    try:
        verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)
    except InclusionError:
        raise refusal from None


def find_opened(core: bytes) -> OpenedCore | None:
    """Return which delayed entry a core opens; None for any other core."""
    return find_stated(OpenedCore, core)


def find_member(payload: bytes | None, name: str) -> Any:  # noqa: ANN401 - JSON of any kind
    """Return a member of the person's half; None where there is none, or no such half."""
    try:
        members = decode_strict(payload or b"null")
    except CanonicalError:
        return None
    return members.get(name) if isinstance(members, dict) else None


def _parse_tail(raw: Sequence[bytes]) -> list[Entry]:
    try:
        return [parse_entry(data) for data in raw]
    except EntryError:
        raise TailError from None
