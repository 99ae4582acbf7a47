"""Errors of the portal: why somebody is not let in, or a request is not done.

Each has its own code and one sentence; none repeats a claim, a BSN or a token. That a login was
refused is told, not why: the provider's claims are the resident's own.
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems
from datwat.protocol.errors import ProtocolError


class PortalError(PartyError):
    """Something at the portal stands in the way."""

    code = "portal_failed"
    default_detail = "The portal cannot do this."


class LoginRefusedError(PortalError):
    """The login at the identity provider did not hold."""

    code = "login_refused"
    default_detail = "The login did not succeed: start again at /login."


class LoginLevelError(PortalError):
    """The login was of too low a level, or its level was not told."""

    code = "login_level"
    default_detail = "This login is not strong enough: log in with a higher level of assurance."


class ProviderUnreachableError(PortalError):
    """The identity provider cannot be reached or is not the configured one."""

    code = "provider_unreachable"
    default_detail = "The identity provider cannot be reached: try again later."


class SessionMissingError(PortalError):
    """Nobody is logged in, or the session has ended."""

    code = "session_missing"
    default_detail = "Nobody is logged in, or the session has ended: start at /login."


class CrossSiteError(PortalError):
    """Without the session's own token, or from another site."""

    code = "cross_site"
    default_detail = "Send the token that GET /v1/me gives as X-CSRF-Token, from this site."


class NotRepresentedError(PortalError):
    """No represented person in this session; whether that is so elsewhere is not told."""

    code = "not_represented"
    default_detail = "This session is not about a represented person."


class OwnLogError(ProtocolError):
    """The page of the log does not hold: nothing of it is shown."""

    code = "own_log_refused"
    default_detail = "The broker's page of the log does not hold: nothing of it was used."


register_problems(
    {
        "portal_failed": (500, "The portal has a fault"),
        "login_refused": (403, "Not logged in"),
        "login_level": (403, "The login is not strong enough"),
        "provider_unreachable": (502, "The identity provider cannot be reached"),
        "session_missing": (401, "Not logged in"),
        "cross_site": (403, "Not from this site"),
        "not_represented": (404, "Nobody is represented"),
        "own_log_refused": (502, "The page of the log does not hold"),
    }
)
