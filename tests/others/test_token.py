"""Tokens: who gets one, and every way in which an assertion is somebody else's, or nobody's."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc7523 import private_key_jwt_sign  # type: ignore[import-untyped]
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from broker.api.assertions import AssertionRefusedError, read_issuer
from datwat.cli import run
from datwat.protocol.values import decode_bytes, encode_bytes, encode_moment
from tests.databases import change_rows
from tests.exchange.world import now, say
from tests.others.world import AUDIENCE, Others, build_claims, build_facts, sign, sign_by, spell
from tests.parties import run_command

pytestmark = pytest.mark.processes

KEYS: dict[str, Callable[[], Key]] = {
    "city-ec": lambda: ECKey.generate_key("P-256"),
    "city-rsa": lambda: RSAKey.generate_key(3_072),
    "city-okp": lambda: OKPKey.generate_key("Ed25519"),
}


@pytest.fixture(scope="module")
def clients(others: Others, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """Clients of the social team, added by the command that an operator types."""
    folder = tmp_path_factory.mktemp("keys")
    keys = {name: make() for name, make in KEYS.items()}
    for name, key in keys.items():
        add(others, folder, name, key)
    return keys


def add(others: Others, folder: Path, name: str, key: Key, **changes: str) -> dict[str, Any]:
    path = folder / f"{name}.jwk"
    path.write_text(json.dumps(key.as_dict(private=False)), encoding="utf-8")
    members = {
        "partner": others.find_id("social-team"),
        "key": str(path),
        "until": encode_moment(now() + timedelta(days=30)),
        **changes,
    }
    options = [part for member, value in members.items() for part in (f"--{member}", value)]
    home = ["--home", str(others.served.world.home)]
    return run_command("broker", "clients", "add", name, *home, *options)


def refused(others: Others, assertion: str, **fields: str) -> str:
    """Return the OAuth error of a request that must get no token."""
    answer = others.ask_token(assertion, **fields)
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert answer.status_code == found["status"]
    assert "access_token" not in found
    assert found["error_description"] == found["detail"]
    return str(found["error"])


def ask(others: Others, token: str) -> int:
    body = others.build({"statement": spell(say()), "facts": build_facts(others)})
    return others.post("/access/v1/evaluation", body, token).status_code


def test_a_partner_gets_a_token_by_its_own_key(others: Others) -> None:
    assertion = sign_by(others.find_key("social-team"), others.find_id("social-team"))
    answer = others.ask_token(assertion)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 300)
    assert ask(others, found["access_token"]) == 200


@pytest.mark.parametrize("name", KEYS)
def test_a_client_gets_a_token_by_the_key_that_was_added(
    others: Others, clients: dict[str, Key], name: str
) -> None:
    answer = others.ask_token(sign_by(clients[name], name), client_id=name)
    assert answer.status_code == 200, answer.text
    assert ask(others, answer.json()["access_token"]) == 200


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_the_algorithm_is_taken_too(
    others: Others, clients: dict[str, Key]
) -> None:
    assertion = sign(clients["city-okp"], "EdDSA", build_claims("city-okp"))
    assert others.ask_token(assertion).status_code == 200
    # It is no name for any other key.
    assertion = sign(clients["city-okp"], "EdDSA", build_claims("city-ec"))
    assert refused(others, assertion) == "invalid_client"


def test_the_assertion_of_a_client_that_others_wrote_is_taken(
    others: Others, clients: dict[str, Key]
) -> None:
    """Authlib makes the assertion by itself, as the systems of others do."""
    assertion = private_key_jwt_sign(
        clients["city-ec"].as_dict(private=True),
        "city-ec",
        AUDIENCE,
        alg="ES256",
        expires_in=120,
        claims={"jti": secrets.token_urlsafe(24)},
        header={"alg": "ES256", "typ": "JWT"},
    )
    text = assertion.decode() if isinstance(assertion, bytes) else assertion
    answer = others.ask_token(text)
    assert answer.status_code == 200, answer.text


CLAIMS: dict[str, dict[str, Any]] = {
    "for another endpoint": {"aud": "http://127.0.0.1:1/v1/oauth/tokens"},
    "for the issuer": {"aud": "http://127.0.0.1:1"},
    "for two": {"aud": [AUDIENCE, "https://other.example"]},
    "for nobody": {"aud": None},
    "from another": {"iss": "city-rsa"},
    "about another": {"sub": "city-rsa"},
    "over": {"iat": int(time.time()) - 200, "exp": int(time.time()) - 1},
    "old": {"iat": int(time.time()) - 3_600, "exp": int(time.time()) + 60},
    "too long": {"exp": int(time.time()) + 3_600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "ahead": {"iat": int(time.time()) + 3_000, "exp": int(time.time()) + 3_100},
    "not yet": {"nbf": int(time.time()) + 3_000},
    "of a moment that is a text": {"exp": str(int(time.time()) + 60)},
    "of a moment that is true": {"exp": True},
    "of no calendar": {"exp": 10**15},
    "without an id": {"jti": None},
    "with a short id": {"jti": "1"},
    "with an id that is a number": {"jti": 10**15},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
def test_claims_that_do_not_hold(
    others: Others, clients: dict[str, Key], changes: dict[str, Any]
) -> None:
    claims = build_claims("city-ec", **changes)
    assertion = sign(clients["city-ec"], "ES256", claims)
    assert refused(others, assertion) == "invalid_client"


@pytest.mark.parametrize("name", ["city\0ec", "", "City-EC", "city ec", "a" * 65])
def test_an_issuer_that_nobody_can_be_is_looked_for_nowhere(name: str) -> None:
    claims = encode_bytes(json.dumps({"iss": name}).encode())
    with pytest.raises(AssertionRefusedError):
        read_issuer(f"{encode_bytes(b'{}')}.{claims}.")


def _none(clients: dict[str, Key]) -> str:
    header = encode_bytes(b'{"alg":"none","typ":"JWT"}')
    return f"{header}.{encode_bytes(json.dumps(build_claims('city-ec')).encode())}."


def _hs256_by_public_key(clients: dict[str, Key]) -> str:
    """The oldest trick: the public key's bytes as a shared secret."""
    header = encode_bytes(b'{"alg":"HS256","typ":"JWT"}')
    text = f"{header}.{encode_bytes(json.dumps(build_claims('city-rsa')).encode())}"
    key = clients["city-rsa"]
    assert isinstance(key, RSAKey)
    secret = key.as_pem(private=False)
    return f"{text}.{encode_bytes(hmac.digest(secret, text.encode(), 'sha256'))}"


