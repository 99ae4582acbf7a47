"""What a dishonest broker could hand out, by name, and what every checker must say of it.

Each is made from the honest bundle of `build_world`; the value is a code, or a status where it is
no refusal. `tests/protocol/test_completeness.py` holds Python's checker against them,
`tests/party/test_check_page.py` the page in a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.completeness import CompletenessBundle, Roll, RollEntry, TagRoot
from datwat.protocol.entry import ENTRY_LENGTH, build_tag_root_entry, derive_tag
from datwat.protocol.log_cores import Term, build_ended_entries_core
from datwat.protocol.tag_tree import build_tag_proof, derive_tag_root
from tests.protocol.completeness_world import World, build_world

Attack = Callable[[World, datetime], CompletenessBundle]


def change_roll(
    bundle: CompletenessBundle,
    number: int,
    **changes: Any,  # noqa: ANN401 - members
) -> CompletenessBundle:
    rolls = list(bundle.rolls)
    rolls[number] = rolls[number].model_copy(update=changes)
    return bundle.model_copy(update={"rolls": tuple(rolls)})


def find_open(bundle: CompletenessBundle) -> tuple[int, Roll]:
    """Return the roll that the attacks are made on: chain `open`, the newest quarter."""
    return next(
        (number, roll)
        for number, roll in enumerate(bundle.rolls)
        if (roll.audience, roll.quarter) == ("open", "2026Q4")
    )


def change_entries(
    bundle: CompletenessBundle, change: Callable[[list[RollEntry]], list[RollEntry]]
) -> CompletenessBundle:
    number, roll = find_open(bundle)
    return change_roll(bundle, number, entries=tuple(change(list(roll.entries))))


def renumber(entries: Sequence[RollEntry]) -> list[RollEntry]:
    return [one.model_copy(update={"n": place}) for place, one in enumerate(entries)]


def change_entry(
    bundle: CompletenessBundle,
    number: int,
    **changes: Any,  # noqa: ANN401 - members
) -> CompletenessBundle:
    def change(entries: list[RollEntry]) -> list[RollEntry]:
        entries[number] = entries[number].model_copy(update=changes)
        return entries

    return change_entries(bundle, change)


def first_withheld(world: World, now: datetime) -> CompletenessBundle:
    return change_entries(world.maker.build(world.person, now=now), lambda found: found[1:])


def first_withheld_renumbered(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    return change_entries(honest, lambda found: renumber(found[1:]))


def middle_withheld(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    return change_entries(honest, lambda found: found[:2] + found[3:])


def last_of_tree_withheld(world: World, now: datetime) -> CompletenessBundle:
    """All places of the roll after the fourth, with the best proof that there is for its end."""
    honest = world.maker.build(world.person, now=now)
    number, roll = find_open(honest)
    assert honest.tag_root is not None
    assert roll.tag_key is not None
    leaves = world.maker.leaves(honest.tag_root.size)
    end = build_tag_proof(leaves, derive_tag(roll.tag_key, 4))
    assert end.found is not None
    return change_roll(honest, number, entries=roll.entries[:4], end=end)


def last_of_tail_withheld(world: World, now: datetime) -> CompletenessBundle:
    """The newest entry, which no root covers yet: only the tail can show it."""
    honest = world.maker.build(world.person, now=now)
    number, roll = find_open(honest)
    assert honest.tag_root is not None
    assert roll.tag_key is not None
    place = len(roll.entries) - 1
    leaves = world.maker.leaves(honest.tag_root.size)
    end = build_tag_proof(leaves, derive_tag(roll.tag_key, place))
    return change_roll(honest, number, entries=roll.entries[:place], end=end)


def between_size_and_root_withheld(world: World, now: datetime) -> CompletenessBundle:
    """Without the entries from the root's size on: the tail begins after the root's own entry."""
    honest = last_of_tail_withheld(world, now)
    number, roll = find_open(honest)
    assert honest.tag_root is not None
    assert roll.tag_key is not None
    place = len(roll.entries) - 1
    assert honest.tag_root.size <= roll.entries[place].index < honest.tag_root.index
    leaves = world.maker.leaves(honest.tag_root.size)
    end = build_tag_proof(leaves, derive_tag(roll.tag_key, place))
    begins = (honest.tag_root.index + 1 - honest.tag_root.size) * ENTRY_LENGTH
    short = honest.model_copy(update={"tail": honest.tail[begins:]})
    return change_roll(short, number, entries=roll.entries[:place], end=end)


def entry_of_the_tail_replaced(world: World, now: datetime) -> CompletenessBundle:
    honest = last_of_tail_withheld(world, now)
    tail = honest.tail[:-ENTRY_LENGTH] + honest.tail[:ENTRY_LENGTH]
    return honest.model_copy(update={"tail": tail})


def payload_altered(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    payload = find_open(honest)[1].entries[1].payload
    assert payload is not None
    return change_entry(honest, 1, payload=payload.replace(b"Noord", b"Zuid!"))


def core_altered(world: World, now: datetime) -> CompletenessBundle:
    return change_entry(world.maker.build(world.person, now=now), 1, core=b'{"v":2}')


def contents_called_erased(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    gone = {"core": None, "salt": None, "payload": None, "commit": b"x" * 32}
    return change_entry(honest, 1, **gone)


def duplicate_tag_in_the_tail(world: World, now: datetime) -> CompletenessBundle:
    world.maker.write(world.person, "open", "2026Q4", number=7)
    return world.maker.build(world.person, now=now)


def duplicate_tag_after_the_root(world: World, now: datetime) -> CompletenessBundle:
    world.maker.write(world.person, "open", "2026Q4", number=2)
    return world.maker.build(world.person, now=now)


def duplicate_shown_instead(world: World, now: datetime) -> CompletenessBundle:
    """The second entry of a tag is shown, and the first, which lies in the tree, is hidden."""
    second = world.maker.write(world.person, "open", "2026Q4", number=2)
    world.person.rolls["open", "2026Q4"][2] = second
    return world.maker.build(world.person, now=now)


def older_root_with_a_short_tail(world: World, now: datetime) -> CompletenessBundle:
    """What lies between the two roots would be in neither."""
    honest = world.maker.build(world.person, now=now)
    older = world.maker.build(world.person, now=now, tag_root=world.maker.tag_roots[0])
    return honest.model_copy(update={"tag_root": older.tag_root, "peaks": older.peaks})


def proofs_under_an_older_root(world: World, now: datetime) -> CompletenessBundle:
    """The opened entry is hidden: the older root does not have its tag yet."""
    honest = world.maker.build(world.person, now=now)
    number, roll = find_open(honest)
    assert roll.tag_key is not None
    leaves = world.maker.leaves(world.maker.tag_roots[0].size)
    end = build_tag_proof(leaves, derive_tag(roll.tag_key, 6))
    return change_roll(honest, number, entries=roll.entries[:6], end=end)


def root_that_the_log_does_not_state(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    assert honest.tag_root is not None
    changed = honest.tag_root.model_copy(update={"root": b"r" * 32})
    return honest.model_copy(update={"tag_root": changed})


def root_of_entries_to_come(world: World, now: datetime) -> CompletenessBundle:
    """The log states a root over entries that come after it: nobody could check it then."""
    maker = world.maker
    place = len(maker.entries)
    maker.entries.append(b"")
    maker.write(world.person, "open", "2026Q4")
    size = len(maker.entries)
    maker.entries[place] = build_tag_root_entry(size, bytes(32))
    root = derive_tag_root(maker.leaves(size))
    maker.entries[place] = build_tag_root_entry(size, root)
    stated = TagRoot(index=place, size=size, root=root, path=())
    return maker.build(world.person, now=now, tag_root=stated)


def another_persons_entry(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    theirs = find_open(world.maker.build(world.other, now=now))[1].entries[1]
    return change_entry(
        honest, 1, **{name: getattr(theirs, name) for name in RollEntry.model_fields}
    )


def another_logs_bundle(world: World, now: datetime) -> CompletenessBundle:
    elsewhere = build_world("log.example/log/2", seed=9)
    return elsewhere.maker.build(elsewhere.person, now=now)


def another_log_under_this_name(world: World, now: datetime) -> CompletenessBundle:
    elsewhere = build_world(seed=9)
    return elsewhere.maker.build(elsewhere.person, now=now)


def own_chain_left_out(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    rolls = tuple(roll for roll in honest.rolls if roll.audience == "open")
    return honest.model_copy(update={"rolls": rolls})


def one_roll_shown_as_two(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    (number, roll) = find_open(honest)
    return change_roll(honest, number + 1, **{**dict(roll), "audience": "own"})


def told_later_otherwise(world: World, now: datetime) -> CompletenessBundle:
    """The entry that was delayed is named at a place where the log holds another one."""
    honest = world.maker.build(world.person, now=now)
    return change_entry(honest, 6, earlier=None)


def opened_before_it_was_written(world: World, now: datetime) -> CompletenessBundle:
    """What is said to have waited was written after its opening."""
    maker = world.maker
    waiting = maker.write(world.delayed, "delayed", "2026Q4")
    waiting.index += 1
    opened = maker.open(world.person, waiting, "2026Q4")
    opened.index -= 1
    maker.entries[-2:] = maker.entries[-1], maker.entries[-2]
    return maker.build(world.person, now=now)


def change_delayed(
    bundle: CompletenessBundle,
    **changes: Any,  # noqa: ANN401 - members
) -> CompletenessBundle:
    """Return the auditor's bundle with its oldest entry changed."""
    number = next(number for number, roll in enumerate(bundle.rolls) if roll.entries)
    first, *others = bundle.rolls[number].entries
    entries = (first.model_copy(update=changes), *others)
    return change_roll(bundle, number, entries=entries)


