"""The acts of the local HTTP API: each a method of the service, with its route.

Rule: what stands here is what a partner's own software can do; `local_api.py` serves it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from connectors.client import requests, results


@dataclass(frozen=True, slots=True)
class Act:
    """A method of the service and its route: what comes in, what goes out."""

    method: str
    route: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    summary: str


ACTS: tuple[Act, ...] = (
    Act(
        "register",
        "registrations",
        requests.Register,
        results.BatchResults,
        "Register or reconfirm involvements, a result per row.",
    ),
    Act("end", "endings", requests.End, results.BatchResults, "End involvements."),
    Act(
        "open_occasion",
        "occasions",
        requests.OpenOccasion,
        results.ActResults,
        "Open an occasion with its household.",
    ),
    Act(
        "hand_over",
        "hand-overs",
        requests.HandOver,
        results.ActResults,
        "Give an occasion to other handlers.",
    ),
    Act(
        "close_occasion",
        "closings",
        requests.Close,
        results.ActResults,
        "Close an occasion: the right to ask ends.",
    ),
    Act(
        "record_conversation",
        "conversations",
        requests.RecordConversation,
        results.ActResults,
        "Record that members of an occasion were spoken with.",
    ),
    Act(
        "record_consent",
        "consents",
        requests.RecordConsent,
        results.ActResults,
        "Record an explicit consent or written no-objection.",
    ),
    Act(
        "record_objection",
        "objections",
        requests.RecordObjection,
        results.ActResults,
        "Record an objection.",
    ),
    Act(
        "record_authority",
        "authorities",
        requests.RecordAuthority,
        results.ActResults,
        "Record who has authority over a client.",
    ),
    Act(
        "declare_special_situation",
        "special-situations",
        requests.DeclareSpecialSituation,
        results.ActResults,
        "Say that the residents on an occasion are told later, and why.",
    ),
    Act(
        "introduce",
        "introductions",
        requests.Introduce,
        results.ActResults,
        "Introduce clients to one other partner by one-time codes.",
    ),
    Act(
        "redeem_introduction",
        "redemptions",
        requests.RedeemIntroduction,
        results.ActResults,
        "Redeem a one-time code, to register or to open an occasion.",
    ),
    Act(
        "ask_who_is_involved",
        "inquiries",
        requests.Ask,
        results.InquiryResults,
        "Ask who is involved with clients.",
    ),
    Act(
        "ask_what_is_known",
        "releases",
        requests.AskKnown,
        results.ReleaseResult,
        "Ask one source for fields about one client.",
    ),
    Act(
        "request_contact",
        "contact-requests",
        requests.RequestContact,
        results.ActResults,
        "Ask to be called by one source.",
    ),
    Act(
        "answer_contact",
        "contact-answers",
        requests.AnswerContact,
        results.ActResults,
        "Say that a delivered contact request was seen or answered.",
    ),
    Act(
        "report_wrong_person",
        "wrong-persons",
        requests.ReportWrongPerson,
        results.ActResults,
        "Say that a client number stands for somebody else.",
    ),
    Act(
        "fetch_figures",
        "figures",
        requests.FetchFigures,
        results.Figures,
        "Read the figures of the own use of a month, as requester and as source.",
    ),
)
