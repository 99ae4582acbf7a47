"""The officers' pages in one process, in front of a real broker: log, database, OPA, trials."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
import uvicorn
from starlette.applications import Starlette

from broker.pages.app import build_pages
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.pages.screens import build_site
from broker.pages_wiring import build_desk
from broker.purposes.roles import Acting
from broker.settings import BrokerSettings
from broker.watching import Watch
from datwat.party.gate import Limits
from datwat.web.site import Site
from tests.authoring.world import Office
from tests.web.world import find_port

PASSPHRASE = "vijf losse woorden zonder verband"


@dataclass
class PagesWorld:
    """The pages of one broker; `watch` is what the operator's page reads."""

    office: Office
    url: str
    port: int
    site: Site[Officer]
    desk: OfficerDesk
    app: Starlette
    watch: Watch

    async def open_session(self, acting: Acting) -> tuple[str, str]:
        """Log somebody in, as the provider would; return the cookie's name and value."""
        held = await self.desk.roles.fetch_held(acting)
        token = self.site.sessions.open(Officer(acting, held), acting.staff, datetime.now(UTC))
        return self.site.cookies.session, token


async def open_pages_world(office: Office, issuer: str = "http://127.0.0.1:9") -> PagesWorld:
    """Return the pages of a broker that runs."""
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    settings = BrokerSettings.model_validate(
        office.broker.settings.model_dump()
        | {
            "pages_url": url,
            "staff_issuer": issuer,
            "staff_client_id": "broker-pages",
            "staff_roles_claim": "broker/roles",
        }
    )
    watch = Watch(office.broker)
    desk = build_desk(office.broker, watch)
    site = build_site(settings)
    app = build_pages(settings, site, desk, Limits())
    return PagesWorld(office, url, port, site, desk, app, watch)


@asynccontextmanager
async def serve_here(world: PagesWorld) -> AsyncIterator[None]:
    """Serve the pages on their port, on the loop on which the broker runs."""
    config = uvicorn.Config(world.app, port=world.port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running


@dataclass
class SentForm:
    """A form of a page: where it goes, and what stands in it."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class FormReader(HTMLParser):
    """Reads every form of a page with what a browser would send of it, but for buttons."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[SentForm] = []
        self._select: str | None = None
        self._chosen: str | None = None
        self._area: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(SentForm(named.get("action", "")))
        if not self.forms:
            return
        name, value = named.get("name", ""), named.get("value", "")
        if tag == "input" and name:
            is_box = named.get("type") in ("radio", "checkbox")
            if not is_box or "checked" in named:
                self.forms[-1].fields.append((name, value))
        elif tag == "select":
            self._select, self._chosen = name, None
        elif tag == "option" and self._select:
            if "selected" in named or self._chosen is None:
                self._chosen = value
        elif tag == "textarea":
            self._area, self._text = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.forms[-1].fields.append((self._select, self._chosen or ""))
            self._select = None
        elif tag == "textarea" and self._area:
            self.forms[-1].fields.append((self._area, self._text.removeprefix("\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data


def read_form(page: httpx.Response, action: str) -> SentForm:
    """Return the form of a page that goes to an address."""
    reader = FormReader()
    reader.feed(page.text)
    found = [one for one in reader.forms if one.action == action]
    assert found, (action, [one.action for one in reader.forms], said_on(page))
    return found[0]


class Visitor:
    """An officer who is logged in, without a browser and without JavaScript."""

    def __init__(self, world: PagesWorld, client: httpx.AsyncClient) -> None:
        self.world, self.client = world, client

    async def log_in(self, acting: Acting) -> Visitor:
        name, token = await self.world.open_session(acting)
        self.client.cookies.clear()
        self.client.cookies.set(name, token)
        return self

    async def open(self, path: str, status: int = 200) -> httpx.Response:
        page = await self.client.get(path)
        assert page.status_code == status, (path, page.status_code, said_on(page))
        return page

    async def post(
        self, page: httpx.Response, action: str, *, more: dict[str, str] | None = None, **typed: str
    ) -> httpx.Response:
        """Send a form of a page with other values; `typed` are fields, `more` those with a `-`."""
        form = read_form(page, action)
        changed = {**(more or {}), **typed}
        fields = [(name, value) for name, value in form.fields if name not in changed]
        fields += list(changed.items())
        return await self.client.post(
            action,
            content=urlencode(fields).encode(),
            headers={
                "Origin": self.world.url,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    async def send(
        self, page: httpx.Response, action: str, *, more: dict[str, str] | None = None, **typed: str
    ) -> httpx.Response:
        """Send a form that is done, and return the page that comes of it."""
        sent = await self.post(page, action, more=more, **typed)
        assert sent.status_code == 303, (action, sent.status_code, said_on(sent))
        return await self.open(sent.headers["location"])


def said_on(page: httpx.Response) -> str:
    """Return the words of a page without its frame and its forms: for who reads why it failed."""
    main = page.text.partition("<main")[2].partition("<form")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", html.unescape(main)).split())[:600]


def words_of(page: httpx.Response) -> str:
    """Return what stands on a page, entities as signs."""
    return html.unescape(page.text)
