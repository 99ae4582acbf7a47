"""A site on a real port, as a party makes one: pages, forms, sessions, and a real provider.

What is behind the pages here is a list of what was sent: the ground knows nothing of residents.
"""

from __future__ import annotations

import asyncio
import copy
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response

from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.http_out import PeerRefusedError, PeerRestoredError, PeerUnreachableError
from datwat.party.openapi import ApiInfo
from datwat.protocol.errors import DatwatError
from datwat.web.assets import load_assets
from datwat.web.errors import ErrorPages
from datwat.web.forms import Form
from datwat.web.login import CALLBACK, LOGGED_OUT, Entrance, Login
from datwat.web.pages import NavItem, Pages, SiteInfo
from datwat.web.provider import Provider, ProviderOptions
from datwat.web.sessions import Cookies, Sessions
from datwat.web.site import Site, Visit
from datwat.web.theme import load_theme
from tests.portal.provider import CLIENT_ID, SUBSTANTIAL

HERE = Path(__file__).parent
LONG = "Stichting Samenwerkende Jeugdhulpverleningsorganisaties Noordoost-Overijssel en Omstreken"
MOMENT = datetime(2026, 11, 25, 18, 30, tzinfo=UTC)
GALLERY: dict[str, Any] = {
    "name": LONG,
    "reason": "Uw gezin vroeg om hulp, en het team zoekt wie al meedenkt.",
    "moment": MOMENT,
    "start": date(2026, 3, 2),
    "points": [
        (4, "shared", "2 maart"),
        (20, "refused", "3 april"),
        (24, "shared", "9 april"),
        (71, "refused", "1 september"),
        (99, "shared", "24 november"),
    ],
    "nodes": [
        (LONG, "Hulp bij opvoeden", True),
        ("Schuldhulp Rijnstad", "Schulden", True),
        ("Wijkteam Noord", "Vaste contactpersoon", False),
    ],
    "rows": [
        [LONG, "Hulp bij opvoeden", "2 maart 2026"],
        ["Schuldhulp Rijnstad", "Schulden", "9 april 2026"],
    ],
}
FAULTS: dict[str, type[DatwatError]] = {"away": PeerUnreachableError}
REFUSED = {
    "restored": PeerRestoredError("signed_before_restore", 400),
    "damaged": PeerRefusedError("log_damaged", 500),
}


@dataclass
class World:
    """A running site; `done` is what its form did, `left` who was told to have gone."""

    url: str
    app: Starlette
    site: Site[str]
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    waits: asyncio.Event | None = None

    async def show(self, visit: Visit[str]) -> Response:
        """Show every macro, with an empty form."""
        return visit.render("gallery.html", {**GALLERY, "form": visit.new_form()})

    async def send(self, visit: Visit[str], form: Form) -> Response:
        """Take a question, and say that it was sent."""
        text = form.text("question", most=2_000, missing="Schrijf uw vraag op.")
        if form.errors:
            form.choice("why", ("wrong", "private"), missing="Kies waarom.")
            return visit.render_refused("gallery.html", {**GALLERY, "form": form})
        if self.waits is not None:
            await self.waits.wait()
        self.done.append(text)
        return visit.redirect("/gallery", notice="Uw vraag is verstuurd.")

    async def show_bad(self, visit: Visit[str]) -> Response:
        """Show the control: a page that breaks every rule."""
        return visit.render("bad.html")

    async def fail(self, visit: Visit[str]) -> Response:
        """Fail in the way that the address names."""
        how = visit.request.path_params["how"]
        if how in REFUSED:
            raise REFUSED[how]
        raise FAULTS.get(how, RuntimeError)("999990019 went wrong")

    async def enter(self, claims: Mapping[str, Any], _now: datetime) -> tuple[str, str]:
        """Let anybody in whose login holds, by the name that the provider has for them."""
        return str(claims["sub"]), str(claims["sub"])

    async def leave(self, held: str) -> None:
        """Note who went."""
        self.left.append(held)


def build_info(*, is_secure: bool = False, form_targets: tuple[str, ...] = ()) -> SiteInfo:
    """Return what is the same on every page of a test's site."""
    return SiteInfo(
        title="Mijn gegevens",
        organisation="Gemeente Rijnstad",
        nav=(NavItem("/", "Start", needs_login=False), NavItem("/gallery", "Alles")),
        is_secure=is_secure,
        exit_url="https://weather.example",
        form_targets=form_targets,
    )


def build_world(issuer: str, url: str, *, is_secure: bool = False, secret: str = "") -> World:
    """Return a site at an address, not yet served."""
    pages = copy.copy(_compile())
    pages.site = build_info(is_secure=is_secure, form_targets=(issuer,))
    site: Site[str] = Site(pages, Sessions(), Cookies(is_secure), url)
    errors = ErrorPages(site)
    app = build_app(
        ApiInfo(title="site", description="A site of a test."),
        (),
        limits=Limits(max_body_bytes=100_000),
        build_refusal=errors.build_refusal,
    )
    world = World(url, app, site)
    options = ProviderOptions(
        issuer, CLIENT_ID, url + CALLBACK, url + LOGGED_OUT, frozenset({SUBSTANTIAL})
    )
    entrance = Entrance(world.enter, world.leave, "/gallery")
    login = Login(site, Provider(options, secret or None), entrance)
    app.router.routes.extend(
        (
            *login.build_routes(),
            site.get("/gallery", world.show),
            site.post("/gallery", world.send),
            site.get("/bad", world.show_bad, needs_login=False),
            site.get("/fail/{how}", world.fail, needs_login=False),
            *site.pages.assets.build_routes(),
        )
    )
    errors.install(app)
    return world


@cache
def _compile() -> Pages:
    theme = load_theme(None)
    return Pages(build_info(), theme, load_assets(theme), [HERE / "templates"])


def find_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serve(app: Any, port: int) -> Iterator[None]:  # noqa: ANN401 - an ASGI app
    """Serve an app in a thread of this process until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
