"""What a partner holds, against a bundle: an entry that the bundle lacks is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from datwat.protocol.completeness_checks import check_parsed
from datwat.protocol.held_entries import (
    Compared,
    HeldEntries,
    HeldEntry,
    HeldFormError,
    HeldLogError,
    compare_held,
    find_missing,
    read_held,
)
from tests.protocol.completeness_world import NOW, ORIGIN, Chains, World, Written, build_world

PARTNER = "00000099000000001000:social-team"
IN_Q4 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def hold(*written: Written, at: datetime = IN_Q4, origin: str = ORIGIN) -> HeldEntries:
    entries = tuple(
        HeldEntry(
            index=one.index,
            role="requester",
            act="inquire",
            at=at,
            core=one.core,
            payload_hash=one.payload_hash,
            tag=one.tag,
        )
        for one in written
    )
    return HeldEntries(v=1, type="held_entries", partner=PARTNER, origin=origin, entries=entries)


def compare(world: World, held: HeldEntries, view: str = "self") -> tuple[Compared, ...]:
    bundle = world.maker.build(world.person, "self" if view == "self" else "representative")
    verdict = check_parsed(bundle, world.maker.trust, NOW)
    return compare_held(bundle, verdict.size, held)


def test_what_a_partner_holds_is_in_the_bundle() -> None:
    world = build_world()
    found = compare(world, hold(*world.person.rolls["open", "2026Q4"]))
    assert {(one.state, one.in_log) for one in found} == {("shown", True)}
    assert find_missing(found) == ()


def test_what_was_told_later_is_found_at_its_first_place() -> None:
    world = build_world()
    (waited,) = world.delayed.rolls["delayed", "2026Q3"]
    assert [one.state for one in compare(world, hold(waited))] == ["shown"]


@pytest.mark.parametrize("in_tail", [False, True])
def test_an_entry_under_another_roll_is_named(in_tail: bool) -> None:
    """The broker gave the resident a second roll, and wrote what it hid under the first."""
    world = build_world()
    second = Chains(b"second" * 5 + b"..")
    hidden = world.maker.write(second, "open", "2026Q4")
    if not in_tail:
        world.maker.state_tags()
    (found,) = find_missing(compare(world, hold(hidden)))
    assert found.state == "missing"
    assert found.entry.index == hidden.index
    assert found.in_log is (True if in_tail else None)


def test_other_contents_at_the_same_place_are_named() -> None:
    world = build_world()
    one = world.person.rolls["open", "2026Q4"][0]
    held = hold(one)
    other = held.entries[0].model_copy(update={"core": b"another"})
    (found,) = compare(world, held.model_copy(update={"entries": (other,)}))
    assert found.state == "other_contents"


def test_what_the_bundle_does_not_cover_accuses_nobody() -> None:
    world = build_world()
    elsewhere = Chains(b"second" * 5 + b"..")
    written = world.maker.write(elsewhere, "open", "2026Q4")
    newer = Written(10_000, b"t" * 32, b"c", b"s" * 32, b"p")
    edge = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    for held, view in (
        (hold(written, at=datetime(2025, 1, 2, tzinfo=UTC)), "self"),
        (hold(written, at=edge), "self"),
        (hold(newer), "self"),
        (hold(written), "representative"),
    ):
        assert [one.state for one in compare(world, held, view)] == ["not_covered"]


def test_another_logs_list_and_garbage_are_refused() -> None:
    world = build_world()
    with pytest.raises(HeldLogError):
        compare(world, hold(origin="log.example/log/2"))
    for data in (b"", b"[]", b'{"v":1}', b"\xff"):
        with pytest.raises(HeldFormError):
            read_held(data)
    held = hold(*world.person.rolls["open", "2026Q4"])
    assert read_held(held.model_dump_json().encode()) == held
