"""What a partner holds of the log about one client, and holding it against a resident's bundle.

Rule: a source or requester lists what it may not keep quiet (`notice` later: once it was opened);
the resident compares it. An entry that a partner holds and the bundle lacks was written under
another roll than the one the resident was given. Pure. Source: AVG 15; house rules of the log
("Residual trust").
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from datwat.protocol.canonical import CanonicalError, decode_strict
from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.deliveries import OpenedCore
from datwat.protocol.entry import build_person_entry, derive_commit, derive_quarter
from datwat.protocol.errors import ProtocolError
from datwat.protocol.values import Bytes32, BytesUpTo64K, Moment, PartyId, Slug, Value

MAX_HELD_BYTES = 32 * 1_048_576
# A partner's clock, and how long what it was told may lie behind what was written.
_AROUND = timedelta(minutes=15)

State = Literal["shown", "missing", "other_contents", "not_covered"]


class HeldFormError(ProtocolError):
    """Not what `datwat connector entries --json` prints."""

    code = "held_entries_form"
    default_detail = "This is not a list of entries as `datwat connector entries --json` prints it."


class HeldLogError(ProtocolError):
    """Entries of another log than the bundle's."""

    code = "held_entries_log"
    default_detail = "These entries are of another log than the bundle."


class HeldEntry(Value):
    """One entry as a partner holds it: its half, the hash of the resident's, and its stub."""

    index: Annotated[int, Field(ge=0, lt=2**53)]
    role: Literal["requester", "source"]
    act: Slug
    at: Moment
    core: BytesUpTo64K
    payload_hash: Bytes32
    tag: Bytes32

    @property
    def commit(self) -> bytes:
        """What the log holds under the stub, if the partner says so truly."""
        return derive_commit(self.core, self.payload_hash)


class HeldEntries(Value):
    """All that one partner holds about one client, the newest first."""

    v: Literal[1]
    type: Literal["held_entries"]
    partner: PartyId
    origin: str = Field(max_length=250)
    entries: tuple[HeldEntry, ...] = Field(max_length=100_000)


class Compared(Value):
    """What became of one entry of a partner.

    `shown`: it is in the bundle. `missing`: it should be and is not. `other_contents`: the bundle
    holds something else at its place. `not_covered`: the bundle says nothing about it (another
    quarter, newer than the bundle, or not for its reader).
    `in_log`: the log holds it; None where the bundle does not reach that far back.
    """

    entry: HeldEntry
    state: State
    in_log: bool | None


def read_held(data: bytes) -> HeldEntries:
    """Return a partner's list; raise HeldFormError for anything else."""
    try:
        decode_strict(data, max_bytes=MAX_HELD_BYTES)
        return HeldEntries.model_validate_json(data)
    except (CanonicalError, ValidationError):
        raise HeldFormError from None


def compare_held(bundle: CompletenessBundle, size: int, held: HeldEntries) -> tuple[Compared, ...]:
    """Return what a bundle, checked before, says of each entry of a partner, in the same order.

    `size` is that of the log at the bundle's checkpoint.

    Raises:
        HeldLogError: they are of another log.
    """
    if held.origin != bundle.origin:
        raise HeldLogError
    shown = _list_shown(bundle)
    tail = bundle.read_tail()
    begins = size - len(tail)
    found = []
    for entry in held.entries:
        in_log = None
        if begins <= entry.index < size:
            leaf = build_person_entry(entry.tag, entry.commit)
            in_log = hmac.compare_digest(tail[entry.index - begins], leaf)
        state = _find_state(entry, shown.get(entry.index), bundle, size)
        in_log = True if state == "shown" else in_log
        found.append(Compared(entry=entry, state=state, in_log=in_log))
    return tuple(found)


def find_missing(compared: Sequence[Compared]) -> tuple[Compared, ...]:
    """Return those that say that something was withheld or changed."""
    return tuple(one for one in compared if one.state in ("missing", "other_contents"))


def _list_shown(bundle: CompletenessBundle) -> dict[int, bytes]:
    """Return the commits that a bundle shows, by index, those that it tells later included."""
    shown: dict[int, bytes] = {}
    for entry in (entry for roll in bundle.rolls for entry in roll.entries):
        shown[entry.index] = entry.find_commit() or b""
        if entry.earlier is not None:  # its core was checked
            opened = OpenedCore.model_validate_json(entry.core or b"")
            shown[opened.index] = opened.commit
    return shown


def _find_state(
    entry: HeldEntry, commit: bytes | None, bundle: CompletenessBundle, size: int
) -> State:
    if commit is not None:
        return "shown" if hmac.compare_digest(commit, entry.commit) else "other_contents"
    near = {derive_quarter(entry.at - _AROUND), derive_quarter(entry.at + _AROUND)}
    is_covered = bundle.view == "self" and entry.index < size and near <= set(bundle.quarters)
    return "missing" if is_covered else "not_covered"
