"""A replay over a real database and a real OPA: the same finds nothing, what differs is found."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from bench.decisions import Decided, decide, draw_questions, write_decisions
from broker.adapters.database import open_engine
from broker.adapters.log_tables import LogEntry, QuarterKey, table_of
from broker.adapters.opa_process import find_opa
from broker.adapters.purging import purge_ended
from broker.adapters.replay_inputs import ReplayInputs
from broker.adapters.replay_store import KEPT, SqlReplays
from broker.adapters.replay_tables import ReplayRecord
from broker.adapters.secrets import ROW_KEY_NAME, load_secrets
from broker.adapters.tables import table_of as register_table_of
from broker.policy.replay_result import ReplayPlan, ReplayResult
from broker.policy.replay_tally import Tally
from broker.purposes.models import Purpose, derive_digest
from broker.settings import BrokerSettings
from broker.trying.replay_process import main
from broker.trying.replay_run import ReplayRun
from datwat.party.settings import read_secret
from tests.purposes.test_person_facts import PERSON_FACTS, with_person_facts
from tests.trial.world import NOW, build_bundle, draft_of, find_purpose, make_home, read_cases

_ENTRIES, _KEYS = table_of(LogEntry), table_of(QuarterKey)
NAME = "debt_counselling"


class Past:
    """A broker's home with decisions that were kept, and what replays them here."""

    def __init__(self, folder: Path, decided: list[Decided]) -> None:
        self.settings: BrokerSettings = make_home(folder)
        self.size = write_decisions(self.settings.home, self.settings.database, decided)
        self.engine: Engine = open_engine(self.settings.database)
        self.replays = SqlReplays(self.engine, read_secret(self.settings.home, ROW_KEY_NAME))

    def begin(self, draft: Purpose | None, *, purpose: str = NAME, revision: str = "") -> int:
        plan = ReplayPlan(
            purpose=purpose,
            digest=derive_digest(draft) if draft else "0" * 64,
            draft=draft,
            base_seq=1,
            base_revision=revision or build_bundle().revision,
            from_index=0,
            to_index=self.size,
            planned_at=NOW,
        )
        return self.replays.begin(plan, build_bundle().archive, NOW)

    async def run(self, number: int) -> ReplayResult:
        task = self.replays.take(number)
        assert task is not None
        inputs = ReplayInputs(self.engine, lambda: load_secrets(self.settings.home).kek)
        await ReplayRun(task, self.replays, inputs).run(await find_opa())
        return self.show(number)

    def show(self, number: int) -> ReplayResult:
        found = self.replays.find(number)
        assert found is not None
        return found

    def change(self, index: int, **values: Any) -> None:  # noqa: ANN401 - columns
        with self.engine.begin() as conn:
            conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx == index).values(**values))


def decide_all(questions: list[dict[str, Any]]) -> list[Decided]:
    return asyncio.run(decide(build_bundle(), questions))


@pytest.fixture(scope="module")
def decided() -> list[Decided]:
    return decide_all([case.question for case in read_cases()])


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory, decided: list[Decided]) -> Iterator[Past]:
    made = Past(tmp_path_factory.mktemp("past"), decided)
    yield made
    made.engine.dispose()


