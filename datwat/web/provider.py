"""Who is there: OpenID Connect, code flow with PKCE (S256) and nonce, against one pinned issuer.

Rules: issuer, audience, nonce, time, algorithm and level must all hold; a level that is low or not
told lets nobody in; what the claims say is for the party to read, once, and is kept nowhere. No
identity token stands in an address, also not to log out.
Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 7636, OpenID Connect RP-Initiated Logout 1.0,
OIDC NL GOV (ID token of five minutes).
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from datwat.party.settings import read_secret
from datwat.party.telemetry import get_logger, name_failure
from datwat.web.problems import LoginLevelError, LoginRefusedError, ProviderUnreachableError

with warnings.catch_warnings():
    # Authlib announces its own next version, to whoever starts the portal, and insists on it.
    import authlib.deprecate  # type: ignore[import-untyped]

    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.integrations.starlette_client import (  # type: ignore[import-untyped]
        OAuth,
        StarletteOAuth2App,
    )

# What may sign an ID token: never a shared secret, never nothing.
_ALGORITHMS: Final = ("PS256", "ES256", "RS256")
_LEEWAY_SECONDS: Final = 30
_OLDEST: Final = timedelta(minutes=5)
_SECONDS: Final = 10.0
_CLIENT: Final = "people"

_log = get_logger("login")


@dataclass(frozen=True)
class ProviderOptions:
    """One identity provider and what it calls us; `levels` are the values of `acr` that let in.

    `logged_out_url` is where the provider sends somebody who logged out there too.
    """

    issuer: str
    client_id: str
    callback_url: str
    logged_out_url: str
    levels: frozenset[str]

    @property
    def origin(self) -> str:
        """Scheme, host and port of the issuer, as a content security policy names them."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


class Provider:
    """The identity provider that the settings name."""

    def __init__(self, options: ProviderOptions, client_secret: str | None) -> None:
        """Prepare the client; nothing is fetched yet."""
        self._options = options
        oauth = OAuth()
        oauth.register(
            name=_CLIENT,
            client_id=options.client_id,
            client_secret=client_secret,
            server_metadata_url=options.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if client_secret else "none",
                "trust_env": False,
                "timeout": _SECONDS,
            },
        )
        self._client: StarletteOAuth2App = oauth.create_client(_CLIENT)

    async def redirect(self, request: Request) -> Response:
        """Return the way to the provider; state, nonce and verifier go into `request.session`.

        Raises ProviderUnreachableError.
        """
        await self._require_metadata()
        levels = " ".join(sorted(self._options.levels))
        response: Response = await self._client.authorize_redirect(
            request, self._options.callback_url, acr_values=levels
        )
        return response

    async def fetch_claims(self, request: Request, now: datetime) -> Mapping[str, Any]:
        """Return the verified claims of who came back, of a level that lets in, and fresh.

        Raises LoginRefusedError for whatever does not hold, LoginLevelError for its level,
        ProviderUnreachableError.
        """
        await self._require_metadata()
        options = {
            "iss": {"essential": True, "value": self._options.issuer},
            "aud": {"essential": True, "value": self._options.client_id},
        }
        try:
            token = await self._client.authorize_access_token(
                request, claims_options=options, leeway=_LEEWAY_SECONDS
            )
            claims: Mapping[str, Any] = token["userinfo"]
        except Exception as error:  # noqa: BLE001 - whatever fails in the answer: nobody comes in
            _log.warning("login_refused", exception=name_failure(error))
            raise LoginRefusedError from None
        require_level(claims, self._options.levels, now)
        return claims

    async def find_logout_url(self) -> str | None:
        """Return where to log out at the provider as well, or None where it offers no such place.

        Nothing about the person is in it: the provider knows its own session by its own cookie. An
        address elsewhere than at the issuer is not followed. Never raises: who logs out is out.
        """
        try:
            await self._require_metadata()
            metadata = await self._client.load_server_metadata()
            stated = str(metadata.get("end_session_endpoint", ""))
        except Exception:  # noqa: BLE001 - the session here has ended already, whatever this is
            return None
        if not stated.startswith(self._options.origin + "/") or set(stated) & set("?# \\\r\n"):
            return None
        members = {
            "client_id": self._options.client_id,
            "post_logout_redirect_uri": self._options.logged_out_url,
            "state": secrets.token_urlsafe(8),
        }
        return f"{stated}?{urlencode(members)}"

    async def _require_metadata(self) -> None:
        """Hold the provider's own description against what is configured."""
        try:
            metadata = await self._client.load_server_metadata()
            stated = metadata["issuer"]
            offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
            usable = [name for name in offered if name in _ALGORITHMS]
        except Exception as error:  # noqa: BLE001 - unreachable or garbage is one thing here
            _log.warning("provider_unreachable", exception=name_failure(error))
            raise ProviderUnreachableError from None
        if stated != self._options.issuer or not usable:
            self._client.server_metadata.clear()
            _log.warning("provider_refused")
            raise ProviderUnreachableError("The identity provider is not the configured one.")
        metadata["id_token_signing_alg_values_supported"] = usable


def find_client_secret(home: Path, name: str) -> str | None:
    """Return the secret that the provider gave this client, where there is one."""
    if not (home / "secrets" / name).exists():
        return None
    return read_secret(home, name).decode("utf-8").strip()


def require_level(claims: Mapping[str, Any], levels: frozenset[str], now: datetime) -> None:
    """Raise LoginLevelError unless the level lets in, LoginRefusedError unless fresh; pure."""
    level = claims.get("acr")
    if not isinstance(level, str) or level not in levels:
        raise LoginLevelError
    issued = claims.get("iat")
    if not isinstance(issued, int) or now.timestamp() - issued > _OLDEST.total_seconds():
        raise LoginRefusedError
