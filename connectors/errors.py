"""Errors of a connector: what stands between a partner's software and an answer.

Each has its own code and one sentence; none repeats a client number, a BSN or any other value. The
table at the end gives each its place in HTTP (`datwat/party/problems.py`).
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems
from datwat.protocol.errors import ProtocolError


class ConnectorError(PartyError):
    """Something at this connector stands in the way."""

    code = "connector_failed"
    default_detail = "The connector cannot do this."


class AnswerRefusedError(ProtocolError):
    """The broker's answer does not hold: nothing of it is given on."""

    code = "answer_refused"
    default_detail = "The broker's answer does not hold: nothing of it was used."


class AnswerFormError(AnswerRefusedError):
    """Not an answer, or not to this act."""

    code = "answer_form"
    default_detail = "The broker's answer does not have the documented form."


class AnswerMessageError(AnswerRefusedError):
    """The answer to another message, or about another person."""

    code = "answer_other_message"
    default_detail = "The broker's answer belongs to another message or person."


class AnswerHashError(AnswerRefusedError):
    """What is said is not what was written down."""

    code = "answer_hash"
    default_detail = "The broker's answer is not the one that was written down."


class AnswerUnprovedError(AnswerRefusedError):
    """An answer that must stand in the log comes without its receipt."""

    code = "answer_without_receipt"
    default_detail = "The broker's answer has no proof that it was written down."


class LogForkError(AnswerRefusedError):
    """Two logs of one size with different contents: the broker shows different logs."""

    code = "log_fork"
    default_detail = "The log contradicts what it stated before: raise the alarm with the auditor."


class LookupRefusedError(ProtocolError):
    """The key holder's answer does not fit the look-up that was asked."""

    code = "lookup_answer"
    default_detail = "The key holder's answer does not fit this look-up."


class IdentityMismatchError(ConnectorError):
    """Name or date of birth differ from the record that the BSN belongs to: nothing was sent."""

    code = "identity_mismatch"
    default_detail = (
        "Family name or date of birth differ from the record with this number: "
        "nothing was sent. Check who it is."
    )


class IdentityMissingError(ConnectorError):
    """Neither a handle nor a record with a BSN is at hand."""

    code = "identity_missing"
    default_detail = (
        "This client is not known here yet: give the record with the BSN, family name and "
        "date of birth, or an introduction code."
    )


class ClientNumberError(ConnectorError):
    """A client number holds the BSN of the client's own record; it is not repeated."""

    code = "client_number_is_bsn"
    default_detail = (
        "This client number holds the person's BSN, which this connector never keeps: name them by "
        "a number of your own. Nothing was sent."
    )


class StaffIdError(ConnectorError):
    """An id of staff that has no place in the one spelling."""

    code = "staff_id_invalid"
    default_detail = (
        "An id of staff has the letters a to z, digits and . _ @ -, and at most 64 of them: "
        "nothing was sent."
    )


class PurposeUnknownError(ConnectorError):
    """Not a purpose of the signed bundle."""

    code = "purpose_unknown"
    default_detail = "The signed policy bundle knows no purpose with this id: nothing was sent."


class PartnerUnknownError(ConnectorError):
    """Not a partner of the trust list."""

    code = "partner_unknown"
    default_detail = "The trust list knows no partner with this id: nothing was sent."


class SyncRunningError(ConnectorError):
    """One sync at a time."""

    code = "sync_running"
    default_detail = "A sync is running: wait until it has finished."


class SyncSourceEmptyError(ConnectorError):
    """A source without a single row: more likely a broken query than no clients at all."""

    code = "sync_source_empty"
    default_detail = (
        "The source yields no clients, so nothing was sent: check the declaration, or allow it "
        "with --allow-ending if there are none."
    )


class SyncEndsTooManyError(ConnectorError):
    """More than half of what is current would end: more likely a broken query than the truth."""

    code = "sync_ends_too_many"
    default_detail = (
        "More than half of the current involvements are missing from the source, so nothing was "
        "sent: check the declaration, or allow it with --allow-ending."
    )


class ClientUnknownError(ConnectorError):
    """No entry may be shown about the client, and no client has this number."""

    code = "client_unknown"
    default_detail = (
        "No client is known here by this number: check it against your own system. A client is "
        "known from the first registration or answer on."
    )


class ReferenceUnknownError(ConnectorError):
    """The partner's own number leads to nothing here."""

    code = "reference_unknown"
    default_detail = "This number leads to nothing at this connector."


class ReferenceTakenError(ConnectorError):
    """The partner's own number is in use for another thing."""

    code = "reference_taken"
    default_detail = "This number is in use already: choose another one."


class PendingChangedError(ConnectorError):
    """A form was changed before it was known what became of the message that it sent first."""

    code = "pending_changed"
    default_detail = (
        "What was sent first may have arrived: send it again as it was, then send the change."
    )


class NumberInTextError(ConnectorError):
    """A text has a number that may be somebody's BSN; it is not repeated."""

    code = "number_in_text"
    default_detail = "Leave the citizen service number (BSN) out of the text: it is not needed."


class SourceMissingError(ConnectorError):
    """No declaration with a `clients` query."""

    code = "source_missing"
    default_detail = "This connector has no source declaration with a clients query."


class TokenRefusedError(ConnectorError):
    """No token, or not one of this connector's applications."""

    code = "token_refused"
    default_detail = "Send a token of this connector: make one with `datwat connector token NAME`."


class ApplicationExistsError(ConnectorError):
    """An application with this name has a token."""

    code = "application_exists"
    default_detail = "An application with this name has a token already: revoke it first."


class FiguresMonthError(ConnectorError):
    """Figures of a month that is not over."""

    code = "figures_month"
    default_detail = (
        "That month is not over yet: figures are given of whole months, ten minutes after their "
        "end. Ask for an earlier month, such as 2026-10."
    )


class FiguresUncountedError(ConnectorError):
    """Figures of a month that the broker has none of."""

    code = "figures_uncounted"
    default_detail = (
        "The broker has no figures of that month: it is too long ago, or what was counted of it "
        "was lost. Ask for a later month."
    )


_ANSWER = (502, "The broker's answer does not hold")
_UNKNOWN = (404, "Not known here")
register_problems(
    {
        "connector_failed": (500, "The connector has a fault"),
        "answer_refused": _ANSWER,
        "answer_form": _ANSWER,
        "answer_other_message": _ANSWER,
        "answer_hash": _ANSWER,
        "answer_without_receipt": _ANSWER,
        "log_fork": _ANSWER,
        "lookup_answer": (502, "The key holder's answer does not hold"),
        "identity_mismatch": (409, "The identity does not fit"),
        "identity_missing": (409, "The identity is not known here"),
        "client_number_is_bsn": (422, "A BSN as a number of your own"),
        "staff_id_invalid": (400, "Not an id of staff"),
        "purpose_unknown": _UNKNOWN,
        "partner_unknown": _UNKNOWN,
        "sync_running": (409, "A sync is running"),
        "sync_source_empty": (409, "The source is empty"),
        "sync_ends_too_many": (409, "Too many would end"),
        "client_unknown": _UNKNOWN,
        "reference_unknown": _UNKNOWN,
        "reference_taken": (409, "In use already"),
        "pending_changed": (409, "Not the same as before"),
        "number_in_text": (422, "A number in the text"),
        "source_missing": (409, "No source"),
        "token_refused": (401, "Not an application of this connector"),
        "application_exists": (409, "In use already"),
        "figures_month": (400, "There is no such month"),
        "figures_uncounted": (404, "There are no figures of that month"),
    }
)