def opened_by_another_entrys_opening(world: World, now: datetime) -> CompletenessBundle:
    waiting = world.maker.write(world.delayed, "delayed", "2026Q3")
    opening = world.maker.build_stated(world.maker.open(world.person, waiting, "2026Q4", now))
    return change_delayed(build_delayed(world, now), opening=opening)


def opening_that_the_log_does_not_hold(world: World, now: datetime) -> CompletenessBundle:
    honest = build_delayed(world, now)
    opening = next(roll for roll in honest.rolls if roll.entries).entries[0].opening
    assert opening is not None
    forged = opening.model_copy(update={"payload_hash": b"p" * 32})
    return change_delayed(honest, opening=forged)


def longer_term_that_the_log_does_not_hold(world: World, now: datetime) -> CompletenessBundle:
    term = build_long_term(now)
    core = encode_canonical({"v": 1, "type": "act", "term": term.model_dump(mode="json")})
    stated = world.maker.build_stated(world.delayed.rolls["delayed", "2026Q3"][0])
    forged = stated.model_copy(update={"core": core})
    return change_delayed(build_delayed(world, now), terms=(forged,))


def term_declared_after_the_entry(world: World, now: datetime) -> CompletenessBundle:
    """The term of somebody else's later declaration, which ends later."""
    (waiting,) = world.delayed.rolls["delayed", "2026Q4"]
    waiting.terms = (world.maker.declare(world.delayed, "2026Q4", build_long_term(now)),)
    return build_delayed(world, now)


