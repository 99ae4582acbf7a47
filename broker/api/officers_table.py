"""The table of the officers' API: the life of a purpose, for programs on other machines.

Rule: each route runs one command of the running broker, the same that `datwat purpose` runs; what
it takes is that command's own model. An approval comes by signatures only: no passphrase ever
travels here. Source: docs/decisions/0024-officers-api.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from broker.api import officers_models as models
from broker.policy import asked
from broker.policy.replay_result import ReplayResult
from broker.policy.trial import CasesResult
from datwat.party.openapi import Operation

PREFIX = "/v1/officers/"
_TAG = "officers"
_STATUSES = (401, 403, 404, 409, 429, 503)


@dataclass(frozen=True, slots=True)
class OfficerRoute:
    """One route: where it is, which command it runs, what that takes and gives."""

    path: str
    operation_id: str
    summary: str
    command: str
    request: type[BaseModel]
    answer: type[BaseModel]


_READS = (
    OfficerRoute(
        "purposes/list",
        "listPurposes",
        "List the purposes in force, with their states.",
        "purpose_list",
        asked.LanguageAsked,
        models.Purposes,
    ),
    OfficerRoute(
        "calendar/list",
        "listCalendar",
        "List what comes into force and what ends.",
        "purpose_calendar",
        asked.LanguageAsked,
        models.Calendar,
    ),
    OfficerRoute(
        "publications/list",
        "listPublications",
        "List what was published, of one purpose or of all.",
        "purpose_history",
        asked.LanguageAsked,
        models.Publications,
    ),
)
_DRAFTS = (
    OfficerRoute(
        "drafts/begin",
        "beginDraft",
        "Get the YAML of a purpose's newest revision and of its cases, to begin with.",
        "purpose_begin",
        asked.LanguageAsked,
        models.Begun,
    ),
    OfficerRoute(
        "drafts/check",
        "checkDraft",
        "See what a text would be, or what is wrong with it; nothing is kept.",
        "purpose_preview",
        asked.TextAsked,
        models.PreviewAnswer,
    ),
    OfficerRoute(
        "drafts",
        "saveDraft",
        "Keep a draft: a new one, or the next text of one's own.",
        "purpose_save",
        asked.DraftAsked,
        models.DraftAnswer,
    ),
    OfficerRoute(
        "drafts/list",
        "listDrafts",
        "List the drafts that are being written.",
        "purpose_drafts",
        asked.NothingAsked,
        models.Drafts,
    ),
    OfficerRoute(
        "drafts/show",
        "showDraft",
        "Get a draft, and what others changed since it was begun.",
        "purpose_draft",
        asked.OneAsked,
        models.DraftAnswer,
    ),
    OfficerRoute(
        "drafts/drop",
        "dropDraft",
        "Destroy a draft of one's own.",
        "purpose_drop",
        asked.OneAsked,
        models.Dropped,
    ),
)
_PROPOSALS = (
    OfficerRoute(
        "proposals",
        "proposeDraft",
        "Propose a draft of one's own, once every check passed.",
        "purpose_propose",
        asked.OneAsked,
        models.ProposalAnswer,
    ),
    OfficerRoute(
        "withdrawals",
        "proposeWithdrawal",
        "Propose that a purpose, or one revision of it, goes.",
        "purpose_withdraw",
        asked.WithdrawalAsked,
        models.ProposalAnswer,
    ),
    OfficerRoute(
        "roll-backs",
        "proposeRollBack",
        "Propose that an earlier publication is in force again.",
        "purpose_roll_back",
        asked.RollBackAsked,
        models.ProposalAnswer,
    ),
    OfficerRoute(
        "proposals/list",
        "listProposals",
        "List the newest proposals.",
        "purpose_proposals",
        asked.NothingAsked,
        models.Proposals,
    ),
    OfficerRoute(
        "proposals/show",
        "showProposal",
        "Get a proposal as its approvers read it.",
        "purpose_proposal",
        asked.OneAsked,
        models.ProposalAnswer,
    ),
    OfficerRoute(
        "proposals/take-back",
        "takeProposalBack",
        "Take a proposal of one's own back.",
        "purpose_take_back",
        asked.OneAsked,
        models.TakenBack,
    ),
    OfficerRoute(
        "proposals/to-sign",
        "readToSign",
        "Get what an approver signs, and what makes sure that it is what is shown.",
        "purpose_to_sign",
        asked.OneAsked,
        models.ToSign,
    ),
    OfficerRoute(
        "approvals",
        "approveProposal",
        "Approve by two signatures of one's own policy key; the last one needed publishes.",
        "purpose_approve",
        asked.SignedAsked,
        models.ApprovalAnswer,
    ),
)
_TRIALS = (
    OfficerRoute(
        "case-trials",
        "tryCases",
        "Try the cases of a draft: found beside expected, blade by blade.",
        "trial_cases",
        asked.TrialAsked,
        CasesResult,
    ),
    OfficerRoute(
        "mutation-checks",
        "startMutationCheck",
        "Begin the mutation check of a draft.",
        "trial_mutate",
        asked.TrialAsked,
        models.MutationCheck,
    ),
    OfficerRoute(
        "mutation-checks/show",
        "showMutationCheck",
        "Get a mutation check as far as it is.",
        "trial_mutation",
        asked.DigestAsked,
        models.MutationCheck,
    ),
)
_REPLAYS = (
    OfficerRoute(
        "replays",
        "startReplay",
        "Begin to put what was decided before to a draft.",
        "replay_start",
        asked.TrialAsked,
        ReplayResult,
    ),
    OfficerRoute(
        "replays/withdrawal",
        "startWithdrawalReplay",
        "Begin the same for a purpose that would be taken out.",
        "replay_withdrawal",
        asked.WithdrawalTrialAsked,
        ReplayResult,
    ),
    OfficerRoute(
        "replays/list",
        "listReplays",
        "List the newest replays in short.",
        "replay_list",
        asked.NothingAsked,
        models.ReplayLines,
    ),
    OfficerRoute(
        "replays/show",
        "showReplay",
        "Get a replay as far as it is.",
        "replay_status",
        asked.ReplayAsked,
        ReplayResult,
    ),
    OfficerRoute(
        "replays/stop",
        "stopReplay",
        "Stop a replay; what was counted stays.",
        "replay_stop",
        asked.ReplayAsked,
        ReplayResult,
    ),
    OfficerRoute(
        "replays/resume",
        "resumeReplay",
        "Go on with a replay that was stopped.",
        "replay_resume",
        asked.ReplayAsked,
        ReplayResult,
    ),
    OfficerRoute(
        "replays/sign-off",
        "signReplayOff",
        "State on the log that what a draft newly allows is meant.",
        "replay_sign_off",
        asked.ReplayAsked,
        ReplayResult,
    ),
)
OFFICER_ROUTES = (*_READS, *_DRAFTS, *_PROPOSALS, *_TRIALS, *_REPLAYS)


def list_officer_operations(
    find: Callable[[OfficerRoute], Callable[[Request], Awaitable[Response]]],
) -> Iterator[Operation]:
    """Yield the operations of the officers' API, with the endpoint that `find` gives for each."""
    for route in OFFICER_ROUTES:
        yield Operation(
            path=PREFIX + route.path,
            operation_id=route.operation_id,
            summary=route.summary,
            endpoint=find(route),
            answer=route.answer,
            request=route.request,
            tag=_TAG,
            statuses=_STATUSES,
            takes_bearer=True,
        )