def _twice(clients: dict[str, Key]) -> str:
    """A member twice: one reader takes the first, another the last."""
    text = json.dumps(build_claims("city-ec"))
    return sign(clients["city-ec"], "ES256", text.replace('"iss"', '"aud":"x","iss"', 1))


def _changed(clients: dict[str, Key]) -> str:
    header, claims, signature = sign_by(clients["city-ec"], "city-ec").split(".")
    other = encode_bytes(json.dumps(build_claims("city-ec")).encode())
    assert other != claims
    return f"{header}.{other}.{signature}"


ASSERTIONS: dict[str, Callable[[dict[str, Key]], str]] = {
    "unsigned": _none,
    "HS256 with the public key": _hs256_by_public_key,
    "RS256, which the profile leaves": lambda c: sign(
        c["city-rsa"], "RS256", build_claims("city-rsa")
    ),
    "by another client's key": lambda c: sign(c["city-ec"], "ES256", build_claims("city-okp")),
    "by nobody's key": lambda _: sign_by(ECKey.generate_key("P-256"), "city-ec"),
    "by a key of its own header": lambda _: sign(
        ECKey.generate_key("P-256"),
        "ES256",
        build_claims("city-ec"),
        jwk=ECKey.generate_key("P-256").as_dict(private=False),
    ),
    "with an address of keys": lambda c: sign(
        c["city-ec"], "ES256", build_claims("city-ec"), jku="https://evil.example/jwks"
    ),
    "with another key's id": lambda c: sign(
        c["city-ec"], "ES256", build_claims("city-ec"), kid=c["city-okp"].thumbprint()
    ),
    "of no kind": lambda c: sign(c["city-ec"], "ES256", build_claims("city-ec"), typ=None),
    "of another kind": lambda c: sign(c["city-ec"], "ES256", build_claims("city-ec"), typ="at+jwt"),
    "of nobody": lambda c: sign(c["city-ec"], "ES256", build_claims("city-nobody")),
    "with a member twice": _twice,
    "with other claims": _changed,
    "no assertion": lambda _: "x",
    "in five parts": lambda _: "a.b.c.d.e",
    "far too long": lambda _: "a" * 9_000 + ".b.c",
}