def newest_term_shown_first(world: World, now: datetime) -> CompletenessBundle:
    """So that the one which was declared first, and is longer, would count."""
    waiting = world.maker.declare(world.delayed, "2026Q4", build_long_term(now))
    shorter = Term(at=now, until_at=now, opening="automatic")
    world.maker.declare(world.delayed, "2026Q4", shorter, [waiting])
    waiting.terms = (waiting, *waiting.terms[::-1])
    return build_delayed(world, now)


def opening_written_before_the_entry(world: World, now: datetime) -> CompletenessBundle:
    maker = world.maker
    waiting = maker.write(world.delayed, "delayed", "2026Q4")
    waiting.index += 1
    opening = maker.open(world.person, waiting, "2026Q4", now)
    opening.index -= 1
    maker.openings = {waiting.index: opening}
    maker.entries[-2:] = maker.entries[-1], maker.entries[-2]
    return build_delayed(world, now)


def term_moved_after_the_opening(world: World, now: datetime) -> CompletenessBundle:
    waiting = world.maker.declare(
        world.delayed, "2026Q4", Term(at=now, until_at=now, opening="automatic")
    )
    world.maker.open(world.person, waiting, "2026Q4", now)
    world.maker.declare(world.delayed, "2026Q4", build_long_term(now), [waiting])
    return build_delayed(world, now)


def end_told_of_another_entry(world: World, now: datetime) -> CompletenessBundle:
    waiting = world.delayed.rolls["delayed", "2026Q4"][0]
    waiting.is_erased = True
    core = build_ended_entries_core([waiting.index + 1])
    waiting.ended = world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return build_delayed(world, now)


def end_that_the_log_does_not_hold(world: World, now: datetime) -> CompletenessBundle:
    waiting = world.delayed.rolls["delayed", "2026Q3"][0]
    waiting.is_erased = True
    waiting.ended = world.maker.openings.pop(waiting.index)
    waiting.ended.core = build_ended_entries_core([waiting.index])
    return build_delayed(world, now)


