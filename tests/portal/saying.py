"""The residents' pages in one process, in front of whatever somebody's affairs may be.

Behind the pages stands no broker here but a list of what was sent to it, so that every state can be
looked at: nothing, very much, long names, a broker that is away in the midst. That what is sent has
its effect is shown with the real parties (tests/demo).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
from starlette.applications import Starlette

from connectors.client.outgoing import Sent
from connectors.client.verification import VerifiedAnswer, VerifiedPerson
from connectors.portal.desk import Handles, ResidentDesk
from connectors.portal.pages.screens import build_routes, build_site
from connectors.portal.resident import Resident
from connectors.portal.settings import PortalSettings
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.http_out import PeerTooSlowError
from datwat.party.openapi import ApiInfo
from datwat.protocol.acts import Wish
from datwat.protocol.answers import ActPart
from datwat.protocol.bundle import Bundle
from datwat.protocol.own_affairs import (
    KnownOrganisation,
    OwnInvolvements,
    OwnWishes,
)
from datwat.web.errors import ErrorPages
from datwat.web.site import Site
from tests.portal.affairs import NAMES, NOW, OTHER, OWN, Affairs
from tests.portal.paper_world import read_bundle

URL = "http://127.0.0.1:1"


@dataclass
class StandIn:
    """What a desk is asked, and what it answers; `broken` is raised when something is sent.

    Where `is_lost` the wish is done and its answer does not arrive. `sent` holds each message once,
    as the broker does: the same bytes again are answered as the first time.
    """

    own: Affairs = field(default_factory=Affairs)
    other: Affairs = field(default_factory=Affairs)
    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))
    broken: Exception | None = None
    away: Exception | None = None
    is_lost: bool = False
    is_refused: bool = False
    sent: dict[bytes, tuple[bytes, Wish]] = field(default_factory=dict)
    prepared: int = 0
    left: list[Handles] = field(default_factory=list)

    def begin(self, own: Affairs, other: Affairs) -> None:
        """Begin anew."""
        vars(self).update(vars(StandIn(own=own, other=other)))

    def find(self, handle: bytes) -> Affairs:
        if self.away is not None:
            raise self.away
        return {OWN: self.own, OTHER: self.other}[handle]

    async def fetch_involvements(self, handle: bytes) -> OwnInvolvements:
        held = self.find(handle)
        return OwnInvolvements(
            v=1, rid=b"r" * 16, as_of=NOW, now=held.now, past=held.past, is_whole=held.is_whole
        )

    async def fetch_wishes(self, handle: bytes) -> OwnWishes:
        held = self.find(handle)
        return OwnWishes(
            v=1,
            rid=b"r" * 16,
            as_of=NOW,
            consents=held.consents,
            objections=held.objections,
            questions=held.questions,
            blocks=held.blocks,
            shield=held.shield,
        )

    def list_organisations(self) -> tuple[KnownOrganisation, ...]:
        return tuple(
            KnownOrganisation(id=key, name=name, domain="care", contact="14 030")
            for key, name in self.names.items()
        )

    async def require_bundle(self) -> Bundle:
        return read_bundle()

    async def prepare_wish(self, handle: bytes, wish: Wish) -> Sent:
        self.prepared += 1
        rid = self.prepared.to_bytes(16, "big")
        return cast("Sent", SimpleNamespace(rid=rid, handle=handle, wish=wish))

    async def deliver_wish(self, sent: Sent) -> VerifiedAnswer:
        if self.broken is not None:
            raise self.broken
        held = cast("Any", sent)
        self.sent.setdefault(sent.rid, (held.handle, held.wish))
        if self.is_lost:
            raise PeerTooSlowError
        return build_answer(900 + list(self.sent).index(sent.rid), is_refused=self.is_refused)

    async def end_session(self, handles: Handles) -> None:
        self.left.append(handles)

    @property
    def wishes(self) -> list[Wish]:
        """What was done, each once."""
        return [wish for _, wish in self.sent.values()]


def build_answer(index: int, *, is_refused: bool = False) -> VerifiedAnswer:
    """Return the broker's answer to a wish."""
    weighing = {
        "permitted": not is_refused,
        "rung": "none",
        "open_rung": "none",
        "findings": [],
        "remedies": [],
        "alternatives": [],
        "obligations": [],
    }
    part = ActPart.model_validate_json(
        json.dumps({"type": "act", "weighing": weighing, "state": "recorded"})
    )
    return VerifiedAnswer(b"r" * 16, (VerifiedPerson(part, None, index),), None, None)


@dataclass
class World:
    """The site, what stands behind it, and somebody who is logged in."""

    app: Starlette
    site: Site[Resident]
    desk: StandIn
    url: str

    def open_session(self, who: str = "somebody", *, represents: bool = False) -> tuple[str, str]:
        """Log somebody in and return name and value of their cookie."""
        resident = Resident(Handles(OWN, OTHER if represents else None))
        token = self.site.sessions.open(resident, who, datetime.now(UTC))
        return self.site.cookies.session, token

    def find(self, token: str) -> Resident:
        """Return what a session holds."""
        return self.site.sessions.require(token, datetime.now(UTC)).held

    def connect(self) -> httpx.AsyncClient:
        """Return a client of nobody yet."""
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url=self.url, trust_env=False)


def build_world(home: Any, desk: StandIn, url: str = URL) -> World:  # noqa: ANN401 - a path
    """Return the residents' pages, not yet served."""
    settings = PortalSettings.model_validate(
        {
            "home": home,
            "id": "00000099000000009000:portal",
            "name": "Gemeente Rijnstad",
            "url": url,
            "issuer": "http://127.0.0.1:9",
            "client_id": "portal",
        }
    )
    site = build_site(settings)
    errors = ErrorPages(site)
    app = build_app(
        ApiInfo(title="portal", description="Pages of a test."),
        (),
        limits=Limits(max_body_bytes=100_000),
        build_refusal=errors.build_refusal,
    )
    app.router.routes.extend(build_routes(site, cast("ResidentDesk", desk)))
    errors.install(app)
    return World(app, site, desk, url)


_FORM = re.compile(r'<form class="form" action="([^"]*)".*?</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


def read_form(page: httpx.Response) -> tuple[str, dict[str, str]]:
    """Return where the page's form goes, and its hidden fields."""
    found = _FORM.search(page.text)
    assert found is not None, page.text[:2000]
    return found[1], dict(_HIDDEN.findall(found[0]))
