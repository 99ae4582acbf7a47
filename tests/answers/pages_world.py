"""The officers' answer pages in one process, over a real broker; and somebody who is logged in."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from starlette.applications import Starlette

from broker.answers_wiring import build_answers_port
from broker.pages import answers
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer, Roles
from broker.pages.screens import build_site
from broker.purposes.roles import Acting, Role, RoleName
from broker.settings import BrokerSettings
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.web.errors import ErrorPages
from datwat.web.site import Site
from tests.exchange.world import BROKER, ORIGIN, Running

ORGANISATION = "rijnstad"
Fields = dict[str, str | list[str]]
_FORM = re.compile(r'<form class="form" action="([^"]*)".*?</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class _Desk:
    """As much of the desk as these pages ask."""

    roles: Roles
    answers: Any


@dataclass
class Pages:
    """The site over a running broker; `given` is the register of roles, by staff id."""

    app: Starlette
    site: Site[Officer]
    url: str
    given: dict[str, frozenset[Role]] = field(default_factory=dict)

    def open_session(self, staff: str, *names: RoleName) -> tuple[str, str]:
        """Give somebody roles, log them in, and return name and value of their cookie."""
        roles = frozenset(Role(ORGANISATION, name) for name in names)
        self.given[staff] = roles
        officer = Officer(Acting(staff, roles), roles)
        token = self.site.sessions.open(officer, staff, datetime.now(UTC))
        return self.site.cookies.session, token

    def log_in(self, staff: str, *names: RoleName) -> Surfer:
        """Return somebody with these roles, without a browser."""
        name, token = self.open_session(staff, *names)
        transport = httpx.ASGITransport(app=self.app)
        client = httpx.AsyncClient(transport=transport, base_url=self.url, trust_env=False)
        client.cookies.set(name, token)
        return Surfer(self, client)


@dataclass
class Surfer:
    """Somebody who is logged in."""

    pages: Pages
    client: httpx.AsyncClient

    async def open(self, path: str, status: int = 200) -> str:
        page = await self.client.get(path)
        assert page.status_code == status, page.text
        return page.text

    async def post(self, page: str, **fields: str | list[str]) -> httpx.Response:
        """Send the form of a page."""
        found = _FORM.search(page)
        assert found is not None, page[:2000]
        hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(found[0])}
        headers = {"Origin": self.pages.url}
        return await self.client.post(found[1], data={**hidden, **fields}, headers=headers)

    async def send(self, page: str, **fields: str | list[str]) -> str:
        """Send the form of a page and return the page that comes of it."""
        sent = await self.post(page, **fields)
        assert sent.status_code == 303, sent.text
        return await self.open(sent.headers["location"])


def build_pages(running: Running, url: str) -> Pages:
    """Return the pages over a broker, not yet served."""
    settings = BrokerSettings.model_validate(
        {
            "home": running.world.home,
            "id": BROKER,
            "name": "Gemeente Rijnstad",
            "url": "http://127.0.0.1:1",
            "log_origin": ORIGIN,
            "bundle": "policy",
            "trust_list": "list.json",
            "trust_pin": "0" * 64,
            "pages_url": url,
            "staff_issuer": "http://127.0.0.1:9",
            "staff_client_id": "broker",
        }
    )
    site = build_site(settings)
    given: dict[str, frozenset[Role]] = {}
    roles = Roles(lambda staff: given.get(staff, frozenset()))
    desk = _Desk(roles, build_answers_port(running.broker))
    errors = ErrorPages(site)
    app = build_app(
        ApiInfo(title="broker", description="Pages of a test."),
        (),
        limits=Limits(max_body_bytes=100_000),
        build_refusal=errors.build_refusal,
    )
    app.router.routes.extend(answers.build_routes(site, cast("OfficerDesk", desk)))
    app.router.routes.extend(site.pages.assets.build_routes())
    errors.install(app)
    return Pages(app, site, url, given)


def read_errors(page: str) -> set[str]:
    """Return the fields beside which something is wrong."""
    return set(re.findall(r'id="error-(\w+)"', page))
