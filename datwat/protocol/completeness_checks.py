"""The check of a completeness bundle: what it proves, until when, and what it does not. Pure.

Rule: whatever was withheld, changed or put elsewhere is refused with a code of its own; too few or
too old cosignatures refuse nothing: they say how far the proof reaches. Numbered as in
docs/reference/protocol.md section 12; the page of `datwat/party/check_page.py` does the same.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from datwat.protocol.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    verify_checkpoint,
    verify_cosignatures,
)
from datwat.protocol.completeness import VIEWS, CompletenessBundle, Roll, View, read_bundle
from datwat.protocol.completeness_delayed import DelayedCounts, count_delayed
from datwat.protocol.completeness_ended import count_unannounced
from datwat.protocol.completeness_entries import Base, build_base, check_entry
from datwat.protocol.completeness_errors import (
    EntryChangedError,
    GapError,
    OlderBundleError,
    OtherLogError,
    OtherRollError,
    RollsError,
)
from datwat.protocol.entry import derive_tag
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.notes import parse_note
from datwat.protocol.order_checks import COSIGNED_WITHIN
from datwat.protocol.trust import TrustList
from datwat.protocol.values import Bytes32, Moment, Value

Status = Literal["proved", "proved_until", "not_witnessed", "entries_only"]
Finding = Literal["overdue", "late", "unjudged", "undated", "unannounced"]


@dataclass(frozen=True, slots=True)
class LogTrust:
    """Whom to believe, from outside: the log's name and keys, its witnesses, and how many count."""

    origin: str
    vkeys: tuple[str, ...]
    witnesses: tuple[str, ...]
    threshold: int

    @classmethod
    def from_list(cls, trust: TrustList) -> LogTrust:
        """Return what a trust list says of log and witnesses."""
        witnesses = tuple(witness.vkey for witness in trust.witnesses)
        return cls(trust.log.origin, trust.log.vkeys, witnesses, trust.witness_threshold)


class RollVerdict(Value):
    """What was found in one roll: entries, and those without contents.

    `unannounced`: of these, for how many nothing in the bundle says that their contents ended.
    `delayed` (the auditor's roll only, which shows nobody's contents): what each entry is found to
    be.
    """

    audience: str
    quarter: str
    entries: int
    erased: int
    unannounced: int
    delayed: DelayedCounts | None = None


class Verdict(Value):
    """What a bundle that holds proves.

    `proved`: nothing is missing, as of `until`. `proved_until`: the same, but that is over 15
    minutes ago. `not_witnessed`: nothing is missing from what the log shows, but fewer witnesses
    than needed saw that it shows everybody the same. `entries_only`: the entries stand in the log;
    nothing is said about others.
    `findings`: what else was found in the rolls, gravest first, that somebody should look at.
    `left_out`: stretches of quarters between the first of the bundle and `until` (else: now) about
    which it says nothing, such as 2026Q2 or 2026Q2-2026Q4.
    """

    status: Status
    view: View
    origin: str
    size: int
    root: Bytes32
    until: Moment | None
    cosigned: int
    threshold: int
    rolls: tuple[RollVerdict, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]


def check_bundle(data: bytes, trust: LogTrust, now: datetime) -> Verdict:
    """Return what the bundle in `data` proves; `now` is aware.

    Raises:
        CompletenessError, NoteError, TagTwiceError: it does not hold; each case has its own code.
    """
    return check_parsed(read_bundle(data), trust, now)


def check_parsed(bundle: CompletenessBundle, trust: LogTrust, now: datetime) -> Verdict:
    """Return what a bundle proves; see `check_bundle`."""
    if not hmac.compare_digest(bundle.origin.encode(), trust.origin.encode()):
        raise OtherLogError
    note = bundle.checkpoint.encode()
    checkpoint = verify_checkpoint(note, trust.origin, trust.vkeys)  # step 2
    moments = [
        word.timestamp
        for word in verify_cosignatures(parse_note(note), trust.witnesses)
        if word.timestamp <= (now + CLOCK_SKEW).timestamp()
    ]
    _require_rolls(bundle)  # step 3
    shared = bundle.view == "somebody_else"
    base = None if shared else build_base(bundle, checkpoint)  # steps 4 and 5
    until = _find_moment(moments, trust.threshold)
    for roll in bundle.rolls:
        _check_roll(roll, base, checkpoint)  # steps 6 to 8
    rolls = tuple(_judge_roll(roll, bundle, checkpoint, until or now) for roll in bundle.rolls)
    return Verdict(
        status="entries_only" if shared else _find_status(until, now),
        view=bundle.view,
        origin=bundle.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        until=until,
        cosigned=len(moments),
        threshold=trust.threshold,
        rolls=rolls,
        findings=tuple(_list_findings(rolls)),
        left_out=() if shared else list_left_out(bundle.quarters, until or now),
    )


