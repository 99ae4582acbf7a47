"""The residents' portal that is measured, and residents who log in at it.

The portal is a process like the others, set up by its own command; its identity provider is the
demo's. A resident is a browser's cookies and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from bench.load import HOST
from datwat.web.sessions import Cookies
from demo.covenant import LEVEL, find_ports
from tests.parties import Covenant, PartnerSpec, Party, run_command

FUNCTION: Final = "residents"
_NUMBER: Final = 8
_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10
_ROOT: Final = Path(__file__).resolve().parents[1]
_CARD: Final = re.compile(rb'href="/log/([0-9]+)"')


@dataclass
class Portal:
    """The portal, and the provider at which everybody in `users` can log in by that name."""

    party: Party
    port: int
    issuer_port: int
    users: Path
    provider: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where residents reach it."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self.party.running.pid

    def count_requests(self) -> int:
        """Return how many requests it answered so far, by its own log."""
        return self.party.log.read_bytes().count(b'"event":"request"')

    def begin(self) -> None:
        """Start the provider, and the portal as soon as the broker is there."""
        command = [sys.executable, "-m", "demo.identity", str(self.issuer_port), str(self.users)]
        self.provider = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(_ROOT)})
        self.party.restart()

    def close(self) -> None:
        """End the provider; the portal ends with the covenant."""
        if self.provider is not None:
            self.provider.terminate()
            self.provider.wait(timeout=_STOP_SECONDS)


def add_portal(covenant: Covenant, bsns: Sequence[str]) -> Portal:
    """Take a portal up into a covenant that does not run yet; each BSN is its login's name too."""
    port, issuer_port = find_ports(2)
    party_id = PartnerSpec("portal", "care", number=_NUMBER).id
    home, users = covenant.folder / FUNCTION, covenant.folder / "users.json"
    secret = covenant.folder / "client.secret"
    secret.write_text("the bench's own portal", encoding="utf-8")
    run_command(
        *("portal", "init", "--home", str(home), "--id", party_id, "--name", "Gemeente Rijnstad"),
        *("--url", f"http://{HOST}:{port}", "--port", str(port), "--client-id", "bench"),
        *("--issuer", f"http://{HOST}:{issuer_port}", "--client-secret-file", str(secret)),
    )
    claims = {bsn: {"acr": LEVEL, "bsn": bsn} for bsn in bsns}
    users.write_text(json.dumps(claims), encoding="utf-8")
    party = Party("portal", home, party_id)
    covenant.partners[FUNCTION] = party
    covenant.sign()
    return Portal(party, port, issuer_port, users)


async def log_in(portal: Portal, name: str) -> str:
    """Log in as a browser does and return the session's cookie, as a header has it."""
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        away = await client.get(f"{portal.url}/login")
        chosen = await client.post(_require_next(away), data={"sub": name})
        back = await client.get(_require_next(chosen))
        _require_next(back)
        cookie = Cookies(is_secure=False).session
        return f"{cookie}={client.cookies[cookie]}"


def _require_next(answer: httpx.Response) -> str:
    """Return where a login goes on; it is no login where it stops."""
    target = answer.headers.get("location")
    if target is None:
        message = f"the login stopped with {answer.status_code} at {answer.url.path}"
        raise RuntimeError(message)
    return str(target)


def build_get(portal: Portal, path: str, cookie: str) -> bytes:
    """Return the bytes of the request for a page, as somebody who is logged in."""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{portal.port}\r\nAccept: text/html\r\n"
        f"Accept-Encoding: gzip\r\nCookie: {cookie}\r\n\r\n"
    )
    return head.encode()


def find_cards(page: bytes) -> list[int]:
    """Return the numbers of the entries that a page of the log leads to, newest first."""
    return list(dict.fromkeys(int(number) for number in _CARD.findall(page)))
