"""Review lists: what an officer should look at, and why each row is there. Pure.

Rules: a list judges nobody and does nothing by itself; each row says why it is there by a code and
its numbers; who stands out is compared with their own past, or with the others of their own
organisation, by a distance that chance alone does not reach. No row names a person or a member of
staff: a keyed label tells rows apart, and looking at an entry is an act of its own
(`exchange/looking.py`). What waits for its opening is in none of it.
Source: AVG 5(2), 32(1)(d); BIO2 8.15; docs/decisions/0021.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from broker.pseudonyms.veil import build_label
from broker.transparency.oversight_figures import Figures, Occasions, Repeated, Tally

ListCode = Literal[
    "volume", "hours", "nothing", "refused", "sides", "relations", "guessing", "sample"
]
LISTS: Final[tuple[ListCode, ...]] = get_args(ListCode)
MOST_ROWS: Final = 100

_WEEK: Final = timedelta(days=7)
# Below this a past says nothing yet: somebody new is compared with the others.
_LEAST_WEEKS: Final = 4
_VOLUME_LEAST, _VOLUME_TIMES = 25, 3
_NEW_LEAST, _NEW_TIMES = 40, 4
_PARTNER_LEAST, _PARTNER_TIMES = 100, 2
_DISTANCE: Final = 5.0
_HOURS = (10, 0.25)
_REFUSED = (12, 0.5)
_GUESSING = (20, 0.7)
_NOTHING = (6, 0.5)
_BLIND_LEAST: Final = 5
_WRONG_LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class Why:
    """Why a row is here: a code, and the numbers that its sentence is rendered with."""

    code: str
    params: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One row of a list: whom to ask, why, and entries to begin with (the newest first).

    `who` is the label of a professional; None where it is about an organisation or about one
    resident, whom no row names. The keyed numbers are for finding the entries only.
    """

    list: ListCode
    partner: str | None
    who: str | None
    why: Why
    entries: tuple[int, ...] = ()
    professional: int | None = field(default=None, repr=False)
    subject: int | None = field(default=None, repr=False)


_Of = Tally | Occasions | Repeated


@dataclass(frozen=True, slots=True)
class _Share:
    """So much of a whole, of one professional."""

    of: Tally | Occasions
    count: int
    total: int


def find_rows(code: ListCode, figures: Figures) -> list[ReviewRow]:
    """Return the rows of a list, the furthest out first, at most `MOST_ROWS`; of a sample none."""
    found = _FINDERS[code](figures) if code in _FINDERS else []
    return found[:MOST_ROWS]


def is_far_above(count: int, total: int, other_count: int, other_total: int) -> bool:
    """Tell whether `count` of `total` is further above the others' share than chance reaches."""
    share = (other_count + 1) / (other_total + 2)
    expected = total * share
    return count >= expected + _DISTANCE * math.sqrt(total * share * (1 - share))


def _find_volume(figures: Figures) -> list[ReviewRow]:
    """Compare the last week with the weeks before: professionals first, then what is left."""
    rows, named = [], set()
    by_partner = _group(figures.tallies)
    for tally in figures.tallies:
        weeks = _count_weeks(tally.first_at, figures)
        if tally.professional is None:
            continue
        if weeks >= _LEAST_WEEKS:
            mean = tally.past / weeks
            is_out = _is_more(tally.recent, mean, _VOLUME_LEAST, _VOLUME_TIMES)
            why = Why("volume", {"count": tally.recent, "usual": round(mean)})
        else:
            mean = _find_mean(tally, by_partner[tally.partner], figures)
            is_out = _is_more(tally.recent, mean, _NEW_LEAST, _NEW_TIMES)
            why = Why("volume_new", {"count": tally.recent, "usual": round(mean)})
        if is_out:
            named.add((tally.partner, tally.professional))
            rows.append(_of_professional("volume", tally, why))
    for partner, tallies in by_partner.items():
        rest = [one for one in tallies if (partner, one.professional) not in named]
        weeks = max((_count_weeks(one.first_at, figures) for one in rest), default=0)
        recent, past = sum(one.recent for one in rest), sum(one.past for one in rest)
        usual = past / max(weeks, 1)
        if weeks >= _LEAST_WEEKS and _is_more(recent, usual, _PARTNER_LEAST, _PARTNER_TIMES):
            why = Why("volume_partner", {"count": recent, "usual": round(usual)})
            rows.append(ReviewRow("volume", partner, None, why))
    return _order(rows, "count")


def _find_hours(figures: Figures) -> list[ReviewRow]:
    shares = [_Share(one, one.off_hours, one.asked) for one in figures.tallies]
    return _find_shares("hours", shares, _HOURS)