def require_continued(bundle: CompletenessBundle, earlier: CompletenessBundle) -> None:
    """Hold a bundle against an earlier one of the same person; both were checked before.

    A roll that is in both has one key, and begins with the entries that it had.

    Raises:
        OtherRollError: another roll, or another person's.
        OlderBundleError: this is the older of the two.
    """
    if _read_size(bundle) < _read_size(earlier):
        raise OlderBundleError
    rolls = {(roll.audience, roll.quarter): roll for roll in bundle.rolls}
    for before in earlier.rolls:
        roll = rolls.get((before.audience, before.quarter))
        if roll is None:
            continue
        same = [(one.index, one.find_commit()) for one in before.entries]
        now = [(one.index, one.find_commit()) for one in roll.entries]
        if roll.tag_key != before.tag_key or now[: len(same)] != same:
            raise OtherRollError


def list_left_out(quarters: Sequence[str], until: datetime) -> tuple[str, ...]:
    """Return the stretches that these quarters, in order, leave out up to that of `until`."""
    numbers = [4 * int(quarter[:4]) + int(quarter[5]) - 1 for quarter in quarters]
    last = 4 * until.year + (until.month - 1) // 3
    following = [*numbers[1:], max(last, numbers[-1]) + 1]
    gaps = [
        (before + 1, after - 1)
        for before, after in zip(numbers, following, strict=True)
        if after - before > 1
    ]
    return tuple(
        _spell(first) if first == end else f"{_spell(first)}-{_spell(end)}" for first, end in gaps
    )


def _spell(number: int) -> str:
    return f"{number // 4:04}Q{number % 4 + 1}"


def _require_rolls(bundle: CompletenessBundle) -> None:
    """Step 3: each chain of this view, of each quarter, once, with a key or (a copy) without."""
    shared = bundle.view == "somebody_else"
    by_quarter: dict[str, list[str]] = {}
    for roll in bundle.rolls:
        by_quarter.setdefault(roll.quarter, []).append(roll.audience)
        if (roll.tag_key is None) != shared or (roll.end is None) != shared:
            raise RollsError
    found = {frozenset(audiences) for audiences in by_quarter.values()}
    if len(found) != 1 or not found & set(VIEWS[bundle.view]):
        raise RollsError
    if any(len(set(audiences)) != len(audiences) for audiences in by_quarter.values()):
        raise RollsError
    keys = [roll.tag_key for roll in bundle.rolls if roll.tag_key is not None]
    if len(set(keys)) != len(keys):
        raise RollsError
    if shared and (bundle.tag_root is not None or bundle.peaks or bundle.tail):
        raise RollsError


def _check_roll(roll: Roll, base: Base | None, checkpoint: Checkpoint) -> None:
    """Steps 6 to 8 for one roll."""
    for place, entry in enumerate(roll.entries):
        if entry.n != place:
            raise GapError
        if (entry.tag is None) != (roll.tag_key is not None):
            raise RollsError
        if entry.is_judged and roll.audience != "delayed":
            raise RollsError
        if roll.audience == "delayed" and entry.core is not None:
            raise EntryChangedError  # the auditor sees hashes only
        tag = entry.tag or derive_tag(roll.tag_key or b"", place)
        check_entry(entry, tag, base, checkpoint)
    if base is not None and roll.tag_key is not None and roll.end is not None:
        base.require_empty(derive_tag(roll.tag_key, len(roll.entries)), roll.end)


def _judge_roll(
    roll: Roll, bundle: CompletenessBundle, checkpoint: Checkpoint, moment: datetime
) -> RollVerdict:
    """Steps 9 to 12 for one roll."""
    delayed = roll.audience == "delayed"
    return RollVerdict(
        audience=roll.audience,
        quarter=roll.quarter,
        entries=len(roll.entries),
        erased=sum(entry.is_erased for entry in roll.entries),
        unannounced=0 if delayed else count_unannounced(roll, bundle.rolls),
        delayed=count_delayed(roll.entries, checkpoint, moment) if delayed else None,
    )


def _list_findings(rolls: Sequence[RollVerdict]) -> Iterator[Finding]:
    counts = [roll.delayed for roll in rolls if roll.delayed is not None]
    if any(one.overdue for one in counts):
        yield "overdue"
    if any(one.late for one in counts):
        yield "late"
    if any(one.unjudged for one in counts):
        yield "unjudged"
    if any(one.waiting_undated or one.opened_undated for one in counts):
        yield "undated"
    if any(roll.unannounced for roll in rolls):
        yield "unannounced"


def _find_moment(moments: Sequence[int], threshold: int) -> datetime | None:
    """Return the last moment at which enough witnesses vouched; None where they never did."""
    if not threshold or len(moments) < threshold:
        return None
    try:
        return datetime.fromtimestamp(sorted(moments, reverse=True)[threshold - 1], UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _find_status(until: datetime | None, now: datetime) -> Status:
    if until is None:
        return "not_witnessed"
    return "proved" if now - until <= COSIGNED_WITHIN + CLOCK_SKEW else "proved_until"


def _read_size(bundle: CompletenessBundle) -> int:
    return parse_checkpoint(parse_note(bundle.checkpoint.encode()).text).size
