"""Somebody at a site, without a browser: what they fill in, and where they are led."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.portal.provider import HostileProvider

ORIGIN = "http://site.example"
_HIDDEN = re.compile(r'<input type="hidden" name="(csrf|form_id)" value="([^"]*)">')


@dataclass
class Visitor:
    """A client with its own cookies, and the provider it logs in at."""

    client: httpx.AsyncClient
    hostile: HostileProvider

    async def begin(self, path: str = "/login") -> dict[str, str]:
        """Go to the provider; return what was sent along."""
        away = await self.client.get(path)
        assert away.status_code == 302, away.text
        query = parse_qs(urlsplit(away.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def come_back(self, sent: dict[str, str], **changes: str) -> httpx.Response:
        """Come back from the provider, which answers as it is told to."""
        self.hostile.challenge = self.hostile.challenge or sent["code_challenge"]
        self.hostile.nonce = self.hostile.nonce or sent["nonce"]
        query = {"code": "c1", "state": sent["state"], **changes}
        return await self.client.get("/login/callback", params=query)

    async def log_in(self, path: str = "/login", who: str = "pairwise-1") -> httpx.Response:
        """Log in, as an honest person does."""
        self.hostile.challenge = self.hostile.nonce = ""
        self.hostile.claims = {"sub": who}
        back = await self.come_back(await self.begin(path))
        assert back.status_code == 303, back.text
        return back

    async def read_form(self, path: str = "/gallery") -> dict[str, str]:
        """Return the hidden fields of the page's own form: the last, the first is to log out."""
        page = await self.client.get(path)
        assert page.status_code == 200, page.text
        return dict(_HIDDEN.findall(page.text[page.text.index("<main") :]))

    async def send(
        self, fields: dict[str, str], path: str = "/gallery", **headers: str
    ) -> httpx.Response:
        """Send a form as a page of this site does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, data=fields, headers={"Origin": ORIGIN, **named})