def _find_refused(figures: Figures) -> list[ReviewRow]:
    shares = [_Share(one, one.refused, one.asked) for one in figures.tallies]
    rows = _find_shares("refused", shares, _REFUSED)
    for one in figures.repeated:
        why = Why("refused_person", {"count": one.count})
        rows.append(_of_professional("refused", one, why, subject=one.subject))
    return _order(rows, "count")


def _find_guessing(figures: Figures) -> list[ReviewRow]:
    shares = [_Share(one, one.empty, one.inquiries) for one in figures.tallies]
    rows = _find_shares("guessing", shares, _GUESSING)
    for one in figures.tallies:
        if one.blind >= _BLIND_LEAST:
            why = Why("guessing_reference", {"count": one.blind})
            rows.append(_of_professional("guessing", one, why))
    for quota in figures.quotas:
        why = Why("over_quota", {"count": quota.count, "hours": quota.hours})
        rows.append(ReviewRow("guessing", quota.partner, None, why))
    return _order(rows, "count")


def _find_nothing(figures: Figures) -> list[ReviewRow]:
    shares = [_Share(one, one.nothing, one.ended) for one in figures.occasions]
    return _find_shares("nothing", shares, _NOTHING)


def _find_sides(figures: Figures) -> list[ReviewRow]:
    rows = [
        ReviewRow(
            "sides",
            None,
            None,
            Why("sides", {"partners": one.partners, "staff": one.staff, "count": one.count}),
            subject=one.subject,
        )
        for one in figures.sides
    ]
    return _order(rows, "count")


def _find_relations(figures: Figures) -> list[ReviewRow]:
    rows = []
    for held in figures.colleagues:
        why = Why("colleagues", {"staff": held.staff, "count": held.count})
        rows.append(ReviewRow("relations", held.partner, None, why, subject=held.subject))
    for one in figures.tallies:
        if one.blocked:
            why = Why("blocked", {"count": one.blocked})
            rows.append(_of_professional("relations", one, why))
        if one.wrong >= _WRONG_LEAST:
            why = Why("wrong_person", {"count": one.wrong})
            rows.append(_of_professional("relations", one, why))
    return _order(rows, "count")


_FINDERS: Final = {
    "volume": _find_volume,
    "hours": _find_hours,
    "nothing": _find_nothing,
    "refused": _find_refused,
    "sides": _find_sides,
    "relations": _find_relations,
    "guessing": _find_guessing,
}


def _find_shares(
    code: ListCode, shares: Sequence[_Share], least: tuple[int, float]
) -> list[ReviewRow]:
    """Return the professionals whose share stands out from that of the others beside them."""
    count_least, share_least = least
    totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for one in shares:
        count, total = totals[one.of.partner]
        totals[one.of.partner] = (count + one.count, total + one.total)
    rows = []
    for one in shares:
        if one.of.professional is None or one.count < max(count_least, share_least * one.total):
            continue
        count, total = totals[one.of.partner]
        others = count - one.count, total - one.total
        if is_far_above(one.count, one.total, *others):
            percent = round(100 * others[0] / others[1]) if others[1] else 0
            numbers = {"count": one.count, "total": one.total, "others": percent}
            rows.append(_of_professional(code, one.of, Why(code, numbers)))
    return _order(rows, "count")


def _find_mean(tally: Tally, beside: Iterable[Tally], figures: Figures) -> float:
    """Return how much the others of the organisation ask in a week, each by themselves."""
    others = [one for one in beside if one is not tally and one.professional is not None]
    weeks = sum(_count_weeks(one.first_at, figures) for one in others)
    return sum(one.past for one in others) / weeks if weeks else 0.0


def _of_professional(
    code: ListCode, one: _Of, why: Why, *, subject: int | None = None
) -> ReviewRow:
    who = build_label(one.professional) if one.professional is not None else None
    return ReviewRow(code, one.partner, who, why, professional=one.professional, subject=subject)


def _group(tallies: Iterable[Tally]) -> dict[str, list[Tally]]:
    found: dict[str, list[Tally]] = defaultdict(list)
    for one in tallies:
        found[one.partner].append(one)
    return found


def _count_weeks(first_at: datetime, figures: Figures) -> int:
    """Return over how many whole weeks before the last one somebody's past goes back."""
    window = figures.window
    return max(0, (window.recent_from - max(first_at, window.past_from)) // _WEEK)


def _is_more(count: int, mean: float, least: int, times: int) -> bool:
    enough = max(least, times * mean)
    return count >= enough and count >= mean + _DISTANCE * math.sqrt(mean)


def _order(rows: Iterable[ReviewRow], name: str) -> list[ReviewRow]:
    return sorted(rows, key=lambda row: -row.why.params.get(name, 0))
