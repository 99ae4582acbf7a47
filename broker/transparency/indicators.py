"""Public indicators: few, fixed, in words that professionals and residents know. Pure.

Rules: the tables are always the same ones and nobody chooses a selection, so that two of them never
tell what one does not: what is of one whole has one total in every table. A cell under ten is put
together with others until it is ten, and where all of a table is less than ten, only that is said.
Source: domain.md ("Also wanted"; Rotterdam's few
indicators), standards.md ("Lessons of the Verwijsindex": measure usefulness and publish it).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.transparency.figures import Month, MonthFigures, count_asking
from broker.transparency.oversight_figures import QUESTIONS
from broker.transparency.oversight_words import Language

LEAST: Final = 10
_LANGUAGES: Final[tuple[Language, ...]] = ("nl", "en")
_SAID: Final = ("table_nl", "table_en", "row_nl", "row_en")
_WEEK, _MONTH = 7, 31
_KINDS: Final = ("help_request", "report", "signal", "statutory_task", "crisis")
_REASONS: Final = ("completed", "handed_over", "not_needed", "withdrawn", "moved", "died")
_GOALS: Final = ("yes", "partly", "no", "unknown")
_BLADES: Final = ("purpose", "subsidiarity", "proportionality", "efficiency", "transparency")
_GIVEN: Final = {"contact": "request_contact", "data": "release", "involved": "inquire"}
_WISHES: Final = (
    *("objection", "question", "erasure", "block", "shield", "consent", "withdrawal"),
    "taken_back",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table; `codes` are several where they were put together, `count` ≥ 10.

    None for `count`: all of them together are fewer than ten.
    """

    codes: tuple[str, ...]
    count: int | None


@dataclass(frozen=True, slots=True)
class IndicatorTable:
    """One table, by its code."""

    code: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Indicators:
    """All tables of a month, always the same ones in the same order."""

    month: Month
    tables: tuple[IndicatorTable, ...]


def build_indicators(figures: MonthFigures) -> Indicators:
    """Return the public tables of a month."""
    tables = tuple(
        IndicatorTable(code, merge_small(build(figures))) for code, build in _TABLES.items()
    )
    return Indicators(figures.month, tables)


def merge_small(counts: Mapping[str, int]) -> tuple[Cell, ...]:
    """Return the cells of a table with those under `LEAST` put together until they are enough.

    What is put together comes last; the others keep their order.
    """
    rest = sorted(counts, key=lambda code: counts[code])
    merged: list[str] = []
    while rest and (counts[rest[0]] < LEAST or 0 < _sum(counts, merged) < LEAST):
        merged.append(rest.pop(0))
    together = _sum(counts, merged)
    kept = tuple(Cell((code,), counts[code]) for code in counts if code not in merged)
    if not merged or (together == 0 and kept):
        # Where nothing happened at all, "none" beside cells of ten and more tells of nobody.
        return kept + tuple(Cell((code,), 0) for code in counts if code in merged)
    shown = together if together >= LEAST else None
    return (*kept, Cell(tuple(code for code in counts if code in merged), shown))


def build_csv(indicators: Indicators, say: Callable[[str], str]) -> str:
    """Return the tables as CSV (RFC 4180), one line per cell; `say` renders a code."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["month", "table", "row", "count"])
    for table in indicators.tables:
        for cell in table.cells:
            named = " + ".join(say(code) for code in cell.codes)
            title = say(f"table_{table.code}")
            writer.writerow([str(indicators.month), title, named, _say_count(cell)])
    return out.getvalue()


def build_public_csv(indicators: Indicators, say: Callable[[str, Language], str]) -> str:
    """Return the tables as CSV for anybody, with the codes and their words in both languages."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["month", "table", "row", "count", *_SAID])
    for table in indicators.tables:
        titles = [say(f"table_{table.code}", language) for language in _LANGUAGES]
        for cell in table.cells:
            rows = [" + ".join(say(code, one) for code in cell.codes) for one in _LANGUAGES]
            codes = " + ".join(cell.codes)
            writer.writerow(
                [str(indicators.month), table.code, codes, _say_count(cell), *titles, *rows]
            )
    return out.getvalue()


