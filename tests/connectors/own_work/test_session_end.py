"""A session that ends in the middle of a form: nothing typed is lost, and it counts once.

The pages run here, on a copy of a partner's home, so that their clock can be moved; broker, key
holder and provider are the real ones.
"""

from __future__ import annotations

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from connectors.app import open_party
from connectors.settings import ConnectorSettings
from datwat.party import clock
from datwat.party.settings import load_settings
from datwat.web.sessions import IDLE
from tests.connectors.own_work.staff_world import HIDDEN, WHY, StaffWorld
from tests.connectors.own_work.test_own_work import RECORDED, SPOKEN

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("staff-pages"),
    pytest.mark.timeout(300),
]


class Browser:
    """Somebody at pages that run in this process; the provider is elsewhere."""

    def __init__(self, pages: httpx.AsyncClient, elsewhere: httpx.AsyncClient, url: str) -> None:
        self.pages, self._elsewhere, self._url = pages, elsewhere, url

    async def log_in(self, path: str = "/login") -> str:
        """Log in at the provider; return where it leads."""
        away = await self.pages.get(path)
        chosen = await self._elsewhere.post(away.headers["location"], data={"sub": "noor"})
        back = await self.pages.get(chosen.headers["location"].removeprefix(self._url))
        assert back.status_code == 303, back.text
        return str(back.headers["location"])

    async def read(self, path: str) -> str:
        """Return the text of a page."""
        page = await self.pages.get(path)
        assert page.status_code == 200, page.text
        return page.text

    async def read_form(self, path: str) -> dict[str, str]:
        """Return the hidden fields of a page's own form."""
        page = await self.read(path)
        return dict(HIDDEN.findall(page[page.index("<main") :]))

    async def send(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Send a form as the page does."""
        return await self.pages.post(path, data=fields, headers={"Origin": self._url})


async def test_what_was_typed_waits_and_is_recorded_once(
    staff_world: StaffWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff_world.open("E-1", 16)
    home, url = tmp_path / "home", staff_world.urls["social-team"]
    shutil.copytree(staff_world.covenant.partners["social-team"].home, home)
    async with AsyncExitStack() as stack:
        settings = load_settings(ConnectorSettings, home)
        listeners = await stack.enter_async_context(open_party(settings))
        [app] = [one.app for one in listeners if one.name == "pages"]
        inside = httpx.ASGITransport(app=app)
        cookies = {"datwat-language": "en"}
        pages = httpx.AsyncClient(transport=inside, base_url=url, cookies=cookies)
        elsewhere = httpx.AsyncClient(trust_env=False)
        browser = Browser(
            await stack.enter_async_context(pages), await stack.enter_async_context(elsewhere), url
        )
        await browser.log_in()
        listed = await browser.read("/own")
        path = listed[: listed.index(">E-1<")].rpartition('href="')[2].rstrip('"')
        form = await browser.read_form(f"{path}/conversation")
        before = (await browser.read("/asked?what=all")).count(RECORDED)
        typed = {"person": "0", **SPOKEN, "what": "What was typed stays."}
        later = clock.now() + IDLE
        with monkeypatch.context() as moved:
            moved.setattr(clock, "now", lambda: later)
            ended = await browser.send(f"{path}/conversation", {**form, **typed})
        assert ended.status_code == 401
        assert f"/login?next={path}/conversation" in ended.text
        assert typed["what"] not in ended.text
        leads = await browser.log_in(f"/login?next={path}/conversation")
        assert leads == f"{path}/conversation"
        page = await browser.read(leads)
        assert typed["what"] in page
        assert WHY in page
        fresh = dict(HIDDEN.findall(page[page.index("<main") :]))
        assert fresh["form_id"] != form["form_id"]
        done = await browser.send(leads, {**fresh, **typed})
        assert (done.status_code, done.headers["location"]) == (303, path)
        assert typed["what"] in await browser.read(path)
        assert (await browser.read("/asked?what=all")).count(RECORDED) == before + 1
