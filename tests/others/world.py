"""A served broker as systems of others meet it: tokens by signed assertion, decisions by token."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from datwat.protocol.acts import Statement
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import VerifyKey
from datwat.protocol.values import encode_bytes
from tests.api.conftest import Served
from tests.exchange.world import act_part, member, now, opens, say

# The address in the settings of the test's world: what an assertion must be for.
AUDIENCE = "http://127.0.0.1:1/v1/oauth/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PURPOSE = "coordinate_family_help"
Json = dict[str, Any]


def build_claims(client: str, **changes: Any) -> Json:  # noqa: ANN401 - any claim
    """Return good claims with some changed; one that is changed to None is left out."""
    moment = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": AUDIENCE,
        "iat": moment,
        "exp": moment + 60,
        "jti": secrets.token_urlsafe(16),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def sign(key: Key, algorithm: str, claims: Json | str, **header: Any) -> str:  # noqa: ANN401
    """Return a compact JWS, as joserfc makes it."""
    protected = {"alg": algorithm, "typ": "JWT", **header}
    protected = {name: value for name, value in protected.items() if value is not None}
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    return jws.serialize_compact(protected, payload, key, algorithms=[algorithm])


def sign_by(key: Key, client: str, **changes: Any) -> str:  # noqa: ANN401
    """Return a good assertion by a key of any of the kinds."""
    algorithm = {ECKey: "ES256", RSAKey: "PS256", OKPKey: "Ed25519"}[type(key)]
    return sign(key, algorithm, build_claims(client, **changes))


@dataclass(repr=False)
class Others:
    """A served broker, and the partners' systems beside it."""

    served: Served
    ldv: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @cached_property
    def bundle(self) -> Bundle:
        get = self.served.client.get
        archive = get(self.served.url + "/v1/bundle").content
        document = get(self.served.url + "/v1/bundle/signature").content
        return open_bundle(archive, document, [VerifyKey(self.served.world.policy_jwk.x)], 1)

    def find_id(self, function: str) -> str:
        return self.served.world.members[function].id

    def find_key(self, function: str) -> OKPKey:
        return OKPKey.import_key(json.loads(self.served.world.members[function].key.to_jwk_text()))

    def find_digest(self, purpose: str = PURPOSE) -> str:
        found = self.bundle.view.find_revision(purpose, now())
        assert found is not None
        return found.digest

    def ask_token(self, assertion: str, **fields: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            **fields,
        }
        return self.served.client.post(self.served.url + "/v1/oauth/token", data=form)

    def find_token(self, function: str = "social-team") -> str:
        """Return a token of a partner by its own signing key, asked for once."""
        if function not in self.tokens:
            assertion = sign_by(self.find_key(function), self.find_id(function))
            answer = self.ask_token(assertion)
            assert answer.status_code == 200, answer.text
            self.tokens[function] = answer.json()["access_token"]
        return self.tokens[function]

    def post(
        self, path: str, body: Json | bytes, token: str = "", **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token or self.find_token()}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.served.client.post(
            self.served.url + path,
            content=content,
            headers={name: value for name, value in named.items() if value},
        )

    def evaluate(self, body: Json, **headers: str) -> Json:
        response = self.post("/access/v1/evaluation", body, **headers)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def evaluate_all(self, body: Json) -> list[Json]:
        response = self.post("/access/v1/evaluations", body)
        assert response.status_code == 200, response.text
        found: list[Json] = response.json()["evaluations"]
        return found

    def build(
        self,
        context: Json,
        *,
        rung: str = "dat",
        purpose: str = PURPOSE,
        function: str = "social-team",
        **properties: Any,  # noqa: ANN401
    ) -> Json:
        """Return a question of a partner."""
        return {
            "subject": {"type": "partner", "id": self.find_id(function)},
            "action": {"name": rung},
            "resource": {"type": "purpose", "id": purpose, "properties": properties},
            "context": context,
        }

    def open_home(self, bsn: str, **changes: Any) -> tuple[bytes, bytes]:  # noqa: ANN401
        """Return the handle of a person and an occasion that the social team opened."""
        statement = say(opens=opens(**changes))
        part = act_part(self.served.ask("social-team", "open_occasion", [member(bsn)], statement))
        assert part.occasion is not None, part
        assert part.handle is not None
        return part.handle, part.occasion


def spell(statement: Statement) -> Json:
    """Return a statement as JSON."""
    found: Json = statement.model_dump(mode="json", exclude_none=True)
    return found


def by_handle(handle: bytes, **members: Any) -> Json:  # noqa: ANN401
    """Return a person by handle, as JSON."""
    return {"person": {"by": "handle", "handle": encode_bytes(handle)}, **members}


def build_facts(others: Others, **changes: Any) -> Json:  # noqa: ANN401
    """Return stated facts by which the social team may ask who is involved."""
    moment = now().isoformat().replace("+00:00", "Z")
    worker = {"professional": "j.jansen", "role": "coordinator", "from_at": moment}
    occasion = {
        "holder": others.find_id("social-team"),
        "kind": "help_request",
        "opened_at": moment,
        "closed_at": None,
        "inform_by": None,
        "confidential": False,
        "introduced_by": None,
        "handlers": [{**worker, "until_at": None}],
        "special_situation": None,
    }
    found = {
        "occasion": occasion,
        "member": {
            "role": "parent",
            "source": "told",
            "named_at": moment,
            "told_at": moment,
            "may_look_up": True,
            "identity": "document",
            "age_band": "18+",
        },
        "identity": "document",
        "told_at": moment,
        "conversation": {
            "at": moment,
            "told_length": 60,
            "reaction": "agrees",
            "alternatives_length": 30,
        },
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}
