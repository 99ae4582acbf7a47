"""Where each table of the broker lies once rows are divided over machines, and what stands against.

Rule: rows of one person lie together, the tree of a log in one place. What a distributed engine
accepts is held against the tables themselves and, in the tests, against the statements that a
question really runs; `docs/explanation/scale.md` is written from here.
Source: Citus documentation, "FAQ" (a primary key must hold the distribution column; `FOR UPDATE`
within one shard only) and "SQL Support and Workarounds"; YugabyteDB documentation, "Explicit
locking" and "Savepoints".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Table, UniqueConstraint
from sqlmodel import SQLModel

from broker.adapters import (  # noqa: F401 - each brings its tables
    answer_tables,
    log_tables,
    other_tables,
    oversight_tables,
    purpose_tables,
    replay_tables,
    tables,
)

Kind = Literal["person", "look-up", "occasion", "tree", "everywhere", "desk"]


@dataclass(frozen=True)
class Place:
    """Where a table lies: divided by `key`, or whole (`key` empty)."""

    kind: Kind
    key: str = ""


def _divide(kind: Kind, **keys: str) -> dict[str, Place]:
    return {table: Place(kind, key) for table, key in keys.items()}


def _keep_whole(kind: Kind, *names: str) -> dict[str, Place]:
    return {name: Place(kind) for name in names}


PLACES: dict[str, Place] = {
    **_divide(
        "person",
        subjects="subject_id",
        log_quarter_keys="subject_id",
        log_counters="chain_id",
        involvements="subject_id",
        consents="subject_id",
        objections="subject_id",
        blocks="subject_id",
        questions="subject_id",
        erasures="subject_id",
        authorities="subject_id",
        shields="subject_id",
        contact_requests="subject_id",
        duties="subject_id",
    ),
    **_divide(
        "look-up",
        pseudonyms="lookup",
        partner_references="lookup",
        introductions="lookup",
        spent="rid",
    ),
    **_divide(
        "occasion",
        occasions="id",
        occasion_members="occasion_id",
        special_situations="occasion_id",
    ),
    **_keep_whole("tree", "log_head", "log_entries", "log_nodes", "log_lost", "log_tags"),
    **_keep_whole("tree", "log_tag_roots", "log_cosigned", "log_generations", "log_past_entries"),
    **_keep_whole("tree", "oversight_acts"),
    **_keep_whole("everywhere", "suspensions", "pseudonym_rotation"),
    **_keep_whole("everywhere", "shared_changes", "weighed_changes"),
}
"""Every table that a question touches; all others are the officers' and the operators' own."""

FANS_OUT: dict[str, str] = {
    "SELECT partner_references by partner, kind, target": (
        "the handle that a partner has for somebody, found the other way round"
    ),
    "UPDATE partner_references by partner, kind, target": "the same, when it is shown once more",
    "SELECT involvements, shields by id": "the pointer that a reference of a release stands for",
    "UPDATE pseudonyms by subject_id": "the end of a pseudonym, moved when its person is met again",
}
"""What no one machine can answer, and why (`Statement.describe`): asked of all of them on Citus."""

_DESK = Place("desk")


def find_place(table: str) -> Place:
    """Return where a table lies; one that no question touches lies whole, at the desk."""
    return PLACES.get(table, _DESK)


def list_unfit() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield table, key, and the columns of each uniqueness that does not hold that key.

    Citus cannot keep these over its machines. YugabyteDB can: its indexes are not divided by the
    key of their table.
    """
    for name, place in PLACES.items():
        table = SQLModel.metadata.tables.get(name)
        if table is None or not place.key:
            continue
        for columns in _list_unique(table):
            if place.key not in columns:
                yield name, place.key, columns


def _list_unique(table: Table) -> Iterator[tuple[str, ...]]:
    yield tuple(column.name for column in table.primary_key.columns)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield tuple(column.name for column in constraint.columns)
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        if index.unique:
            yield tuple(column.name for column in index.columns)


@dataclass(frozen=True)
class Statement:
    """What a statement does to which tables, as far as it matters for where these lie."""

    verb: str
    tables: tuple[str, ...]
    text: str

    @property
    def locks(self) -> bool:
        """Whether it locks the rows that it reads."""
        return re.search(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b", self.text) is not None

    def is_kept_together(self) -> bool:
        """Whether one machine can answer it: each divided table by its key, or joined by keys."""
        divided = {table: find_place(table).key for table in self.tables if find_place(table).key}
        named = {table for table, key in divided.items() if self._names(table, key)}
        for _ in divided:
            for left, right in _list_joins(self.text):
                if {left, right} <= set(divided.items()) and {left[0], right[0]} & named:
                    named |= {left[0], right[0]}
        return named == set(divided)

    def _names(self, table: str, key: str) -> bool:
        """Whether it says which rows of a table it wants by the key that divides them."""
        if self.verb == "INSERT":
            columns = re.search(r"INSERT INTO \w+ \(([^)]*)\)", self.text)
            return columns is not None and key in re.split(r",\s*", columns[1])
        column = rf"{table}\.{key}" if len(self.tables) > 1 else rf"(?:{table}\.)?\b{key}"
        one = re.compile(rf"(?<![.\w]){column} (?:= \?|IN \()")
        conditions = re.split(r" (?:WHERE|ON) ", self.text)[1:]
        # Each side of an OR names it: the rows of two keys lie in two places at most.
        return any(all(one.search(side) for side in text.split(" OR ")) for text in conditions)

    def describe(self) -> str:
        """Return verb, tables, and the columns by which it finds its rows."""
        _, _, condition = self.text.partition(" WHERE ")
        condition = condition.partition(" ORDER BY ")[0]
        columns = re.findall(r"(\w+) (?:= \?|IN \(\?)", condition)
        by = f" by {', '.join(dict.fromkeys(columns))}" if columns else ""
        return f"{self.verb} {', '.join(self.tables)}{by}"


def read_statement(text: str) -> Statement | None:
    """Return what a statement does, or None where it touches no table of the broker."""
    flat = re.sub(r"%(?:\(\w+\))?s", "?", " ".join(text.split()))
    flat = re.sub(r"::[A-Z]+(?: VARYING)?(?:\(\d+\))?", "", flat)
    # A choice within one condition narrows what the others name.
    flat = re.sub(r"(?<= AND )\([^()]* OR [^()]*\)", "TRUE", flat)
    names = re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE) (\w+)", flat)
    known = tuple(dict.fromkeys(name for name in names if _is_ours(name)))
    return Statement(flat.split()[0].upper(), known, flat) if known else None


def _list_joins(text: str) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return each equality between two columns, as table and column."""
    found = re.findall(r"(\w+)\.(\w+) = (\w+)\.(\w+)", text)
    return [((one[0], one[1]), (one[2], one[3])) for one in found]


def _is_ours(name: str) -> bool:
    return name in PLACES or name in SQLModel.metadata.tables
