"""Errors of the portal: why a resident's request is not done.

Each has its own code and one sentence; none repeats a claim, a BSN or a token. Those of login and
session are of every page: `datwat.web.problems`.
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems
from datwat.protocol.errors import ProtocolError


class PortalError(PartyError):
    """Something at the portal stands in the way."""

    code = "portal_failed"
    default_detail = "The portal cannot do this."


class NotRepresentedError(PortalError):
    """No represented person in this session; whether that is so elsewhere is not told."""

    code = "not_represented"
    default_detail = "This session is not about a represented person."


class OrganisationUnknownError(PortalError):
    """A wish names an organisation that does not take part."""

    code = "organisation_unknown"
    default_detail = "This organisation does not take part: choose one of the list."


class TooFastError(PortalError):
    """One person reads so much that others would wait for it."""

    code = "too_fast"
    default_detail = "You ask a lot at once: try again in a minute."


class DeskUnknownError(PortalError):
    """No visit to the counter waits under this number."""

    code = "desk_unknown"
    default_detail = (
        "No visit waits under this number: it was confirmed, or ten minutes have passed. "
        "Begin again with `datwat portal desk begin`."
    )


class DeskSecondError(PortalError):
    """The employee who began would confirm alone."""

    code = "desk_second"
    default_detail = "A second employee confirms this: nobody helps somebody alone."


class DeskMismatchError(PortalError):
    """The second employee read something else than the first; which member is not told."""

    code = "desk_mismatch"
    default_detail = (
        "What you typed is not what your colleague typed: look at the document again, number, "
        "surname and date of birth. After three times begin again."
    )


class DeskPlaceError(PortalError):
    """A print was asked for, and there is no file for it; nothing was done."""

    code = "desk_place"
    default_detail = "They asked for a print: name a new file with --out. Nothing was done yet."


class DeskRefusedError(PortalError):
    """The rules do not allow what was asked at the counter; nothing was printed."""

    code = "desk_refused"
    default_detail = (
        "This was refused, and that is in the person's log: check the numbers and the purpose."
    )


class OwnLogError(ProtocolError):
    """The page of the log does not hold: nothing of it is shown."""

    code = "own_log_refused"
    default_detail = "The broker's page of the log does not hold: nothing of it was used."


register_problems(
    {
        "portal_failed": (500, "The portal has a fault"),
        "not_represented": (404, "Nobody is represented"),
        "organisation_unknown": (404, "The organisation is not known"),
        "desk_unknown": (404, "No visit waits under this number"),
        "desk_second": (403, "A second employee is needed"),
        "desk_mismatch": (409, "The two employees typed something else"),
        "desk_place": (409, "The print has nowhere to go"),
        "desk_refused": (403, "What was asked at the counter was refused"),
        "too_fast": (503, "Too much at once"),
        "own_log_refused": (502, "The page of the log does not hold"),
    }
)
