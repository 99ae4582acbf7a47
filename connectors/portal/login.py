"""Who is there: OpenID Connect, code flow with PKCE (S256) and nonce, against one pinned issuer.

Rules: issuer, audience, nonce, time, algorithm and level must all hold; a level that is low or not
told lets nobody in; of the claims only the BSNs go on, to the blind look-up, and are kept nowhere.
Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 7636, OIDC NL GOV (ID token of five minutes).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from connectors.portal.errors import (
    LoginLevelError,
    LoginRefusedError,
    ProviderUnreachableError,
)
from connectors.portal.settings import PortalSettings
from datwat.party.telemetry import get_logger
from datwat.protocol.blinding import BsnError, normalise_bsn

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

_log = get_logger("login")


@dataclass(frozen=True, slots=True)
class Identity:
    """The BSN of who logged in, and of whom they represent; in memory until they are blinded."""

    bsn: str = field(repr=False)
    represented: str | None = field(repr=False)


class Provider:
    """The identity provider of residents, as the settings name it."""

    def __init__(self, settings: PortalSettings, client_secret: str | None) -> None:
        """Prepare the client; nothing is fetched yet."""
        self._settings = settings
        oauth = OAuth()
        oauth.register(
            name="residents",
            client_id=settings.client_id,
            client_secret=client_secret,
            server_metadata_url=settings.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if client_secret else "none",
                "trust_env": False,
                "timeout": _SECONDS,
            },
        )
        self._client: StarletteOAuth2App = oauth.create_client("residents")

    async def redirect(self, request: Request) -> Response:
        """Return the way to the provider; state, nonce and verifier go into `request.session`.

        Raises ProviderUnreachableError.
        """
        await self._require_metadata()
        levels = " ".join(sorted(self._settings.accepted_levels))
        response: Response = await self._client.authorize_redirect(
            request, self._settings.callback_url, acr_values=levels
        )
        return response

    async def fetch_identity(self, request: Request, now: datetime) -> Identity:
        """Return who came back from the provider.

        Raises LoginRefusedError for whatever does not hold, LoginLevelError for its level,
        ProviderUnreachableError.
        """
        await self._require_metadata()
        options = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        try:
            token = await self._client.authorize_access_token(
                request, claims_options=options, leeway=_LEEWAY_SECONDS
            )
            claims = token["userinfo"]
        except Exception as error:  # noqa: BLE001 - whatever fails in the answer: nobody comes in
            _log.warning("login_refused", exception=type(error).__name__)
            raise LoginRefusedError from None
        return read_identity(claims, self._settings, now)

    async def _require_metadata(self) -> None:
        """Hold the provider's own description against what is configured."""
        try:
            metadata = await self._client.load_server_metadata()
            stated = metadata["issuer"]
            offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
            usable = [name for name in offered if name in _ALGORITHMS]
        except Exception as error:  # noqa: BLE001 - unreachable or garbage is one thing here
            _log.warning("provider_unreachable", exception=type(error).__name__)
            raise ProviderUnreachableError from None
        if stated != self._settings.issuer or not usable:
            self._client.server_metadata.clear()
            _log.warning("provider_refused")
            raise ProviderUnreachableError("The identity provider is not the configured one.")
        metadata["id_token_signing_alg_values_supported"] = usable


def read_identity(claims: Mapping[str, Any], settings: PortalSettings, now: datetime) -> Identity:
    """Return the BSNs in verified claims; pure.

    1. the level; 2. the token is fresh; 3. the BSN; 4. a represented person, where there is one,
    is another one. Raises LoginLevelError, LoginRefusedError.
    """
    level = claims.get("acr")
    if not isinstance(level, str) or level not in settings.accepted_levels:
        raise LoginLevelError
    issued = claims.get("iat")
    if not isinstance(issued, int) or now.timestamp() - issued > _OLDEST.total_seconds():
        raise LoginRefusedError
    bsn = _read_bsn(claims.get(settings.bsn_claim))
    represents = claims.get(settings.represents_claim)
    if represents is None:
        return Identity(bsn, None)
    if not isinstance(represents, Mapping):
        raise LoginRefusedError
    represented = _read_bsn(represents.get(settings.bsn_claim))
    if represented == bsn:
        raise LoginRefusedError
    return Identity(bsn, represented)


def _read_bsn(value: object) -> str:
    if not isinstance(value, str):
        raise LoginRefusedError
    try:
        return normalise_bsn(value)
    except BsnError:
        raise LoginRefusedError from None
