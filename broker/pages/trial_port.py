"""What the pages ask of trials and replays, which run in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from broker.policy.mutating import MutationResult
from broker.policy.replay_result import ReplayResult, TrialState
from broker.policy.trial import CasesResult
from broker.purposes.cases import Case
from broker.purposes.models import Purpose
from broker.purposes.roles import Role


class MutationJob(Protocol):
    """A mutation check as far as it is."""

    @property
    def state(self) -> Literal["running", "done", "failed"]:
        """How it is."""

    @property
    def done(self) -> int:
        """How many mutants were weighed."""

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def result(self) -> MutationResult | None:
        """What came out, when it is done."""


class TrialsPort(Protocol):
    """Cases and the mutation check (`broker/trying/trials.py`)."""

    async def try_cases(
        self, draft: Purpose, cases: Sequence[Case] | None = None, *, by: str | None = None
    ) -> CasesResult:
        """Return the cases of a draft beside what comes out."""

    def mutate(
        self, draft: Purpose, cases: Sequence[Case] | None = None, *, by: str | None = None
    ) -> MutationJob:
        """Begin the mutation check of a draft."""

    def find_mutation(self, digest: str | None = None) -> MutationJob | None:
        """Return the mutation check of a draft, if it is still held."""


class ReplaysPort(Protocol):
    """Replays of what was decided (`broker/trying/replays.py`)."""

    async def start_replay(self, draft: Purpose, *, by: str | None = None) -> ReplayResult:
        """Begin a replay of a draft."""

    async def stop_replay(self, number: int) -> ReplayResult:
        """Stop a replay where it is."""

    async def resume_replay(self, number: int, *, by: str | None = None) -> ReplayResult:
        """Go on with a replay that was stopped."""

    def find_replay(
        self, number: int | None = None, digest: str | None = None
    ) -> ReplayResult | None:
        """Return a replay, or the newest of a draft; waits for the database."""

    def read_sign_off(self, purpose_digest: str) -> TrialState:
        """Return what the newest replay of a draft says to who would propose it."""

    def list_replays(self) -> list[ReplayResult]:
        """Return the newest hundred, the newest first; waits for the database."""

    async def sign_off(self, number: int, role: Role, staff: str) -> ReplayResult:
        """Say that what would newly be allowed is meant; who wrote it may not."""
