"""A small identity provider that can lie in every way: what a portal must refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID = "portal"
SUBSTANTIAL = "http://eidas.europa.eu/LoA/substantial"
_KEYS = tuple(RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}) for _ in range(2))


@dataclass
class HostileProvider:
    """What it answers can be changed before each login; `challenge` is what the login announced."""

    claims: dict[str, Any] = field(default_factory=dict)
    leave_out: set[str] = field(default_factory=set)
    algorithm: str = "RS256"
    metadata: dict[str, Any] = field(default_factory=dict)
    with_id_token: bool = True
    sign_with_other_key: bool = False
    challenge: str = ""
    nonce: str = ""
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key, self.other_key = _KEYS
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                if self.path == "/.well-known/openid-configuration":
                    self._answer(200, provider.build_metadata())
                else:
                    self._answer(200, {"keys": [provider.key.as_dict(private=False)]})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*provider.answer_token(form))

            def log_message(self, *_arguments: object) -> None:
                pass

            def _answer(self, status: int, members: dict[str, Any]) -> None:
                body = json.dumps(members).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def build_metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": [self.algorithm],
            **self.metadata,
        }

    def answer_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Check PKCE as a provider must, and give the token."""
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return 400, {"error": "invalid_grant"}
        answer = {"access_token": "a" * 32, "token_type": "Bearer", "expires_in": 300}
        if self.with_id_token:
            answer["id_token"] = self.build_id_token()
        return 200, answer

    def build_id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "pairwise-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "acr": SUBSTANTIAL,
            "bsn": "999990019",
            **self.claims,
        }
        kept = {name: value for name, value in claims.items() if name not in self.leave_out}
        payload = json.dumps(kept).encode()
        header = {"alg": self.algorithm, "kid": "k1"}
        if self.algorithm == "none":
            parts = (json.dumps(header).encode(), payload, b"")
            return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)
        key: RSAKey | OctKey = self.other_key if self.sign_with_other_key else self.key
        if self.algorithm == "HS256":
            # The classic: the public key taken for a shared secret.
            key = OctKey.import_key(self.key.as_pem(private=False))
        return jws.serialize_compact(header, payload, key, algorithms=[self.algorithm])
