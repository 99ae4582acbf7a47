"""Somebody who is logged in at the residents' pages, without a browser."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import httpx

from datwat.web.sessions import IDLE
from tests.portal.affairs import FULL, NAMES, TEAM, change
from tests.portal.saying import URL, World, read_form

PATHS = (
    "/",
    "/involved",
    "/wishes",
    "/consents",
    "/objections",
    "/questions",
    "/blocks",
    "/shield",
)
NOTHING_SAID = change(FULL, consents=(), blocks=(), shield=None)


class Surfer:
    """Somebody who is logged in, with their cookie."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.world, self.client = world, client
        self.token = ""
        self.who = f"somebody {id(self)}"
        self.log_in()

    def log_in(self) -> None:
        name, self.token = self.world.open_session(self.who, represents=True)
        self.client.cookies.clear()
        self.client.cookies.set(name, self.token)

    def end(self) -> None:
        """Let the session come to its end, as time does."""
        session = self.world.site.sessions.require(self.token, datetime.now(UTC))
        session.seen_at -= IDLE
        session.opened_at -= IDLE

    async def open(self, path: str, status: int = 200) -> httpx.Response:
        page = await self.client.get(path)
        assert page.status_code == status, page.text
        return page

    async def post(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page."""
        action, hidden = read_form(page)
        data = {name: html.unescape(value) for name, value in hidden.items()} | fields
        return await self.client.post(action, data=data, headers={"Origin": URL})

    async def send(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page and return the page that comes of it."""
        sent = await self.post(page, **fields)
        assert sent.status_code == 303, sent.text
        return await self.open(sent.headers["location"])

    async def begin_question(self, text: str = "Waarom?") -> httpx.Response:
        """Go to the last page of a question to the social team."""
        page = await self.send(await self.open("/questions/new"), to=TEAM)
        return await self.send(page, text=text)


def read_choice(page: httpx.Response, requester: str, source: str) -> str:
    found = re.search(
        rf'value="(\w+)"[^>]*>\s*<label[^>]*>{NAMES[requester]} zou iets krijgen van '
        rf"{NAMES[source]}<",
        page.text,
    )
    assert found is not None, page.text
    return found[1]
