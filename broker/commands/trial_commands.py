"""Trying drafts by command, while the broker runs: the same acts as on its pages.

Rules: who acts follows from the named token and the register; a draft is one that is kept, or a
text that is not; nothing here names a person.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from broker.commands.authoring_commands import build_acting, require_reader
from broker.policy.asked import DigestAsked, ReplayAsked, TrialAsked, WithdrawalTrialAsked
from broker.policy.authoring_ports import Grounds
from broker.policy.draft_reading import read_cases, read_purpose, require_no_number_read
from broker.policy.replay_result import ReplayLine, ReplayResult
from broker.purposes.cases import Case
from broker.purposes.life_errors import RevisionUnknownError
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.roles import DRAFT_READERS, RoleName
from broker.trying.replays import ReplayUnknownError
from broker.trying.trials import MutationJob
from broker.wiring import Broker
from datwat.party.admin import Command, Holder, RoleCommand
from datwat.party.problems import read_members

TRYING: tuple[RoleName, ...] = ("author", "approver", "reviewer")
SIGNING_OFF: tuple[RoleName, ...] = ("approver", "reviewer")


@dataclass(frozen=True, slots=True)
class Tried:
    """A draft as it is tried; `cases` is None where it says none of its own."""

    purpose: Purpose
    cases: tuple[Case, ...] | None


def build_trial_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands that try drafts; touches nothing of the broker before one runs."""
    desk = _Desk(broker)
    return {
        "trial_cases": RoleCommand(desk.try_cases),
        "trial_mutate": RoleCommand(desk.mutate),
        "trial_mutation": RoleCommand(desk.show_mutation),
        "replay_start": RoleCommand(desk.start),
        "replay_withdrawal": RoleCommand(desk.start_withdrawal),
        "replay_status": RoleCommand(desk.show),
        "replay_list": RoleCommand(desk.list),
        "replay_stop": RoleCommand(desk.stop),
        "replay_resume": RoleCommand(desk.resume),
        "replay_sign_off": RoleCommand(desk.sign_off),
    }


class _Desk:
    """Runs the commands; each asks the register first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: Grounds | None = None

    async def try_cases(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Return the cases of a draft, found beside expected."""
        tried = await self._read(members, holder)
        result = await self._broker.trials.try_cases(tried.purpose, tried.cases, by=holder.staff)
        return result.model_dump(mode="json")

    async def mutate(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Begin the mutation check of a draft."""
        tried = await self._read(members, holder)
        job = self._broker.trials.mutate(tried.purpose, tried.cases, by=holder.staff)
        return describe_job(job)

    async def show_mutation(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Return how a mutation check goes, and its result when it is done."""
        await require_reader(self._broker, holder, DRAFT_READERS)
        job = self._broker.trials.find_mutation(read_members(DigestAsked, members).digest)
        if job is None:
            raise ReplayUnknownError("There is no such mutation check: begin one.")
        return describe_job(job)

    async def start(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Begin a replay of a draft."""
        tried = await self._read(members, holder)
        found = await self._broker.replays.start_replay(tried.purpose, by=holder.staff)
        return describe_replay(found)

    async def start_withdrawal(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Begin a replay of a purpose that would be taken out."""
        await self._require(holder, *TRYING)
        name = read_members(WithdrawalTrialAsked, members).purpose
        ground = await self._grounds.fetch()
        purpose = ground.catalogue.find_newest(name)
        if purpose is None:
            raise RevisionUnknownError
        digest = derive_digest(purpose)
        begin = self._broker.replays.start_withdrawal
        return describe_replay(await begin(name, digest, by=holder.staff))

    async def show(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Return a replay as far as it is."""
        await require_reader(self._broker, holder, DRAFT_READERS)
        number = read_members(ReplayAsked, members).number
        found = await asyncio.to_thread(self._broker.replays.find_replay, number)
        if found is None:
            raise ReplayUnknownError
        return describe_replay(found)

    async def list(self, _members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Return the newest replays in short."""
        await require_reader(self._broker, holder, DRAFT_READERS)
        found = await asyncio.to_thread(self._broker.replays.list_replays)
        short = set(ReplayLine.model_fields)
        return {"replays": [one.model_dump(mode="json", include=short) for one in found]}

    async def stop(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Stop a replay."""
        await self._require(holder, *TRYING)
        number = await self._find_number(members)
        return describe_replay(await self._broker.replays.stop_replay(number))

    async def resume(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Go on with a replay."""
        await self._require(holder, *TRYING)
        number = await self._find_number(members)
        found = await self._broker.replays.resume_replay(number, by=holder.staff)
        return describe_replay(found)

    async def sign_off(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """State on the log that what a draft newly allows is meant."""
        register = self._broker.role_register
        role = await asyncio.to_thread(register.require, build_acting(holder), *SIGNING_OFF)
        number = await self._find_number(members)
        return describe_replay(await self._broker.replays.sign_off(number, role, holder.staff))

    @property
    def _grounds(self) -> Grounds:
        if self._held is None:
            following = self._broker.following
            self._held = Grounds(lambda: following.here.bundle)
        return self._held

    async def _read(self, members: dict[str, Any], holder: Holder) -> Tried:
        """Return the draft that is meant; raise what is wrong with it, with its place."""
        await self._require(holder, *TRYING)
        asked = read_members(TrialAsked, members)
        text, cases = asked.text, asked.cases
        if asked.draft is not None:
            show = self._broker.authoring.show_draft
            acting = build_acting(holder)
            shown = await asyncio.to_thread(show, acting, asked.draft, asked.language)
            text, cases = shown.text, shown.cases
        ground = await self._grounds.fetch()

        def read() -> Tried:
            require_no_number_read(text, cases)
            purpose = read_purpose(text)
            return Tried(purpose, read_cases(cases, purpose, ground))

        return await asyncio.to_thread(read)

    async def _require(self, holder: Holder, *roles: RoleName) -> None:
        await asyncio.to_thread(self._broker.role_register.require, build_acting(holder), *roles)

    async def _find_number(self, members: dict[str, Any]) -> int:
        number = read_members(ReplayAsked, members).number
        if number is not None:
            return number
        found = await asyncio.to_thread(self._broker.replays.find_replay)
        if found is None:
            raise ReplayUnknownError
        return found.number


def describe_job(job: MutationJob) -> dict[str, Any]:
    """Return a mutation check as JSON values."""
    return {
        "digest": job.digest,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "detail": job.detail,
        "result": None if job.result is None else job.result.model_dump(mode="json"),
    }


def describe_replay(result: ReplayResult) -> dict[str, Any]:
    """Return a replay as JSON values."""
    return result.model_dump(mode="json")
