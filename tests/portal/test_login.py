"""The login: what a provider may say, and all that it may not, against a real one that lies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.requests import Request

from connectors.portal.login import Identity, build_options, read_identity
from connectors.portal.settings import PortalSettings
from datwat.web.problems import LoginLevelError, LoginRefusedError, ProviderUnreachableError
from datwat.web.provider import Provider, require_level
from tests.party.covenant import now
from tests.portal.provider import CLIENT_ID, SUBSTANTIAL, HostileProvider


@pytest.fixture
def hostile() -> Iterator[HostileProvider]:
    with HostileProvider() as provider:
        yield provider


def build_settings(issuer: str, tmp_path: Path, **changes: object) -> PortalSettings:
    members = {
        "home": tmp_path,
        "id": "00000099000000009000:portal",
        "name": "Portal",
        "url": "http://127.0.0.1:1",
        "issuer": issuer,
        "client_id": CLIENT_ID,
    }
    return PortalSettings.model_validate({**members, **changes})


def build_request(session: dict[str, Any], query: dict[str, str]) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/login/callback",
            "query_string": urlencode(query).encode(),
            "headers": [],
            "session": session,
        }
    )


async def log_in(hostile: HostileProvider, tmp_path: Path, **query: str) -> Identity:
    """Go through a login by hand; `query` changes what comes back in the redirect."""
    settings = build_settings(hostile.issuer, tmp_path)
    provider = Provider(build_options(settings), None)
    session: dict[str, Any] = {}
    away = await provider.redirect(build_request(session, {}))
    sent = {
        name: values[0]
        for name, values in parse_qs(urlsplit(away.headers["location"]).query).items()
    }
    assert sent["code_challenge_method"] == "S256"
    assert sent["acr_values"].split() == sorted(
        build_settings(hostile.issuer, tmp_path).accepted_levels
    )
    hostile.challenge = hostile.challenge or sent["code_challenge"]
    hostile.nonce = hostile.nonce or sent["nonce"]
    back = {"code": "c1", "state": sent["state"], **query}
    return read_identity(await provider.fetch_claims(build_request(session, back), now()), settings)


async def test_an_honest_login_gives_the_number_and_nothing_else(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    identity = await log_in(hostile, tmp_path)
    assert (identity.bsn, identity.represented) == ("999990019", None)
    assert "999990019" not in repr(identity)


async def test_a_represented_person_comes_along(hostile: HostileProvider, tmp_path: Path) -> None:
    hostile.claims = {"represents": {"bsn": "999993653"}}
    assert (await log_in(hostile, tmp_path)).represented == "999993653"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "http://127.0.0.1:9"),
        ("aud", "another-client"),
        ("nonce", "another-nonce"),
        # Ids of their own: those made of a moment would differ between the workers.
        pytest.param("exp", int(time.time()) - 600, id="expired"),
        pytest.param("iat", int(time.time()) - 3_600, id="issued-long-ago"),
        ("bsn", "123456789"),
        ("bsn", 999990019),
        ("bsn", None),
        ("represents", {"bsn": "1"}),
        ("represents", {"bsn": "999990019"}),
        ("represents", "999993653"),
    ],
)
async def test_a_claim_that_does_not_fit_lets_nobody_in(
    hostile: HostileProvider, tmp_path: Path, name: str, value: object
) -> None:
    hostile.claims = {name: value}
    with pytest.raises(LoginRefusedError) as refused:
        await log_in(hostile, tmp_path)
    assert "999990019" not in str(refused.value)


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "nonce", "sub", "bsn"])
async def test_a_claim_that_is_missing_lets_nobody_in(
    hostile: HostileProvider, tmp_path: Path, name: str
) -> None:
    hostile.leave_out = {name}
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path)


@pytest.mark.parametrize("level", ["http://eidas.europa.eu/LoA/low", "", None, 3, [SUBSTANTIAL]])
async def test_a_low_or_untold_level_lets_nobody_in(
    hostile: HostileProvider, tmp_path: Path, level: object
) -> None:
    hostile.claims = {"acr": level}
    with pytest.raises((LoginLevelError, LoginRefusedError)):
        await log_in(hostile, tmp_path)


async def test_a_login_without_a_level_lets_nobody_in(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    hostile.leave_out = {"acr"}
    with pytest.raises(LoginLevelError):
        await log_in(hostile, tmp_path)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_an_algorithm_that_anybody_can_make_is_refused(
    hostile: HostileProvider, tmp_path: Path, algorithm: str
) -> None:
    hostile.algorithm = algorithm
    hostile.metadata = {"id_token_signing_alg_values_supported": ["RS256", algorithm]}
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path)


async def test_a_provider_that_offers_no_usable_algorithm_is_refused(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    hostile.metadata = {"id_token_signing_alg_values_supported": ["HS256", "none"]}
    with pytest.raises(ProviderUnreachableError):
        await log_in(hostile, tmp_path)


async def test_a_signature_by_another_key_is_refused(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    hostile.sign_with_other_key = True
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path)


async def test_no_id_token_lets_nobody_in(hostile: HostileProvider, tmp_path: Path) -> None:
    hostile.with_id_token = False
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path)


async def test_the_verifier_belongs_to_the_challenge_of_this_login(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    hostile.challenge = "another-challenge"
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path)


async def test_a_callback_that_this_browser_did_not_begin_is_refused(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path, state="another-state")


async def test_an_error_from_the_provider_is_no_login(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    with pytest.raises(LoginRefusedError):
        await log_in(hostile, tmp_path, error="access_denied")


async def test_a_provider_under_another_name_is_refused(
    hostile: HostileProvider, tmp_path: Path
) -> None:
    hostile.metadata = {"issuer": "http://127.0.0.1:9"}
    with pytest.raises(ProviderUnreachableError):
        await log_in(hostile, tmp_path)
    # It is asked again, not remembered.
    hostile.metadata = {}
    assert (await log_in(hostile, tmp_path)).bsn == "999990019"


async def test_a_provider_that_does_not_answer_is_said_to_be_unreachable(tmp_path: Path) -> None:
    provider = Provider(build_options(build_settings("http://127.0.0.1:9", tmp_path)), None)
    with pytest.raises(ProviderUnreachableError):
        await provider.redirect(build_request({}, {}))


def test_claims_and_levels_are_configuration(tmp_path: Path) -> None:
    settings = build_settings(
        "http://127.0.0.1:9",
        tmp_path,
        bsn_claim="urn:nl:bsn",
        represents_claim="machtiging",
        levels="own-level",
    )
    moment = now()
    claims = {
        "acr": "own-level",
        "iat": int(moment.timestamp()),
        "urn:nl:bsn": "999990019",
        "machtiging": {"urn:nl:bsn": "999993653"},
    }
    identity = read_identity(claims, settings)
    levels = build_options(settings).levels
    require_level(claims, levels, moment)
    assert (identity.bsn, identity.represented) == ("999990019", "999993653")
    with pytest.raises(LoginRefusedError):
        require_level(claims, levels, moment + timedelta(minutes=6))
    with pytest.raises(LoginLevelError):
        require_level({**claims, "acr": SUBSTANTIAL}, levels, moment)