def _say_count(cell: Cell) -> str:
    return f"<{LEAST}" if cell.count is None else str(cell.count)


def _sum(counts: Mapping[str, int], codes: Iterable[str]) -> int:
    return sum(counts[code] for code in codes)


def _count(codes: Iterable[str], found: Mapping[str | None, int]) -> dict[str, int]:
    return {code: found.get(code, 0) for code in codes}


def _requests(figures: MonthFigures) -> dict[str, int]:
    return _count(_KINDS, dict(figures.opened))


def _families(figures: MonthFigures) -> dict[str, int]:
    opened = sum(count for _, count in figures.opened)
    return {"several_persons": figures.households, "one_person": opened - figures.households}


def _plans(figures: MonthFigures) -> dict[str, int]:
    made = sum(one.count for one in figures.closed if one.plan_made)
    return {"plan": made, "no_plan": sum(one.count for one in figures.closed) - made}


def _goals(figures: MonthFigures) -> dict[str, int]:
    found: Counter[str | None] = Counter()
    for one in figures.closed:
        found[one.goals] += one.count
    goals = {f"goals_{code}": found[code] for code in _GOALS}
    return {**goals, "goals_unstated": found.total() - sum(goals.values())}


def _endings(figures: MonthFigures) -> dict[str, int]:
    found: Counter[str | None] = Counter()
    for one in figures.closed:
        found[one.reason] += one.count
    reasons = _count(_REASONS, found)
    return {**reasons, "otherwise": found.total() - sum(reasons.values())}


def _questions(figures: MonthFigures) -> dict[str, int]:
    return {
        "permitted": count_asking(figures.acts, permit=True),
        "refused": count_asking(figures.acts, permit=False),
    }


def _refusals(figures: MonthFigures) -> dict[str, int]:
    found: Counter[str | None] = Counter()
    for one in figures.acts:
        if one.act in QUESTIONS and not one.permit:
            found[one.blade] += one.count
    blades = {f"blade_{code}": found[code] for code in _BLADES}
    rest = {"otherwise": found.total() - sum(blades.values())}
    return {**blades, **rest, **_hide("permitted", figures)}


def _contact(figures: MonthFigures) -> dict[str, int]:
    found: Counter[str | None] = Counter()
    for one in figures.acts:
        if one.permit:
            found[one.act] += one.count
    counts = {name: found[act] for name, act in _GIVEN.items()}
    return {**counts, **_hide("refused", figures)}


def _hide(code: str, figures: MonthFigures) -> dict[str, int]:
    """Return the other answer to questions where it is under ten, else nothing.

    It is put together with cells of the table whose total would otherwise tell how few they are.
    """
    count = _questions(figures)[code]
    return {code: count} if 0 < count < LEAST else {}


def _wishes(figures: MonthFigures) -> dict[str, int]:
    found: Counter[str | None] = Counter()
    for one in figures.acts:
        if one.act in {"wish", "record_objection", "record_consent"} and one.permit:
            found[one.result] += one.count
    return {f"wish_{code}": found[code] for code in _WISHES}


def _answers(figures: MonthFigures) -> dict[str, int]:
    days = figures.answer_days
    return {
        "within_week": sum(one <= _WEEK for one in days),
        "within_month": sum(_WEEK < one <= _MONTH for one in days),
        "later": sum(one > _MONTH for one in days),
    }


_TABLES: Final[Mapping[str, Callable[[MonthFigures], dict[str, int]]]] = {
    "requests": _requests,
    "families": _families,
    "plans": _plans,
    "goals": _goals,
    "endings": _endings,
    "questions": _questions,
    "refusals": _refusals,
    "contact": _contact,
    "wishes": _wishes,
    "answers": _answers,
}
