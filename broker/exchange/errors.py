"""Why the broker refuses a message before anything about a person is written."""

from __future__ import annotations

from datwat.party.errors import PartyError


class ActNotAllowedError(PartyError):
    """A portal's act from a partner, or a partner's act from a portal."""

    code = "act_not_allowed"
    default_detail = "This party may not send this kind of message."


class SignedBeforeRestoreError(PartyError):
    """Signed before the broker was restored from a backup: what was spent then is not known."""

    code = "signed_before_restore"
    default_detail = "The broker was restored after this was signed: sign it anew."


class RateLimitedError(PartyError):
    """More messages than this partner may send in this time."""

    code = "rate_limited"
    default_detail = "Too many messages from this partner: try again in a moment."


class HandleUnknownError(PartyError):
    """A handle that is not this partner's, or is over."""

    code = "handle_unknown"
    default_detail = "A handle is not known for this partner, or has ended: look the person up."


class IntroductionUnknownError(PartyError):
    """A code that is not this partner's, was redeemed, is over, or does not fit the act."""

    code = "introduction_unknown"
    default_detail = "The introduction code cannot be used: ask the partner that gave it."


class TicketMissingError(PartyError):
    """Persons by ticket without a ticket, or a ticket for nobody."""

    code = "ticket_missing"
    default_detail = "A ticket belongs to exactly those persons for whom there is no handle."


class PersonTwiceError(PartyError):
    """The same person twice in a message that is about each once."""

    code = "person_twice"
    default_detail = "The message names the same person twice."


class MembersDifferError(PartyError):
    """An act on an occasion that does not name every member of it."""

    code = "members_differ"
    default_detail = "An act that changes an occasion names every member by handle."


class TooManyRacesError(PartyError):
    """Other requests were first, three times in a row."""

    code = "try_again"
    default_detail = "Others changed the same things at the same moment: send it again."


EXCHANGE_PROBLEMS: dict[str, tuple[int, str]] = {
    "act_not_allowed": (403, "This party may not send this"),
    "rate_limited": (429, "Too many messages"),
    "signed_before_restore": (400, "The message was signed before a restore"),
    "handle_unknown": (403, "The handle is not known"),
    "introduction_unknown": (403, "The introduction code cannot be used"),
    "ticket_missing": (400, "Ticket and persons do not fit"),
    "person_twice": (400, "A person is named twice"),
    "members_differ": (409, "Not every member of the occasion is named"),
    "try_again": (503, "Try again"),
    "member_not_allowed": (400, "A member does not belong"),
    "member_missing": (400, "A member is missing"),
    "person_count": (400, "Too many or too few persons"),
}
