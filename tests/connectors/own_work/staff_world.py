"""Three partners whose staff have pages, as real processes, with the staff's own provider."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient
from datwat.party.settings import change_settings, write_secret
from datwat.protocol.acts import Conversation, Handler, OccasionStatement, Professional
from datwat.web.staff import STAFF_SECRET_NAME
from demo.covenant import find_ports
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.parties import Covenant, PartnerSpec
from tests.party.covenant import now

LEVEL = "http://eidas.europa.eu/LoA/substantial"
WITH_PAGES = ("social-team", "youth-help", "school")
NOOR = Professional(id="noor", role="regisseur")
PURPOSE = "coordinate_family_help"
BORN = date(2012, 5, 4)
HOSTILE = "\"><script>alert('x')</script>{{7*7}} O’Brien-van der Ĳssel"
WITH_HOSTILE_NAME = 12
LONG = "Verantwoordelijkheidsverdelingsafspraken-van-Bernardus-Hieronymusdochter-" + "x" * 60
WHY = "Because the plan of the family depends on knowing this now."
RIGHTS = ("Jeugdwet 7.2.1;youth;register,inquire", "Wmo 2015 5.2.9;resident;register,inquire")
STAFF: dict[str, dict[str, Any]] = {
    "noor": {"acr": LEVEL, "role": "regisseur"},
    "kim": {"acr": LEVEL, "role": "jeugdwerker"},
    "ann": {"acr": LEVEL, "role": "teamleider"},
    "meester": {"acr": LEVEL, "role": "leerkracht"},
}


@dataclass
class StaffWorld:
    """Running partners; `issuer` is where their staff log in."""

    covenant: Covenant
    system: OwnSystem
    issuer: str
    urls: dict[str, str]

    def connect(self, function: str) -> ConnectorClient:
        """Return the local API of a partner, as its own software has it."""
        return self.covenant.connect(function)

    def open(self, occasion: str, *places: int, **opens: Any) -> None:  # noqa: ANN401 - of a model
        """Open an occasion of the social team about persons by their place in `BSNS`."""
        handler = Handler(professional="noor", role="coordinator", from_at=now())
        stated = {"kind": "help_request", "team": "Team Noord", "handlers": (handler,), **opens}
        is_told = stated.pop("told", True)
        members = tuple(build_member(f"{occasion}-{n}", n, told=is_told) for n in places)
        request = rq.OpenOccasion(
            professional=NOOR,
            occasion=occasion,
            opens=OccasionStatement.model_validate(stated),
            members=members,
        )
        with self.connect("social-team") as team:
            results = team.open_occasion(request).results
        assert all(one.weighing.permitted for one in results), results


def build_member(client: str, place: int, *, told: bool) -> rq.Member:
    """Return a member of a household; one who was not told has no conversation."""
    spoken = Conversation(at=now(), told=WHY, reaction="agrees", alternatives=WHY)
    return rq.Member.model_validate(
        {
            "client": client,
            "family_name": f"Jansen{place}",
            "birth_date": BORN,
            "record": rq.BsnRecord(bsn=BSNS[place], family_name=f"Jansen{place}", birth_date=BORN),
            "identity": "document",
            "role": "son",
            "source": "told",
            "age_band": "12-15",
            "told_at": now() if told else None,
            "conversation": spoken if told else None,
        }
    )


@contextmanager
def open_staff_world(folder: Path) -> Iterator[StaffWorld]:
    """Make and start it all; everything ends with the block."""
    system = OwnSystem(folder)
    for place in range(20):
        name = HOSTILE if place == WITH_HOSTILE_NAME else f"Jansen{place}"
        system.add(f"K-{place}", BSNS[place], name, "04-05-2012")
    provider_port, *ports = find_ports(1 + len(WITH_PAGES))
    issuer = f"http://127.0.0.1:{provider_port}"
    urls = {name: f"http://127.0.0.1:{port}" for name, port in zip(WITH_PAGES, ports, strict=True)}
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
        PartnerSpec("school", "education", number=3),
    )
    covenant = Covenant(folder / "covenant", partners)
    for name, port in zip(WITH_PAGES, ports, strict=True):
        write_secret(covenant.partners[name].home, STAFF_SECRET_NAME, b"a secret of a test")
        settings: dict[str, str | int] = {
            "pages_url": urls[name],
            "pages_port": port,
            "staff_issuer": issuer,
        }
        change_settings(
            covenant.partners[name].home, {**settings, "staff_client_id": f"staff-{name}"}
        )
    with _serve_provider(folder, provider_port), covenant:
        with covenant.connect("youth-help") as source:
            state = source.sync(rq.Sync(professional=NOOR))
            assert state.state == "finished", state
        yield StaffWorld(covenant, system, issuer, urls)


@contextmanager
def _serve_provider(folder: Path, port: int) -> Iterator[None]:
    users = folder / "staff.json"
    users.write_text(json.dumps(STAFF), "utf-8")
    command = [sys.executable, "-m", "demo.identity", str(port), str(users)]
    with (folder / "provider.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str) -> None:
    transport = httpx.HTTPTransport(retries=60)
    with httpx.Client(transport=transport, trust_env=False) as client:
        assert client.get(url, timeout=20).status_code == 200


async def log_in(page: Page, who: str, path: str = "/login") -> None:
    """Log in as one of the staff, at their provider."""
    await page.goto(path)
    await page.fill("input[name=sub]", who)
    await page.locator("button[type=submit]").first.click()
    await page.wait_for_url("**/")


HIDDEN = re.compile(r'<input type="hidden" name="(csrf|form_id)" value="([^"]*)">')
_OWN = re.compile(r'href="(/own/[0-9a-f]{16})">([^<]*)<')


@dataclass
class Worker:
    """One of the staff, without a browser: what they open and fill in."""

    client: httpx.Client
    url: str

    def log_in(self, who: str) -> None:
        """Log in at the staff's provider."""
        away = self.client.get("/login")
        chosen = self.client.post(away.headers["location"], data={"sub": who})
        back = self.client.get(chosen.headers["location"])
        assert back.status_code == 303, back.text

    def read(self, path: str, status: int = 200) -> str:
        """Return the page of an address."""
        page = self.client.get(path)
        assert page.status_code == status, page.text
        return page.text

    def read_form(self, path: str) -> dict[str, str]:
        """Return the hidden fields of the page's own form."""
        page = self.read(path)
        return dict(HIDDEN.findall(page[page.index("<main") :]))

    def send(
        self, path: str, form: dict[str, str] | None = None, /, **fields: str
    ) -> httpx.Response:
        """Fill in the form of a page and send it as the page does."""
        hidden = form or self.read_form(path)
        named = {name.replace("role_", "role-"): value for name, value in fields.items()}
        headers = {"Origin": self.url}
        return self.client.post(path, data={**hidden, **named}, headers=headers)

    def do(self, path: str, **fields: str) -> str:
        """Send a form that is taken, and return the page that follows."""
        sent = self.send(path, **fields)
        assert sent.status_code == 303, sent.text
        return self.read(sent.headers["location"])

    def find(self, number: str) -> str:
        """Return the address of an own occasion."""
        found: dict[str, str] = {name: at for at, name in _OWN.findall(self.read("/own"))}
        return found[number]


@contextmanager
def as_staff(world: StaffWorld, function: str, who: str) -> Iterator[Worker]:
    """Log somebody in at the pages of a partner."""
    url = world.urls[function]
    cookies = {"datwat-language": "en"}
    with httpx.Client(base_url=url, trust_env=False, timeout=30, cookies=cookies) as client:
        worker = Worker(client, url)
        worker.log_in(who)
        yield worker


def soon(days: int) -> Any:  # noqa: ANN401 - a Moment
    """Return a moment some days from now."""
    return now() + timedelta(days=days)
