"""The pure rules of oversight: who stands out, what is merged, what is drawn, in which hours."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.exchange.seeing import is_off_hours
from broker.pseudonyms.veil import Veil, build_label
from broker.transparency.figures import (
    ActCount,
    Closed,
    Month,
    MonthError,
    MonthFigures,
    build_use,
)
from broker.transparency.indicators import (
    LEAST,
    Cell,
    build_csv,
    build_indicators,
    merge_small,
)
from broker.transparency.oversight import LISTS, Why, is_far_above
from broker.transparency.oversight_words import _WHY, say_code, say_list, say_why
from broker.transparency.sampling import (
    Draw,
    build_announcement,
    build_drawn,
    derive_seed_hash,
    rank_entries,
)
from datwat.protocol.canonical import decode_canonical
from datwat.protocol.values import encode_bytes

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
_COUNTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 40), max_size=8)


@given(_COUNTS)
def test_no_cell_says_less_than_ten_and_nothing_is_lost(counts: dict[str, int]) -> None:
    cells = merge_small(counts)
    assert sorted(code for cell in cells for code in cell.codes) == sorted(counts)
    for cell in cells:
        true = sum(counts[code] for code in cell.codes)
        if cell.count is None:
            # Only where a whole table is under ten, and then there is nothing beside it.
            assert true < LEAST
            assert len(cells) == 1
        else:
            assert cell.count == true
            assert true >= LEAST or true == 0


def test_what_is_beside_a_merged_cell_does_not_give_it_away() -> None:
    cells = merge_small({"a": 500, "b": 3, "c": 12, "d": 40})
    assert [(cell.codes, cell.count) for cell in cells] == [
        (("a",), 500),
        (("d",), 40),
        (("b", "c"), 15),
    ]
    assert [(one.codes, one.count) for one in merge_small({"a": 4, "b": 5})] == [(("a", "b"), None)]
    assert [(one.codes, one.count) for one in merge_small({"a": 30, "b": 0})] == [
        (("a",), 30),
        (("b",), 0),
    ]


@given(st.integers(1, 400), st.integers(0, 100), st.integers(0, 5_000))
def test_who_does_as_the_others_never_stands_out(total: int, percent: int, others: int) -> None:
    count = total * percent // 100
    other_total = max(others, total)
    assert not is_far_above(count, total, round(other_total * percent / 100) + 1, other_total) or (
        percent in {0, 100}
    )


def test_who_does_far_more_stands_out_and_chance_does_not() -> None:
    assert is_far_above(50, 100, 50, 1_000)
    assert not is_far_above(9, 100, 50, 1_000)  # 9 per cent beside 5
    assert not is_far_above(3, 3, 0, 0)  # nobody to compare with


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_anybody_can_draw_the_same_sample(seed: bytes, root: bytes) -> None:
    chosen = rank_entries(seed, root, range(500), 25)
    key = hmac.new(seed, b"dw-sample/v1\0" + root, hashlib.sha256).digest()

    def rank(index: int) -> bytes:
        return hmac.new(key, index.to_bytes(8, "big"), hashlib.sha256).digest()

    assert list(chosen) == sorted(range(500), key=rank)[:25]
    assert rank_entries(seed, root, reversed(range(500)), 25) == chosen
    assert rank_entries(seed, bytes(32), range(500), 25) != chosen or root == bytes(32)


def test_the_seed_is_not_in_what_is_stated_before_the_draw() -> None:
    seed = bytes(range(32))
    draw = Draw(bytes(16), NOW, 40, NOW, seed)
    before = decode_canonical(build_announcement(draw))
    assert before["seed_hash"] == encode_bytes(derive_seed_hash(seed))
    assert encode_bytes(seed) not in build_announcement(draw).decode()
    with pytest.raises(ValueError, match="nothing was drawn"):
        build_drawn(draw)
    done = Draw(bytes(16), NOW, 40, NOW, seed, NOW, 80, bytes(32), (41, 60))
    after = decode_canonical(build_drawn(done))
    assert (after["seed"], after["first"], after["size"]) == (encode_bytes(seed), 40, 80)
    assert "chosen" not in after  # which could be looked at says nothing outside


@pytest.mark.parametrize(
    ("moment", "is_off"),
    [
        ("2026-11-25T06:30:00+01:00", True),  # a Wednesday
        ("2026-11-25T07:00:00+01:00", False),
        ("2026-11-25T18:59:00+01:00", False),
        ("2026-11-25T19:00:00+01:00", True),
        ("2026-11-28T11:00:00+01:00", True),  # a Saturday
        ("2026-04-27T11:00:00+02:00", True),  # the King's birthday
        ("2026-04-06T11:00:00+02:00", True),  # Easter Monday
        ("2026-12-25T11:00:00+01:00", True),
        ("2026-07-01T05:30:00+00:00", False),  # half past seven in summer
        ("2026-01-02T05:30:00+00:00", True),  # half past six in winter
    ],
)
def test_working_hours_are_those_of_the_country(moment: str, is_off: bool) -> None:
    assert is_off_hours(datetime.fromisoformat(moment)) is is_off


def test_a_number_says_nothing_and_tells_apart() -> None:
    veil = Veil(bytes(32))
    one = veil.hide_professional("p:social-team", "j.jansen")
    assert one == Veil(bytes(32)).hide_professional("p:social-team", "j.jansen")
    assert one != veil.hide_professional("q:social-team", "j.jansen")
    assert one != Veil(bytes(31) + b"\1").hide_professional("p:social-team", "j.jansen")
    assert veil.hide("subject", b"x") != veil.hide("occasion", b"x")
    assert -(2**63) <= one < 2**63
    assert len(build_label(one)) == len(build_label(-1)) == 6
    assert not set(build_label(one)) & set("01IO")


def test_every_code_is_said_in_both_languages() -> None:
    numbers = dict.fromkeys(
        ("count", "total", "others", "usual", "staff", "partners", "hours", "place"), 7
    )
    for code in _WHY:
        dutch, english = (say_why(Why(code, numbers), "nl"), say_why(Why(code, numbers), "en"))
        assert dutch != english
        assert "{" not in dutch + english
    for code in LISTS:
        assert say_list(code, "nl") != say_list(code, "en")
    assert say_code("table_requests", "nl") == "Nieuwe aanleidingen"
    assert say_code("no_such_code", "nl") == "no_such_code"


def test_a_month_is_one_of_the_country_and_is_over() -> None:
    month = Month.parse("2026-10", NOW)
    assert month.from_at == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert month.until_at == datetime(2026, 10, 31, 23, tzinfo=UTC)  # the clock went back in it
    assert (str(month.previous()), str(month.following())) == ("2026-09", "2026-11")
    assert str(Month.before(datetime(2027, 1, 1, tzinfo=UTC))) == "2026-12"
    for wrong in ("2026-11", "2026-13", "oktober", "2026-1", "1999-01", "2026-10 "):
        with pytest.raises(MonthError):
            Month.parse(wrong, NOW)


def _count(**changes: object) -> ActCount:
    members = {
        "partner": "a",
        "source": None,
        "act": "inquire",
        "purpose": "p",
        "permit": True,
        "is_stated": True,
        "blade": None,
        "found_nothing": False,
        "is_off_hours": False,
        "result": None,
        "count": 1,
    }
    return ActCount(**{**members, **changes})  # type: ignore[arg-type] # a test's members


def test_a_partner_never_reads_why_a_persons_facts_refused_it() -> None:
    nobody = _count(found_nothing=True, count=3)
    hidden = _count(permit=False, is_stated=True, blade="proportionality", count=2)
    told = _count(permit=False, is_stated=False, blade="purpose", count=4)
    released = _count(act="release", source="b", count=5)
    refused = _count(act="release", source="b", permit=False, count=6)
    figures = MonthFigures(Month(2026, 10), (nobody, hidden, told, released, refused))
    asked, given_rows = build_use(figures, "a").rows
    # Who is not there, and who did not want it, are one number, as they were one answer.
    assert (asked.asked, asked.nobody, asked.refused) == (9, 5, 4)
    assert (given_rows.act, given_rows.asked, given_rows.refused) == ("release", 11, 6)
    (as_source,) = build_use(figures, "b").rows
    assert (as_source.as_source, as_source.asked) == (True, 5)  # a source hears of no refusal


def test_what_was_only_weighed_tells_a_partner_no_more_than_the_question() -> None:
    looked = _count(act="weighed", result="inquire", permit=False, blade="transparency", count=1)
    asked = _count(act="weighed", result="release", permit=False, blade="transparency", count=2)
    (row,) = build_use(MonthFigures(Month(2026, 10), (looked, asked)), "a").rows
    # The first was answered as though nothing stood in the way; the second was told.
    assert (row.act, row.asked, row.refused, row.nobody) == ("weighed", 3, 2, 0)


_WHOLES = (
    ("requests", "families"),
    ("plans", "goals", "endings"),
    ("questions", "contact", "refusals"),
)
_FEW = st.integers(0, 25)
_ACTS = st.tuples(
    st.sampled_from(["inquire", "request_contact", "release", "hand_over", "wish", "weighed"]),
    st.sampled_from([None, "purpose", "subsidiarity", "transparency", "another"]),
    _FEW,
)
_CLOSED = st.builds(
    Closed,
    st.sampled_from(["completed", "moved", "other", None]),
    st.sampled_from(["yes", "no", None]),
    st.sampled_from([True, False, None]),
    _FEW,
)


@given(st.lists(_ACTS, max_size=8), st.lists(_CLOSED, max_size=8))
def test_no_two_tables_tell_what_one_does_not(
    acts: list[tuple[str, str | None, int]], closed: list[Closed]
) -> None:
    """Subtracting one table's total from another's leaves nothing, or ten and more."""
    counted = tuple(
        _count(act=act, permit=blade is None, blade=blade, count=count)
        for act, blade, count in acts
    )
    figures = MonthFigures(Month(2026, 10), counted, closed=tuple(closed))
    shown = {table.code: table.cells for table in build_indicators(figures).tables}
    for codes in _WHOLES[:2]:
        totals = [_sum_shown(shown[code]) for code in codes]
        assert len(set(totals)) == 1
    asked = {name: count for cell in shown["questions"] for name, count in _read_cell(cell)}
    parts = [_sum_shown(shown[code]) for code in ("contact", "refusals")]
    whole = _sum_shown(shown["questions"])
    if whole is not None:
        for part in parts:
            assert part is None or whole - part == 0 or whole - part >= LEAST
    if set(asked) == {"permitted", "refused"}:
        assert parts == [asked["permitted"] or None, asked["refused"] or None]


def _sum_shown(cells: Sequence[Cell]) -> int | None:
    counts = [cell.count for cell in cells]
    return None if None in counts else sum(count or 0 for count in counts)


def _read_cell(cell: Cell) -> list[tuple[str, int]]:
    return [(cell.codes[0], cell.count)] if len(cell.codes) == 1 and cell.count is not None else []


def test_the_public_tables_are_always_the_same() -> None:
    empty = build_indicators(MonthFigures(Month(2026, 10)))
    full = build_indicators(
        MonthFigures(
            Month(2026, 10),
            (
                _count(count=40),
                _count(permit=False, blade="subsidiarity", count=12),
                _count(act="request_contact", count=15),
                _count(act="wish", result="objection", count=11),
            ),
            opened=(("help_request", 30), ("crisis", 2)),
            households=12,
            closed=(Closed("completed", "yes", True, 20), Closed("moved", "no", False, 3)),
            answer_days=(1,) * 12 + (40,),
        )
    )
    assert [one.code for one in empty.tables] == [one.code for one in full.tables]
    shown = {table.code: table.cells for table in full.tables}
    assert [(cell.codes[0], cell.count) for cell in shown["questions"]] == [
        ("permitted", 55),
        ("refused", 12),
    ]
    assert shown["answers"][0].count == 13  # twelve and one are put together
    text = build_csv(full, lambda code: say_code(code, "en"))
    assert text.splitlines()[0] == "month,table,row,count"
    assert "2026-10,Questions about residents,Permitted,55" in text
    assert "2026-10,New occasions,Help request + Report" in text