def end_told_of_what_is_still_there(world: World, now: datetime) -> CompletenessBundle:
    waiting = world.delayed.rolls["delayed", "2026Q3"][0]
    core = build_ended_entries_core([waiting.index])
    told = world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return change_delayed(build_delayed(world, now), ended=world.maker.build_stated(told))


def build_long_term(now: datetime) -> Term:
    return Term(at=now, until_at=now + timedelta(days=900), opening="automatic")


def build_delayed(world: World, now: datetime) -> CompletenessBundle:
    return world.maker.build(world.delayed, "auditor", now=now)


def cosignature_forged(world: World, now: datetime) -> CompletenessBundle:
    honest = world.maker.build(world.person, now=now)
    other = world.maker.build(world.person, now=now + timedelta(seconds=1))
    lines = honest.checkpoint.splitlines(keepends=True)
    text, forged = other.checkpoint.splitlines(keepends=True)[-1].rsplit(" ", 1)
    good = lines[-1].rsplit(" ", 1)[1]
    lines[-1] = f"{text} {good[:24]}{forged[24:]}"
    return honest.model_copy(update={"checkpoint": "".join(lines)})


def too_few_cosignatures(world: World, now: datetime) -> CompletenessBundle:
    note = world.maker.note({"witness1.example": now})
    return world.maker.build(world.person, now=now).model_copy(update={"checkpoint": note})


def cosignatures_of_the_future(world: World, now: datetime) -> CompletenessBundle:
    ahead = now + timedelta(minutes=5)
    note = world.maker.note(dict.fromkeys(world.maker.witnesses, ahead))
    return world.maker.build(world.person, now=now).model_copy(update={"checkpoint": note})


def too_old_cosignatures(world: World, now: datetime) -> CompletenessBundle:
    return world.maker.build(world.person, now=now - timedelta(minutes=16))


def one_cosignature_too_old(world: World, now: datetime) -> CompletenessBundle:
    moments = {"witness1.example": now, "witness2.example": now - timedelta(hours=2)}
    note = world.maker.note(moments)
    return world.maker.build(world.person, now=now).model_copy(update={"checkpoint": note})


ATTACKS: dict[Attack, str] = {
    first_withheld: "completeness_gap",
    first_withheld_renumbered: "completeness_place",
    middle_withheld: "completeness_gap",
    last_of_tree_withheld: "completeness_end",
    last_of_tail_withheld: "completeness_end",
    between_size_and_root_withheld: "completeness_tail",
    entry_of_the_tail_replaced: "completeness_tail",
    payload_altered: "completeness_entry",
    core_altered: "completeness_entry",
    contents_called_erased: "completeness_entry",
    duplicate_tag_in_the_tail: "tag_twice",
    duplicate_tag_after_the_root: "tag_twice",
    duplicate_shown_instead: "tag_twice",
    older_root_with_a_short_tail: "completeness_tail",
    proofs_under_an_older_root: "completeness_end",
    root_that_the_log_does_not_state: "completeness_tag_root",
    root_of_entries_to_come: "completeness_tag_root",
    another_persons_entry: "completeness_place",
    another_logs_bundle: "completeness_other_log",
    another_log_under_this_name: "checkpoint_unsigned",
    own_chain_left_out: "completeness_rolls",
    one_roll_shown_as_two: "completeness_rolls",
    told_later_otherwise: "completeness_opened",
    opened_before_it_was_written: "completeness_opened",
    opened_by_another_entrys_opening: "completeness_opening",
    opening_that_the_log_does_not_hold: "completeness_opening",
    longer_term_that_the_log_does_not_hold: "completeness_term",
    term_declared_after_the_entry: "completeness_term",
    term_moved_after_the_opening: "completeness_term",
    newest_term_shown_first: "completeness_term",
    opening_written_before_the_entry: "completeness_opening",
    end_told_of_another_entry: "completeness_ended",
    end_that_the_log_does_not_hold: "completeness_ended",
    end_told_of_what_is_still_there: "completeness_ended",
    cosignature_forged: "checkpoint_signature_invalid",
    too_few_cosignatures: "not_witnessed",
    cosignatures_of_the_future: "not_witnessed",
    too_old_cosignatures: "proved_until",
    one_cosignature_too_old: "proved_until",
}
