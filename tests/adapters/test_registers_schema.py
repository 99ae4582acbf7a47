"""The registers' tables: as migrated, with an end in each, and with no words in the clear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, event, func, select

from broker.adapters.database import open_engine
from broker.adapters.log_tables import UtcSeconds
from broker.adapters.purging import purge_ended
from broker.adapters.tables import REGISTER_MODELS, SPENT, SuspensionRecord, table_of
from broker.exchange.registers import Registers
from broker.involvement.authority import AuthorityRow
from broker.involvement.introductions import derive_introduction_end
from broker.involvement.special_situations import SpecialSituationRow
from broker.pseudonyms.reference_rows import Introduction
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Authority, CloseOccasion
from tests.adapters.registers import (
    DAY,
    NOW,
    REPLY,
    SCHOOL,
    SPECIAL,
    TEAM,
    build_block,
    build_consent,
    build_contact_request,
    build_duty,
    build_erasure,
    build_involvement,
    build_member,
    build_notice,
    build_objection,
    build_occasion,
    build_question,
    build_shield,
    writing,
)

# Indexes that hold only what waits to be done: these are read from the front.
WORK_LISTS = {
    "ix_special_situations_term",
    "ix_special_situations_due",
    "ix_contact_requests_outbox",
    "ix_objections_open",
    "ix_questions_open",
    "ix_erasures_asked",
    "ix_duties_open",
}
TABLES = [table_of(model) for model in REGISTER_MODELS]
P = b"\x07" * 32
# Words that `fill` writes about people: names, staff ids, reasons, roles, places.
WORDS = (
    "Bakboord", "088123", "zilvermeeuw", "kanoet", "gedragsdeskundige", "stuurboord",
    "scheepsgeheim", "Waterlinie", "Loefzijde", "Mentor", "Voogdij", "school_attendance",
    "safety", "bakboord", "visdief",
)  # fmt: skip


def test_the_migrated_schema_is_that_of_the_models(conn: Connection) -> None:
    wanted = MetaData()
    for table in (*TABLES, SPENT, table_of(SuspensionRecord)):
        table.to_metadata(wanted)

    def is_ours(name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in wanted.tables

    def is_other(_c: object, _i: object, _m: object, held: object, stated: object) -> bool | None:
        return False if isinstance(stated, UtcSeconds) and str(held) == "BIGINT" else None

    options = {"include_name": is_ours, "compare_type": is_other}
    found = MigrationContext.configure(conn, opts=options)
    assert compare_metadata(found, wanted) == []


def test_every_row_about_a_person_has_an_end() -> None:
    for table in TABLES:
        assert not table.c.until_at.nullable
        assert any([*index.columns] == [table.c.until_at] for index in table.indexes), table.name


def fill(conn: Connection, registers: Registers) -> None:
    """Write at least one row of every table."""
    person = draw_id()
    registers.subjects.add_subject(conn, person, P, 1, NOW)
    handle = draw_id()
    registers.references.add_reference(
        conn, TEAM, "handle", person, handle, until_at=NOW + DAY, now=NOW
    )
    introduction = Introduction(person, TEAM, "open", None, derive_introduction_end(NOW))
    registers.references.add_introduction(conn, SCHOOL, draw_id(), introduction)
    occasion = build_occasion()
    occasion = replace(occasion, special_situation=SpecialSituationRow(occasion.id, SPECIAL, NOW))
    registers.occasions.open_occasion(
        conn, occasion, [build_member(occasion, subject_id=person), build_member(occasion)]
    )
    registers.involvements.add(conn, build_involvement(subject_id=person))
    registers.contacts.add(conn, build_contact_request(subject_id=person))
    registers.notices.add(conn, build_notice(), NOW)
    authority = Authority(
        kind="guardian",
        scope="Voogdij",
        source="document",
        checked_at=NOW,
        until_at=NOW + 90 * DAY,
    )
    registers.authorities.add(
        conn,
        AuthorityRow.build(authority, row_id=draw_id(), subject_id=person, recorded_by=TEAM),
    )
    registers.consents.add_consent(conn, build_consent(subject_id=person))
    registers.consents.add_objection(conn, build_objection(subject_id=person))
    registers.consents.shield(conn, person, build_shield())
    registers.wishes.add_block(conn, build_block(subject_id=person))
    question = build_question(subject_id=person)
    registers.wishes.add_question(conn, question)
    registers.wishes.answer_question(conn, question, REPLY, NOW)
    registers.wishes.add_question(conn, build_question(subject_id=person))
    registers.wishes.add_erasure(conn, build_erasure(subject_id=person))
    registers.duties.add(conn, build_duty(subject_id=person))
    closing = CloseOccasion(reason="moved", goals_reached="no", plan_made=False)
    closed = build_occasion()
    registers.occasions.open_occasion(conn, closed, [])
    registers.occasions.close_occasion(conn, closed.id, closing, NOW)


def test_the_database_holds_no_words_about_people(
    engine: Engine, registers: Registers, tmp_path: Path
) -> None:
    with writing(engine) as conn:
        fill(conn, registers)
    with engine.connect() as conn:
        dump = b"".join(
            b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
            for table in TABLES
            for row in conn.execute(select(table))
        )
        assert all(conn.execute(select(func.count()).select_from(t)).scalar() for t in TABLES)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("broker.db*"))
    assert TEAM.encode() in dump  # the look-out works: an organisation is no person
    assert engine.dialect.name != "sqlite" or TEAM.encode() in raw
    for word in (*(word.encode() for word in WORDS), P):
        assert word not in dump
        assert word not in raw


def count(conn: Connection) -> int:
    return sum(conn.execute(select(func.count()).select_from(t)).scalar_one() for t in TABLES)


def test_nothing_is_purged_before_its_end(conn: Connection, registers: Registers) -> None:
    fill(conn, registers)
    before = count(conn)
    assert purge_ended(conn, NOW) == 0
    assert count(conn) == before


def test_everything_has_gone_after_the_longest_end(conn: Connection, registers: Registers) -> None:
    fill(conn, registers)
    assert purge_ended(conn, NOW + 2 * 7_400 * DAY) > 0
    assert count(conn) == 0


def test_a_purge_takes_a_batch_at_a_time(conn: Connection, registers: Registers) -> None:
    for _ in range(5):
        registers.consents.shield(conn, draw_id(), build_shield())
    assert [purge_ended(conn, NOW + DAY, limit=2) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.sqlite_only("reads the plan as SQLite words it")
def test_what_is_asked_of_the_tables_uses_an_index(sqlite_url: str, registers: Registers) -> None:
    engine = open_engine(sqlite_url)
    asked: list[tuple[str, object]] = []

    def note(_c: object, _d: object, statement: str, given: object, *_rest: object) -> None:
        asked.append((statement, given))

    with engine.begin() as conn:
        fill(conn, registers)
        event.listen(engine, "before_cursor_execute", note)
        ask(conn, registers)
        event.remove(engine, "before_cursor_execute", note)
        for statement, given in asked:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()  # type: ignore[arg-type]
            scans = [row.detail for row in plan if row.detail.startswith("SCAN")]
            assert all(scan.split()[-1] in WORK_LISTS for scan in scans), statement
    engine.dispose()
    assert len(asked) > 20


def ask(conn: Connection, registers: Registers) -> None:
    some = draw_id()
    registers.subjects.find_subject(conn, P[::-1] * 2, 1)
    registers.references.find_handle(conn, TEAM, some, NOW)
    registers.references.find_reference(conn, TEAM, "handle", some, NOW)
    registers.references.end_target(conn, some)
    registers.references.find_introduction(conn, TEAM, some, NOW)
    registers.occasions.find_occasion(conn, some, NOW)
    registers.occasions.find_member(conn, some, some, NOW)
    registers.occasions.list_members(conn, some, NOW)
    registers.special_situations.find_situation(conn, some)
    registers.special_situations.list_unopened(conn, 10)
    registers.special_situations.list_unopened(conn, 10, (NOW, "0"))
    registers.special_situations.find_unopened(conn, "0")
    registers.special_situations.count_unopened(conn, NOW)
    registers.special_situations.list_due(conn, NOW, 10)
    registers.involvements.pointers_of(conn, some, {"a"}, {"b"}, NOW)
    registers.involvements.find_registered(conn, some, TEAM, "a", NOW)
    registers.involvements.find(conn, some, NOW)
    registers.involvements.mark_others(conn, some, TEAM, "died")
    registers.involvements.list_expired(conn, NOW, 10)
    registers.contacts.contact_facts(conn, TEAM, some, NOW)
    registers.contacts.count_overdue(conn, NOW)
    registers.contacts.list_undelivered(conn, NOW, 10)
    registers.notices.list_due(conn, NOW, 10)
    registers.references.list_holders(conn, some, NOW)
    registers.occasions.list_open_with(conn, TEAM, some, NOW)
    registers.authorities.list_current(conn, some, NOW)
    registers.consents.list_consents(conn, some, NOW)
    registers.consents.find_consent(conn, some, some, NOW)
    registers.consents.list_objections(conn, some, NOW)
    registers.consents.find_objection(conn, some, some, NOW)
    registers.consents.list_open_objections(conn, NOW, 10)
    registers.consents.count_overdue_objections(conn, NOW)
    registers.consents.find_shield(conn, some, NOW)
    registers.wishes.list_blocks(conn, some, NOW)
    registers.wishes.find_block(conn, some, some, NOW)
    registers.wishes.list_questions(conn, some, NOW)
    registers.wishes.find_question(conn, some, some, NOW)
    registers.duties.find(conn, "tell", "0", NOW)
    registers.duties.list_open(conn, "tell", NOW, 10, None)
    registers.duties.list_open(conn, "tell", NOW, 10, TEAM)
    registers.duties.end_telling(conn, some, [some], NOW)
    registers.wishes.list_open_questions(conn, NOW, 10)
    registers.wishes.count_overdue_questions(conn, NOW)
    registers.wishes.list_erasures(conn, NOW, 10)
    registers.wishes.count_overdue_erasures(conn, NOW)
    registers.wishes.end_erasure(conn, some, 1, NOW)
    registers.involvements.list_current(conn, some, NOW)
    purge_ended(conn, NOW)
