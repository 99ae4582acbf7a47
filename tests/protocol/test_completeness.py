"""The completeness bundle: an honest one is proved, and whatever is withheld is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datwat.protocol.completeness import (
    MAX_BUNDLE_BYTES,
    CompletenessBundle,
    build_copy,
    read_bundle,
)
from datwat.protocol.completeness_checks import (
    LogTrust,
    Verdict,
    check_bundle,
    list_left_out,
    require_continued,
)
from datwat.protocol.completeness_delayed import DelayedCounts
from datwat.protocol.completeness_errors import (
    BundleFormError,
    BundleTooLargeError,
    OlderBundleError,
    OtherRollError,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.values import decode_moment, encode_bytes, encode_moment
from tests.protocol.completeness_attacks import ATTACKS, Attack, change_entry, find_open
from tests.protocol.completeness_world import NOW, ORIGIN, Chains, Maker, World, build_world


def write(bundle: CompletenessBundle) -> bytes:
    return bundle.model_dump_json().encode()


def check(bundle: CompletenessBundle, world: World, now: datetime = NOW) -> Verdict:
    return check_bundle(write(bundle), world.maker.trust, now)


def test_an_honest_bundle_is_proved() -> None:
    world = build_world()
    verdict = check(world.maker.build(world.person), world)
    assert (verdict.status, verdict.until, verdict.view) == ("proved", NOW, "self")
    assert (verdict.cosigned, verdict.threshold) == (2, 2)
    counts = {(roll.audience, roll.quarter): roll.entries for roll in verdict.rolls}
    assert counts == {
        ("open", "2026Q3"): 3,
        ("own", "2026Q3"): 0,
        ("open", "2026Q4"): 9,
        ("own", "2026Q4"): 3,
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_a_dishonest_broker_hands_out_is_named(attack: Attack) -> None:
    world = build_world()
    bundle = attack(world, NOW)
    found: str
    try:
        found = check(bundle, world).status
    except ProtocolError as error:
        found = error.code
    assert found == ATTACKS[attack]
    if found == "proved_until":
        assert check(bundle, world).until in (
            NOW - timedelta(minutes=16),
            NOW - timedelta(hours=2),
        )


@pytest.mark.parametrize("older", [0, 1])
def test_an_older_root_is_as_good_with_its_whole_tail(older: int) -> None:
    world = build_world()
    bundle = world.maker.build(world.person, tag_root=world.maker.tag_roots[older])
    assert check(bundle, world).status == "proved"


def test_a_log_without_a_tag_root_is_all_tail() -> None:
    maker = Maker()
    person = Chains(b"k" * 32)
    for _ in range(3):
        maker.write(person, "open", "2026Q4")
    bundle = maker.build(person)
    assert bundle.tag_root is None
    assert check_bundle(write(bundle), maker.trust, NOW).status == "proved"


def test_somebody_without_any_entry_is_proved_to_have_none() -> None:
    world = build_world()
    verdict = check(world.maker.build(Chains(b"nobody" * 5 + b"!!")), world)
    assert (verdict.status, [roll.entries for roll in verdict.rolls]) == ("proved", [0, 0, 0, 0])


def test_erased_contents_leave_their_place_provable() -> None:
    world = build_world()
    for number in (1, 6):
        world.person.rolls["open", "2026Q4"][number].is_erased = True
    verdict = check(world.maker.build(world.person), world)
    assert verdict.status == "proved"
    assert [roll.erased for roll in verdict.rolls] == [0, 0, 2, 0]


@pytest.mark.parametrize(
    ("quarters", "until", "left_out"),
    [
        (("2026Q4",), "2026-12-31", ()),
        (("2026Q3", "2026Q4"), "2026-10-01", ()),
        (("2026Q3",), "2026-10-01", ("2026Q4",)),
        (("2025Q4", "2026Q2"), "2026-12-31", ("2026Q1", "2026Q3-2026Q4")),
        (("0000Q1", "2026Q4"), "2026-12-31", ("0000Q2-2026Q3",)),
        (("2027Q1",), "2026-12-31", ()),
    ],
)
def test_quarters_that_a_bundle_leaves_out_are_named(
    quarters: tuple[str, ...], until: str, left_out: tuple[str, ...]
) -> None:
    assert list_left_out(quarters, datetime.fromisoformat(f"{until}T12:00:00Z")) == left_out


def test_a_bundle_without_the_present_quarter_says_nothing_about_it() -> None:
    world = build_world()
    whole = world.maker.build(world.person)
    assert check(whole, world).left_out == ()
    early = tuple(roll for roll in whole.rolls if roll.quarter == "2026Q3")
    bundle = whole.model_copy(update={"rolls": early})
    verdict = check(bundle, world)
    assert (verdict.status, verdict.left_out) == ("proved", ("2026Q4",))
    assert check(build_copy(bundle), world).left_out == ()


def test_a_representative_sees_one_chain_and_that_is_said() -> None:
    world = build_world()
    bundle = world.maker.build(world.person, "representative")
    assert {roll.audience for roll in bundle.rolls} == {"open"}
    assert check(bundle, world).view == "representative"
    mixed = world.maker.build(world.person).model_copy(update={"view": "representative"})
    with pytest.raises(ProtocolError, match="each chain"):
        check(mixed, world)


def test_the_auditor_sees_what_was_opened_and_what_was_not() -> None:
    world = build_world()
    bundle = world.maker.build(world.delayed, "auditor")
    verdict = check(bundle, world)
    found = [roll.delayed for roll in verdict.rolls]
    assert found == [DelayedCounts(opened_undated=1), DelayedCounts(waiting_undated=1)]
    text = bundle.model_dump_json()
    assert 'payload":"' not in text
    assert all(
        encode_bytes(one.core) not in text
        for written in world.delayed.rolls.values()
        for one in written
    )


@pytest.mark.parametrize("name", ["salt", "core", "payload", "commit", "index"])
def test_what_is_told_later_must_be_what_was_written(name: str) -> None:
    """The broker writes an opening that repeats something else than the delayed entry."""
    world = build_world()
    maker = world.maker
    waiting = maker.write(world.delayed, "delayed", "2026Q4")
    opening = maker.open(world.person, waiting, "2026Q4")
    payload = json.loads(opening.payload)
    other = maker.entries.index(maker.entries[3]) if name == "index" else encode_bytes(b"x" * 32)
    payload["reopened"][name] = other
    del world.person.rolls["open", "2026Q4"][-1], maker.entries[-1]
    forged = maker.write(
        world.person,
        "open",
        "2026Q4",
        core=opening.core,
        payload=json.dumps(payload).encode(),
    )
    forged.opens = waiting
    bundle = maker.build(world.person)
    if name == "commit":  # only repeated: the core's is what is checked
        assert check(bundle, world).status == "proved"
        return
    with pytest.raises(ProtocolError) as caught:
        check(bundle, world)
    assert caught.value.code == "completeness_opened"


def test_a_copy_for_somebody_else_has_no_keys_and_claims_nothing_of_the_rest() -> None:
    world = build_world()
    bundle = world.maker.build(world.person)
    copy = build_copy(bundle)
    verdict = check(copy, world)
    assert verdict.status == "entries_only"
    text = copy.model_dump_json()
    assert all(encode_bytes(roll.tag_key or b"") not in text for roll in bundle.rolls)
    assert json.loads(text)["tail"] == ""
    with pytest.raises(ProtocolError):
        check(change_entry(copy, 1, core=b"other"), world)
    with pytest.raises(ProtocolError):
        check(copy.model_copy(update={"view": "self"}), world)


def test_a_later_bundle_continues_the_earlier_one() -> None:
    world = build_world()
    earlier = world.maker.build(world.person)
    world.maker.write(world.person, "open", "2026Q4")
    later = world.maker.build(world.person)
    require_continued(later, earlier)
    with pytest.raises(OlderBundleError):
        require_continued(earlier, later)
    theirs = world.maker.build(world.other)
    with pytest.raises(OtherRollError):
        require_continued(theirs, earlier)
    mixed = (later.rolls[0], theirs.rolls[1], *later.rolls[2:])  # an empty roll for an empty one
    second = later.model_copy(update={"rolls": mixed})
    assert check(second, world).status == "proved"
    with pytest.raises(OtherRollError):
        require_continued(second, earlier)


def test_an_erased_entry_continues_what_it_was() -> None:
    world = build_world()
    earlier = world.maker.build(world.person)
    world.person.rolls["open", "2026Q4"][0].is_erased = True
    require_continued(world.maker.build(world.person), earlier)


def test_a_bundle_of_100_mb_is_refused_in_words() -> None:
    with pytest.raises(BundleTooLargeError, match="fewer quarters"):
        check_bundle(b" " * 100_000_000, build_world().maker.trust, NOW)
    assert MAX_BUNDLE_BYTES < 100_000_000


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"null", b'{"v":2}', b"[" * 10_000])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleFormError):
        read_bundle(data)


def test_two_witnesses_with_one_key_count_once() -> None:
    world = build_world()
    note = world.maker.note({"witness1.example": NOW})
    twice = note + note.splitlines(keepends=True)[-1]
    bundle = world.maker.build(world.person).model_copy(update={"checkpoint": twice})
    assert check(bundle, world).cosigned == 1


PLACES = st.lists(st.integers(0, 10_000), max_size=6)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(PLACES, JUNK)
def test_a_changed_bundle_is_refused_or_proves_the_same(places: list[int], junk: Any) -> None:  # noqa: ANN401
    """Any member anywhere replaced by anything: a code, never a crash, never another proof."""
    before = check_bundle(HONEST, WORLD.maker.trust, NOW)
    document = json.loads(HONEST)
    node: Any = document
    for step, place in enumerate(places):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = keys[place % len(keys)]
        if step == len(places) - 1 or not isinstance(node[key], dict | list):
            node[key] = junk
            break
        node = node[key]
    try:
        after = check_bundle(json.dumps(document).encode(), WORLD.maker.trust, NOW)
    except ProtocolError:
        return
    counts = [(roll.audience, roll.quarter, roll.entries) for roll in after.rolls]
    assert counts == [(roll.audience, roll.quarter, roll.entries) for roll in before.rolls]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_proves_the_same(place: int, byte: int) -> None:
    data = bytearray(HONEST)
    data[place % len(data)] = byte
    try:
        verdict = check_bundle(bytes(data), WORLD.maker.trust, NOW)
    except ProtocolError:
        return
    assert [roll.entries for roll in verdict.rolls] == [3, 0, 9, 3]


VECTOR = Path(__file__).parent.parent / "vectors" / "completeness.json"


def make_vector() -> dict[str, Any]:
    """Return the bundle of a made log, of which one entry is erased, with all that checks it."""
    world = build_world(count=2)
    world.person.rolls["open", "2026Q4"][0].is_erased = True
    bundle = world.maker.build(world.person)
    trust = world.maker.trust
    return {
        "origin": "Made by tests/protocol/test_completeness.py of this project (its own generator) "
        "from fixed keys and salts. Bundle, keys and moment, and what the check gives.",
        "inputs": {
            "bundle": json.loads(bundle.model_dump_json()),
            "origin": trust.origin,
            "vkeys": trust.vkeys,
            "witnesses": trust.witnesses,
            "threshold": trust.threshold,
            "now": encode_moment(NOW),
        },
        "outputs": json.loads(check(bundle, world).model_dump_json()),
    }


def test_the_bundle_is_as_published() -> None:
    published = json.loads(VECTOR.read_text(encoding="utf-8"))
    inputs = published["inputs"]
    trust = LogTrust(
        origin=inputs["origin"],
        vkeys=tuple(inputs["vkeys"]),
        witnesses=tuple(inputs["witnesses"]),
        threshold=inputs["threshold"],
    )
    data = json.dumps(inputs["bundle"]).encode()
    verdict = check_bundle(data, trust, decode_moment(inputs["now"]))
    assert json.loads(verdict.model_dump_json()) == published["outputs"]
    assert json.loads(json.dumps(make_vector())) == published


WORLD = build_world()
HONEST = write(WORLD.maker.build(WORLD.person))


def test_the_world_is_what_the_attacks_need() -> None:
    assert find_open(read_bundle(HONEST))[1].entries[6].earlier is not None
    assert WORLD.maker.trust.origin == ORIGIN
    assert NOW.tzinfo is UTC


if __name__ == "__main__":
    VECTOR.write_text(json.dumps(make_vector(), indent=1) + "\n", encoding="utf-8")
