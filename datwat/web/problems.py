"""Errors around pages: why somebody is not let in, or what was sent is not done.

Each has its own code and one sentence; none repeats a claim, a number or a token. That a login was
refused is told, not why: the provider's claims are the person's own.
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems


class WebError(PartyError):
    """Something around a page stands in the way."""

    code = "web_failed"
    default_detail = "The page cannot be shown."


class PartsMissingError(WebError):
    """What the pages are made of is not there."""

    code = "parts_missing"
    default_detail = "The parts of the pages are missing: run `make setup`, then start again."


class ThemeError(WebError):
    """The folder with an organisation's own name, logo and colours cannot be used."""

    code = "theme_invalid"
    default_detail = "The theme cannot be used."


class LoginRefusedError(WebError):
    """The login at the identity provider did not hold."""

    code = "login_refused"
    default_detail = "The login did not succeed: start again at /login."


class LoginLevelError(WebError):
    """The login was of too low a level, or its level was not told."""

    code = "login_level"
    default_detail = "This login is not strong enough: log in with a higher level of assurance."


class ProviderUnreachableError(WebError):
    """The identity provider cannot be reached or is not the configured one."""

    code = "provider_unreachable"
    default_detail = "The identity provider cannot be reached: try again later."


class SessionMissingError(WebError):
    """Nobody is logged in, or the session has ended."""

    code = "session_missing"
    default_detail = "Nobody is logged in, or the session has ended: start at /login."


class CrossSiteError(WebError):
    """Without the session's own token, or from another site."""

    code = "cross_site"
    default_detail = "Send the token that GET /v1/me gives as X-CSRF-Token, from this site."


class FormInvalidError(WebError):
    """What arrived is no form of ours."""

    code = "form_invalid"
    default_detail = "The form cannot be read: open its page again, and send it from there."


class PaperBusyError(WebError):
    """So many documents are being made that another one would wait too long."""

    code = "paper_busy"
    default_detail = "Many documents are being made now: try again in a minute."


class PaperFailedError(WebError):
    """A document could not be made, or not in time."""

    code = "paper_failed"
    default_detail = "The document could not be made: try again, or choose a shorter period."


register_problems(
    {
        "web_failed": (500, "The page has a fault"),
        "parts_missing": (500, "Parts of the pages are missing"),
        "theme_invalid": (500, "The theme cannot be used"),
        "login_refused": (403, "Not logged in"),
        "login_level": (403, "The login is not strong enough"),
        "provider_unreachable": (502, "The identity provider cannot be reached"),
        "session_missing": (401, "Not logged in"),
        "cross_site": (403, "Not from this site"),
        "form_invalid": (400, "The form cannot be read"),
        "paper_busy": (503, "Too many documents at once"),
        "paper_failed": (500, "The document could not be made"),
    }
)