@pytest.mark.parametrize("make", ASSERTIONS.values(), ids=ASSERTIONS.keys())
def test_assertions_that_do_not_hold(
    others: Others, clients: dict[str, Key], make: Callable[[dict[str, Key]], str]
) -> None:
    assert refused(others, make(clients)) == "invalid_client"


def test_an_assertion_counts_once(others: Others, clients: dict[str, Key]) -> None:
    assertion = sign_by(clients["city-ec"], "city-ec")
    assert others.ask_token(assertion).status_code == 200
    assert refused(others, assertion) == "invalid_client"
    again = sign_by(clients["city-ec"], "city-ec", jti=_read_jti(assertion))
    assert refused(others, again) == "invalid_client"


def _read_jti(assertion: str) -> str:
    payload = assertion.split(".")[1]
    return str(json.loads(decode_bytes(payload))["jti"])


def test_of_many_at_once_one_gets_a_token(others: Others, clients: dict[str, Key]) -> None:
    assertion = sign_by(clients["city-okp"], "city-okp")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: others.ask_token(assertion).status_code, range(8)))
    assert sorted(found) == [200, *[401] * 7]


def test_a_message_that_a_partner_signed_is_no_assertion(others: Others) -> None:
    """One key signs both: neither may be taken for the other."""
    sent = others.served.world.build("social-team", "open_occasion", [], say())
    message = json.loads(sent.wire)
    text = ".".join(message[name] for name in ("protected", "object", "signature"))
    assert refused(others, text) == "invalid_client"
    assertion = sign_by(others.find_key("social-team"), others.find_id("social-team"))
    protected, claims, signature = assertion.split(".")
    wire = json.dumps(
        {"object": claims, "parts": [], "protected": protected, "signature": signature},
        separators=(",", ":"),
    )
    answer = others.served.post(wire.encode(), "/v1/inquiries")
    assert answer.status_code == 400
    assert answer.json()["code"] == "message_header"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_id": "city-rsa"}, "invalid_client"),
    ],
)
def test_forms_that_are_refused(
    others: Others, clients: dict[str, Key], fields: dict[str, str], error: str
) -> None:
    assert refused(others, sign_by(clients["city-ec"], "city-ec"), **fields) == error


