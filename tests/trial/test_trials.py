"""Trials beside a broker that answers: commands and services, processes, roles, the statement."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from broker.audit.records import Job
from broker.commands.trial_commands import build_trial_commands
from broker.policy.asked import WithdrawalAsked
from broker.policy.draft_reading import read_purpose
from broker.policy.replay_result import ReplayResult
from broker.purposes.life_errors import OwnProposalError, ReplayMissingError
from broker.purposes.models import Purpose
from broker.purposes.roles import Acting, RoleMissingError
from broker.trying.replays import ReplayStateError, ReplayUnknownError
from broker.trying.trial_spawn import TrialBusyError, TrialRefusedError, spawn
from datwat.party.admin import OPERATOR, Holder, RoleCommand
from datwat.party.problems import InputInvalidError
from tests.authoring.world import AUTHOR, RIJNSTAD, SECOND_AUTHOR, Office, number
from tests.exchange.world import (
    ON_EACH_DATABASE,
    bsns,
    inquire,
    now,
    open_household,
    register,
)
from tests.trial.world import build_archive, find_purpose

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
NAME = "coordinate_family_help"
BY_AUTHOR = Holder("a.auteur", RIJNSTAD, "author")
SECOND = Holder("e.tweede", RIJNSTAD, "approver")
APPROVER = Holder("b.bakker", RIJNSTAD, "approver")
OFFICER = Holder("d.toezicht", RIJNSTAD, "data_protection_officer")
NOBODY = Holder("z.niemand", RIJNSTAD, "approver")


async def run(office: Office, name: str, holder: Holder, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    command = build_trial_commands(office.broker)[name]
    assert isinstance(command, RoleCommand)
    return await command.run_as(members, holder)


async def until_done(office: Office, number: int) -> ReplayResult:
    async with asyncio.timeout(60):
        while True:
            found = await office.broker.replays.require_replay(number)
            if found.state != "running":
                await settled(lambda: not office.broker.replays.is_running)
                return found
            await asyncio.sleep(0.05)


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process tells no Event of ours
            await asyncio.sleep(0.02)


async def ask_something(office: Office) -> None:
    """Have a family asked about: once as it should be, once on an occasion that does not fit."""
    running = office.running
    for _ in range(3):
        father, mother = next(NUMBERS), next(NUMBERS)
        await register(running, "debt-counselling", father, "debt_counselling")
        home = await open_household(running, father, mother)
        await inquire(running, home, father, mother)
        told = now() + timedelta(days=10)
        other = await open_household(running, father, mother, kind="report", inform_by=told)
        await inquire(running, other, father, mother)


async def keep_reports(office: Office, acting: Acting = AUTHOR, **changes: Any) -> Purpose:  # noqa: ANN401 - members
    """Keep a draft that newly allows to ask on the occasion of a report."""
    occasions = {**find_purpose(NAME).occasions, "report": "contact"}
    text = office.write(NAME, occasions=occasions, **changes)
    await office.draft(text, acting=acting)
    return read_purpose(text)


async def test_what_was_asked_comes_out_the_same_under_the_policy_in_force(office: Office) -> None:
    await ask_something(office)
    begun = await office.broker.replays.start_replay(find_purpose(NAME))
    assert begun.to_index == office.broker.log.size
    result = await until_done(office, begun.number)
    assert result.state == "done"
    assert result.weighed == result.same >= 12
    assert (result.damaged, result.erased, result.drifted) == (0, 0, 0)
    assert not result.needs_sign_off


async def test_newly_allowed_is_signed_off_by_a_statement_that_names_nobody(
    office: Office,
) -> None:
    await ask_something(office)
    draft = await keep_reports(office)
    begun = await office.broker.replays.start_replay(draft)
    assert office.broker.replays.read_sign_off(begun.digest) == "none"
    with pytest.raises(ReplayStateError):
        await run(office, "replay_sign_off", APPROVER, number=begun.number)
    result = await until_done(office, begun.number)
    assert result.newly_allowed >= 6
    assert {row.effect for row in result.rows} == {"newly_allowed"}
    assert office.broker.replays.read_sign_off(result.digest) == "newly_allowed"
    # Beginning another one, and stopping it, makes nobody forget.
    again = await office.broker.replays.start_replay(draft)
    assert office.broker.replays.read_sign_off(result.digest) == "newly_allowed"
    stopped = await office.broker.replays.stop_replay(again.number)
    assert stopped.state == "stopped"
    await settled(lambda: not office.broker.replays.is_running)
    assert office.broker.replays.read_sign_off(result.digest) == "newly_allowed"
    for holder in (BY_AUTHOR, OFFICER, NOBODY, OPERATOR):
        with pytest.raises(RoleMissingError):
            await run(office, "replay_sign_off", holder, number=result.number)
    size = office.broker.log.size
    # Twice at once, as by an impatient click: one of them states it, the other is told.
    acts = (run(office, "replay_sign_off", APPROVER, number=result.number) for _ in range(2))
    said = await asyncio.gather(*acts, return_exceptions=True)
    signed = [one["signed_off_at"] for one in said if isinstance(one, dict)]
    assert len(signed) == 1
    assert signed[0] is not None
    assert [type(one) for one in said if not isinstance(one, dict)] == [ReplayStateError]
    assert office.broker.log.size == size + 1
    assert office.broker.replays.read_sign_off(result.digest) == "signed_off"
    statement = _read_statement(office, size)
    assert statement["type"] == "replay_signed_off"
    assert statement["digest"] == result.digest
    assert statement["role"] == "approver"
    assert "bakker" not in json.dumps(statement)
    with pytest.raises(ReplayStateError):
        await run(office, "replay_sign_off", APPROVER, number=result.number)
    assert office.broker.log.size == size + 1


async def test_nobody_signs_off_what_they_wrote(office: Office) -> None:
    await ask_something(office)
    draft = await keep_reports(office, SECOND_AUTHOR, owner="Own")
    begun = await office.broker.replays.start_replay(draft)
    await until_done(office, begun.number)
    size = office.broker.log.size
    with pytest.raises(OwnProposalError, match="somebody else"):
        await run(office, "replay_sign_off", SECOND, number=begun.number)
    assert office.broker.log.size == size
    # Nor by a text of which nobody is known to have written it, to be kept afterwards.
    unkept = draft.model_copy(update={"owner": "Unkept"})
    begun = await office.broker.replays.start_replay(unkept)
    await until_done(office, begun.number)
    with pytest.raises(ReplayStateError, match="not kept"):
        await run(office, "replay_sign_off", SECOND, number=begun.number)
    assert office.broker.log.size == size
    assert office.broker.replays.read_sign_off(begun.digest) == "newly_allowed"


async def test_nothing_is_proposed_that_was_not_put_to_what_was_decided(office: Office) -> None:
    await register(office.running, "debt-counselling", next(NUMBERS), "debt_counselling")
    text = office.write(sentence=number(431))
    draft_id = await office.draft(text)
    with pytest.raises(ReplayMissingError):
        await office.authoring.propose(AUTHOR, draft_id)
    begun = await office.broker.replays.start_replay(read_purpose(text))
    await until_done(office, begun.number)
    proposed = await office.authoring.propose(AUTHOR, draft_id)
    # Another draft is another digest; and what is published meanwhile asks for it anew.
    other = office.write("income_support", sentence=number(432))
    other_id = await office.draft(other)
    with pytest.raises(ReplayMissingError):
        await office.authoring.propose(AUTHOR, other_id)
    begun = await office.broker.replays.start_replay(read_purpose(other))
    await until_done(office, begun.number)
    await office.publish(proposed.line.id)
    with pytest.raises(ReplayMissingError):
        await office.authoring.propose(AUTHOR, other_id)
    # What takes away needs none.
    asked = WithdrawalAsked(purpose="income_support", reason="Te vroeg.")
    assert (await office.authoring.propose_withdrawal(AUTHOR, asked)).line.effect == "withdraw"


def _read_statement(office: Office, index: int) -> dict[str, Any]:
    with office.broker.store.reading() as conn:
        row = office.broker.store.find_entry(conn, index)
    assert row is not None
    assert row.document is not None
    found: dict[str, Any] = json.loads(row.document)
    return found


async def test_one_that_is_stopped_or_killed_is_gone_on_with(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    replays = office.broker.replays

    async def stand_still(_module: str, *_arguments: str, **_how: bool) -> Any:  # noqa: ANN401
        return await asyncio.create_subprocess_exec("sleep", "60", stderr=asyncio.subprocess.PIPE)

    monkeypatch.setattr("broker.trying.replays.spawn", stand_still)
    begun = await replays.start_replay(find_purpose(NAME))
    assert begun.state == "running"
    with pytest.raises(TrialBusyError):
        await replays.start_replay(find_purpose(NAME))
    with pytest.raises(TrialBusyError):
        await replays.resume_replay(begun.number)
    stopped = await replays.stop_replay(begun.number)
    assert stopped.state == "stopped"
    with pytest.raises(ReplayStateError):
        await replays.stop_replay(begun.number)
    await settled(lambda: not replays.is_running)
    resumed = await replays.resume_replay(begun.number)
    assert resumed.state == "running"
    os.kill(replays._running[begun.number].pid, signal.SIGKILL)  # noqa: SLF001 - from outside
    await settled(lambda: not replays.is_running)
    assert (await replays.require_replay(begun.number)).state == "stopped"
    monkeypatch.setattr("broker.trying.replays.spawn", spawn)
    await replays.resume_replay(begun.number)
    assert (await until_done(office, begun.number)).state == "done"
    with pytest.raises(ReplayStateError):
        await replays.resume_replay(begun.number)


async def test_nothing_of_another_number(office: Office) -> None:
    for name in ("replay_stop", "replay_resume"):
        with pytest.raises(ReplayUnknownError):
            await run(office, name, BY_AUTHOR, number=999_999)
    with pytest.raises(ReplayUnknownError):
        await run(office, "replay_status", OFFICER, number=999_999)
    with pytest.raises(InputInvalidError):
        await run(office, "replay_status", OFFICER, number="1; DROP TABLE replays")


async def test_cases_of_a_draft_by_command(office: Office) -> None:
    text = office.write(NAME, occasions={"crisis": "contact"})
    result = await run(office, "trial_cases", BY_AUTHOR, text=text)
    assert result["purpose"] == NAME
    assert 0 < result["failed"] < result["total"]
    failed = next(one for one in result["cases"] if not one["passed"])
    assert any("occasion_kind_fits" in blade["found"] for blade in failed["blades"])
    kept = await office.draft(office.write(NAME))
    whole = await run(office, "trial_cases", BY_AUTHOR, draft=kept)
    assert whole["failed"] == 0
    for holder in (OFFICER, NOBODY, OPERATOR):
        with pytest.raises(RoleMissingError):
            await run(office, "trial_cases", holder, text=text)


async def test_a_draft_that_does_not_fit_is_refused_with_its_place(office: Office) -> None:
    text = office.write(NAME, sees={"no_such_kind": "dat"})
    with pytest.raises(TrialRefusedError) as refused:
        await run(office, "trial_cases", BY_AUTHOR, text=text)
    assert "sees" in (refused.value.place or "")
    assert "no_such_kind" in refused.value.detail
    for members in ({}, {"text": text, "draft": "0" * 32}, {"draft": "../etc"}):
        with pytest.raises(InputInvalidError):
            await run(office, "trial_cases", BY_AUTHOR, **members)


async def test_the_mutation_check_by_command(office: Office) -> None:
    text = office.write(NAME)
    begun = await run(office, "trial_mutate", BY_AUTHOR, text=text)
    assert begun["state"] == "running"
    with pytest.raises(TrialBusyError):
        await run(office, "trial_mutate", BY_AUTHOR, text=text)
    async with asyncio.timeout(90):
        while (job := await run(office, "trial_mutation", OFFICER))["state"] == "running":  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.1)
    assert job["state"] == "done"
    assert job["done"] == job["total"] == job["result"]["total"]
    assert job["result"]["unnoticed"] == []


async def test_the_cases_of_a_candidate(office: Office) -> None:
    assert await office.broker.trials.run_cases(build_archive(), None) == ()
    with pytest.raises(TrialRefusedError):
        await office.broker.trials.run_cases(b"no archive", None)


async def test_a_log_that_does_not_answer_signs_nothing_off(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_something(office)
    draft = await keep_reports(office, owner="Another")
    begun = await office.broker.replays.start_replay(draft)
    result = await until_done(office, begun.number)

    def refuse(_job: Job) -> Awaitable[None]:
        raise OSError

    ports = office.broker.replays._ports  # noqa: SLF001 - the log fails
    monkeypatch.setattr(
        office.broker.replays, "_ports", type(ports)(**{**_members(ports), "append": refuse})
    )
    with pytest.raises(OSError):  # noqa: PT011 - no words of its own
        await run(office, "replay_sign_off", APPROVER, number=result.number)
    assert office.broker.replays.read_sign_off(result.digest) == "newly_allowed"


def _members(ports: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    return {name: getattr(ports, name) for name in type(ports).__slots__}
