"""Why a ticket is refused: one code for each reason, in the order of the checks.

Rule: a refusal says which check failed and never what was in the ticket. protocol.md section 4.
"""

from __future__ import annotations

from datwat.protocol.errors import ProtocolError


class TicketError(ProtocolError):
    """The ticket does not belong to this message."""

    code = "ticket_refused"
    default_detail = "The ticket is refused."


class TicketFormError(TicketError):
    """Not a ticket at all."""

    code = "ticket_form"
    default_detail = "The ticket does not have the form of one."


class TicketKeyError(TicketError):
    """Made for another pair of key holder and broker keys."""

    code = "ticket_key_unknown"
    default_detail = "The ticket was made under a key that is not in the trust list."


class TicketForgedError(TicketError):
    """Not made by the key holder, or its header or content was changed."""

    code = "ticket_forged"
    default_detail = "The ticket was not made by the key holder, or was changed."


class TicketPartnerError(TicketError):
    """Made for another partner."""

    code = "ticket_partner"
    default_detail = "The ticket was made for another partner."


class TicketClassError(TicketError):
    """Made for another class of message."""

    code = "ticket_class"
    default_detail = "The ticket was made for another class of message."


class TicketMessageError(TicketError):
    """Made for another message."""

    code = "ticket_rid"
    default_detail = "The ticket was made for another message."


class TicketCountError(TicketError):
    """Fewer or more elements than were evaluated."""

    code = "ticket_elements"
    default_detail = "The ticket was made for another number of elements."


class TicketExpiredError(TicketError):
    """Too old."""

    code = "ticket_expired"
    default_detail = "The ticket is too old: ask for another one."


class TicketAheadError(TicketError):
    """From the future."""

    code = "ticket_ahead"
    default_detail = "The ticket's time lies in the future: check the clocks."


class TicketEpochError(TicketError):
    """Under an epoch that is not in force."""

    code = "ticket_epoch"
    default_detail = "The ticket's epoch is not in force."


class TicketScalarError(TicketError):
    """The one-time key is not between 0 and L."""

    code = "ticket_scalar"
    default_detail = "The one-time key in the ticket is not a scalar."


class TicketEvaluationError(TicketError):
    """The key holder used another scalar than the epoch's: for this partner alone, perhaps."""

    code = "ticket_evaluation_key"
    default_detail = "The key holder evaluated under another key than the published one."