def draw_person_facts(count: int) -> list[dict[str, Any]]:
    """Return so many sets of facts of a person, as the strategies draw them."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=count // 8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(PERSON_FACTS, min_size=8, max_size=8))
    def collect(facts: list[dict[str, Any]]) -> None:
        found.extend(facts)

    collect()
    return found


@pytest.mark.timeout(300)
async def test_under_the_policy_in_force_nothing_differs(tmp_path: Path) -> None:
    drawn = draw_person_facts(2_000) * 5  # each put beside five other questions
    questions = [
        with_person_facts(question, facts)
        for question, facts in zip(draw_questions(build_bundle(), 10_000), drawn, strict=True)
    ]
    past = Past(tmp_path, await decide(build_bundle(), questions))
    result = await past.run(past.begin(find_purpose(NAME)))
    assert (result.weighed, result.same) == (past.size, past.size)
    assert past.size == 10_000
    counts = result.newly_allowed, result.newly_refused, result.changed, result.drifted
    assert counts == (0, 0, 0, 0)
    assert (result.other, result.erased, result.damaged, result.rows) == (0, 0, 0, ())
    assert result.waiting is not None
    assert result.waiting.is_few
    assert result.state == "done"
    past.engine.dispose()


async def test_what_a_draft_refuses_is_found_by_partner(past: Past, decided: list[Decided]) -> None:
    draft = draft_of(NAME, objection="none", requesters=find_purpose(NAME).requesters)
    closed = draft_of(NAME, occasions={"crisis": "contact"})
    result = await past.run(past.begin(closed))
    own = [one for one in decided if one.question["purpose"] == NAME]
    were = sum(
        one.decision["permit"] and one.question["act"] in {"inquire", "release", "request_contact"}
        for one in own
    )
    assert 0 < result.newly_refused <= were
    assert result.newly_allowed == 0
    assert {row.purpose for row in result.rows} == {NAME}
    assert not result.needs_sign_off
    freed = await past.run(past.begin(draft))
    assert freed.newly_allowed > 0
    assert freed.needs_sign_off
    assert any("no_objection" in one.before.unmet for one in freed.examples)
    assert all("no_objection" not in one.after.unmet for one in freed.examples if one.after.permit)


async def test_fields_and_obligations_that_change_are_named(past: Past) -> None:
    purpose = find_purpose(NAME)
    edges = tuple(
        edge.model_copy(update={"fields": edge.fields[1:]}) if len(edge.fields) > 1 else edge
        for edge in purpose.edges
    )
    result = await past.run(past.begin(draft_of(NAME, edges=edges, retention_days=10)))
    lost = {name for row in result.rows if row.effect == "fields" for name in row.lost}
    gone = {f"field:{edge.fields[0].field}" for edge in purpose.edges if len(edge.fields) > 1}
    assert lost
    assert lost <= gone
    assert any(row.effect == "other" for row in result.rows)  # kept for a shorter time


async def test_a_purpose_taken_out_refuses_all_of_it(past: Past) -> None:
    result = await past.run(past.begin(None, purpose="income_support"))
    assert result.is_withdrawal
    assert result.newly_refused > 0
    assert {row.purpose for row in result.rows} == {"income_support"}
    assert {one.after.permit for one in result.examples if one.effect == "newly_refused"} == {False}


async def test_what_was_erased_or_damaged_is_counted_and_passed(
    tmp_path: Path, decided: list[Decided]
) -> None:
    past = Past(tmp_path, decided)
    past.change(3, sealed=None, input_sealed=None, retention_until=None)
    past.change(7, input_sealed=b"\0" * 80)
    past.change(11, input_sealed=b"")
    past.change(12, input_sealed=None)  # a notice: it has a content, and never had an input
    with past.engine.begin() as conn:
        subject = conn.execute(
            _ENTRIES.select().with_only_columns(_ENTRIES.c.subject_id).where(_ENTRIES.c.idx == 30)
        ).scalar_one()
        conn.execute(_KEYS.delete().where(_KEYS.c.subject_id == subject))
    result = await past.run(past.begin(find_purpose(NAME)))
    assert result.state == "done"
    assert result.damaged_at == (7, 11)
    assert (result.damaged, result.other) == (2, 1)
    assert result.erased == 1 + 3  # three decisions lay under that person's key
    assert result.weighed == result.same == past.size - 2 - 1 - 4
    past.engine.dispose()


async def test_what_waits_to_be_told_stands_in_no_row(
    tmp_path: Path, decided: list[Decided]
) -> None:
    waiting = [one._replace(audience="delayed") for one in decided]
    past = Past(tmp_path, waiting)
    result = await past.run(past.begin(None, purpose=NAME))
    assert (result.weighed, result.newly_refused, result.rows, result.examples) == (0, 0, (), ())
    assert result.other == past.size
    assert result.waiting is not None
    assert result.waiting.at_least % 10 == 0
    assert result.waiting.at_least > 0
    past.engine.dispose()


async def test_a_run_that_is_stopped_goes_on_and_counts_nothing_twice(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_of(NAME, objection="none", retention_days=10)
    whole = await past.run(past.begin(draft))
    number = past.begin(draft)
    monkeypatch.setattr("broker.trying.replay_run._AT_ONCE", 10)
    monkeypatch.setattr("broker.trying.replay_run._PUT_DOWN_SECONDS", 0.0)
    seen: list[int] = []
    put_down = past.replays.put_down

    def stop_after_three(task: Any, tally: Tally, at_index: int) -> bool:  # noqa: ANN401 - a task
        seen.append(at_index)
        if len(seen) == 3:
            past.replays.set_state(number, ("running",), "stopped")
        return put_down(task, tally, at_index)

    monkeypatch.setattr(past.replays, "put_down", stop_after_three)
    stopped = await past.run(number)
    assert (stopped.state, stopped.at_index) == ("stopped", 40)
    assert stopped.weighed == 40
    assert stopped.waiting is None
    assert past.replays.take(number) is None
    assert past.replays.set_state(number, ("stopped",), "running")
    done = await past.run(number)
    same = {"number": number, "started_at": whole.started_at, "ended_at": done.ended_at}
    assert done == whole.model_copy(update=same)


async def test_a_runner_that_was_replaced_writes_nothing_more(past: Past) -> None:
    number = past.begin(find_purpose(NAME))
    old = past.replays.take(number)
    assert old is not None
    assert past.replays.set_state(number, ("running",), "running")
    assert not past.replays.put_down(old, Tally(weighed=99), 99)
    assert not past.replays.finish(old, Tally(weighed=99), 99, NOW)
    assert past.show(number).weighed == 0
    new = past.replays.take(number)
    assert new is not None
    assert past.replays.put_down(new, Tally(weighed=5), 5)


async def test_what_another_policy_decided_is_held_against_the_one_in_force(
    tmp_path: Path, decided: list[Decided]
) -> None:
    index = next(
        number
        for number, one in enumerate(decided)
        if one.question["purpose"] == NAME and one.decision["permit"]
    )
    old = copy.deepcopy(decided)
    for one in old:  # as though an earlier revision had decided, by another text of the purpose
        if one.question["purpose_digest"] == derive_digest(find_purpose(NAME)):
            one.question["purpose_digest"] = "e" * 64
    refused = {**old[index].decision, "permit": False, "rung": "none", "fields": [], "caps": []}
    past = Past(tmp_path, [one._replace(revision="earlier") for one in old])
    assert refused["permit"] is False
    result = await past.run(past.begin(find_purpose(NAME)))
    assert result.weighed == result.same
    assert result.mapped > 0
    assert result.drifted == 0
    changed = [*old[:index], old[index]._replace(decision=refused), *old[index + 1 :]]
    drifted = Past(tmp_path / "two", [one._replace(revision="earlier") for one in changed])
    found = await drifted.run(drifted.begin(find_purpose(NAME)))
    assert (found.drifted, found.same) == (1, found.weighed)
    past.engine.dispose()
    drifted.engine.dispose()


def test_the_process_runs_it_and_one_that_fails_says_so(past: Past, capsys: Any) -> None:  # noqa: ANN401 - pytest's
    number = past.begin(find_purpose(NAME))
    assert main([str(past.settings.home), str(number)]) == 0
    assert past.show(number).state == "done"
    assert main([str(past.settings.home), str(number)]) == 0  # done already: nothing to do
    broken = past.begin(draft_of(NAME, sees={"no_such_kind": "dat"}))
    assert main([str(past.settings.home), str(broken)]) == 1
    assert past.show(broken).state == "failed"
    assert capsys.readouterr().err == "policy_file_invalid\n"


def test_a_replay_ends(past: Past) -> None:
    number = past.begin(find_purpose(NAME))
    with past.engine.begin() as conn:
        assert purge_ended(conn, NOW + KEPT - timedelta(seconds=1)) == 0
    assert past.show(number).state == "running"
    with past.engine.begin() as conn:
        assert purge_ended(conn, NOW + KEPT) > 0
    assert past.replays.find(number) is None


def test_a_row_that_was_changed_is_an_alarm(past: Past) -> None:
    first, second = past.begin(find_purpose(NAME)), past.begin(find_purpose(NAME))
    table = register_table_of(ReplayRecord)
    with past.engine.begin() as conn:
        sealed = conn.execute(
            table.select().with_only_columns(table.c.sealed).where(table.c.number == first)
        ).scalar_one()
        conn.execute(update(table).where(table.c.number == second).values(sealed=sealed))
    with pytest.raises(Exception, match="alarmed") as refused:
        past.replays.find(second)
    assert type(refused.value).__name__ == "RowMismatch"
