"""What the officers' API answers, as its OpenAPI document shows it.

Rule: the answers themselves are those of the commands, made in one place; these models say their
form, and a test holds every answer against them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, RootModel

from broker.policy.mutating import MutationResult
from broker.policy.replay_result import ReplayLine
from broker.policy.shown import (
    ApprovalDone,
    CalendarLine,
    DraftLine,
    DraftShown,
    HistoryLine,
    Preview,
    ProposalLine,
    ProposalShown,
    PurposeLine,
)
from datwat.protocol.bundle import BundleStatement
from datwat.protocol.purpose_approval import PurposeApproval


class Purposes(BaseModel):
    """The purposes of the bundle in force."""

    purposes: list[PurposeLine]


class Calendar(BaseModel):
    """What begins and ends from now on, the first first."""

    calendar: list[CalendarLine]


class Publications(BaseModel):
    """What was published, newest first."""

    publications: list[HistoryLine]


class PreviewAnswer(RootModel[Preview]):
    """What a draft would be, or what is wrong with it."""


class Begun(BaseModel):
    """YAML of the newest revision of a purpose and of its cases, and its digest."""

    text: str
    cases: str
    base_digest: str


class Drafts(BaseModel):
    """The drafts that are being written, the last changed first."""

    drafts: list[DraftLine]


class DraftAnswer(RootModel[DraftShown]):
    """A draft to go on with."""


class Dropped(BaseModel):
    """That a draft is gone."""

    id: str
    dropped: bool


class Proposals(BaseModel):
    """The newest proposals, newest first."""

    proposals: list[ProposalLine]


class ProposalAnswer(RootModel[ProposalShown]):
    """A proposal as an approver reads it."""


class TakenBack(BaseModel):
    """That a proposal was taken back."""

    id: str
    taken_back: bool


class ToSign(BaseModel):
    """What an approver signs, with what makes sure that it is what is shown.

    `archive`, `base_archive`, `base_document`, `earlier`: base64url of the bundle that would be, of
    the bundle in force with its signed document, and of that of the publication `to_seq`.
    """

    approval: PurposeApproval
    statement: BundleStatement
    archive: str
    base_archive: str
    base_document: str
    to_seq: int | None
    earlier: str | None
    text_nl: str
    text_en: str
    changes_nl: list[str]
    changes_en: list[str]


class ApprovalAnswer(RootModel[ApprovalDone]):
    """An approval that was written."""


class MutationCheck(BaseModel):
    """A mutation check as far as it is; `result` when it is done, `detail` where it failed."""

    digest: str
    state: Literal["running", "done", "failed"]
    done: int
    total: int
    detail: str
    result: MutationResult | None


class ReplayLines(BaseModel):
    """The newest hundred replays, the newest first."""

    replays: list[ReplayLine]