@pytest.mark.parametrize(
    "body", [b"", b"grant_type", b"a=b&a=c&grant_type=client_credentials", b"\xff=1", b"a=%FF"]
)
def test_a_body_that_is_no_form(others: Others, body: bytes) -> None:
    answer = others.served.client.post(
        others.served.url + "/v1/oauth/token",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_json_is_no_form(others: Others) -> None:
    answer = others.served.client.post(others.served.url + "/v1/oauth/token", json={})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic eDp5", f"Bearer {'A' * 43}", f"Bearer {'é' * 43}"],
)
def test_without_a_token_nothing_is_weighed(others: Others, header: str) -> None:
    answer = others.served.client.post(
        others.served.url + "/access/v1/evaluation",
        content=b"{}",
        headers=[
            (b"Content-Type", b"application/json"),
            *([(b"Authorization", header.encode("latin-1"))] if header else []),
        ],
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "access_token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_lies_nowhere_but_by_its_hash(others: Others, clients: dict[str, Key]) -> None:
    assertion = sign_by(clients["city-ec"], "city-ec")
    token = others.ask_token(assertion).json()["access_token"]
    assert ask(others, token) == 200
    home = others.served.world.home
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    kept += others.served.log.read_bytes()
    assert token.encode() not in kept
    assert assertion.split(".")[2].encode() not in kept


def test_a_client_that_ended_asks_no_more(others: Others, tmp_path: Path) -> None:
    key = OKPKey.generate_key("Ed25519")
    added = add(others, tmp_path, "city-ends", key)
    assert added["key"] == key.thumbprint()
    token = others.ask_token(sign_by(key, "city-ends")).json()["access_token"]
    assert ask(others, token) == 200
    home = ["--home", str(others.served.world.home)]
    listed = run_command("broker", "clients", "list", *home)["clients"]
    assert "city-ends" in {one["client"] for one in listed}
    run_command("broker", "clients", "end", "city-ends", *home)
    assert ask(others, token) == 401
    assert refused(others, sign_by(key, "city-ends")) == "invalid_client"


def test_a_partner_that_is_suspended_asks_no_more(others: Others) -> None:
    function = "youth-help"
    token = others.find_token(function)
    body = others.build(
        {"statement": spell(say()), "facts": build_facts(others)}, function=function
    )
    assert others.post("/access/v1/evaluation", body, token).status_code == 200
    home = ["--home", str(others.served.world.home)]
    run_command("broker", "suspend", others.find_id(function), *home)
    try:
        answer = others.post("/access/v1/evaluation", body, token)
        assert (answer.status_code, answer.json()["code"]) == (403, "partner_suspended")
        assertion = sign_by(others.find_key(function), others.find_id(function))
        assert refused(others, assertion) == "invalid_client"
    finally:
        run_command("broker", "resume", others.find_id(function), *home)


def test_a_token_ends(others: Others, clients: dict[str, Key]) -> None:
    """Its row is set back, as minutes would do it."""
    token = others.ask_token(sign_by(clients["city-rsa"], "city-rsa")).json()["access_token"]
    assert ask(others, token) == 200
    over = int(datetime.now(UTC).timestamp())
    home = others.served.world.home
    change_rows(home, "UPDATE access_tokens SET until_at = :over", over=over)
    assert ask(others, token) == 401
    others.tokens.clear()


def test_the_metadata_says_how(others: Others) -> None:
    get = others.served.client.get
    found = get(others.served.url + "/.well-known/oauth-authorization-server").json()
    assert found["token_endpoint"] == AUDIENCE
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert "none" not in found["token_endpoint_auth_signing_alg_values_supported"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=True)),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)),
        json.dumps(RSAKey.generate_key(2_048).as_dict(private=False)),
        json.dumps(ECKey.generate_key("P-384").as_dict(private=False)),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=False)),
        '{"kty":"OKP","kty":"OKP"}',
        "[]",
        "{",
    ],
    ids=["private", "symmetric", "rsa", "p384", "x25519", "twice", "list", "broken"],
)
def test_keys_that_no_client_can_have(others: Others, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.jwk"
    path.write_text(text, encoding="utf-8")
    code = run(
        [
            *("broker", "clients", "add", "city-bad", "--home", str(others.served.world.home)),
            *("--partner", others.find_id("social-team"), "--key", str(path)),
            *("--until", encode_moment(now() + timedelta(days=30))),
        ]
    )
    assert code != 0
    home = ["--home", str(others.served.world.home)]
    listed = run_command("broker", "clients", "list", *home)["clients"]
    assert "city-bad" not in {one["client"] for one in listed}
