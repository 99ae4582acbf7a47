"""A real browser for tests: Debian's Chromium without a window, driven over its own protocol.

Only what a test of a page needs: open a file or address, choose files, press a button, read what is
shown, take a picture. Source: Chrome DevTools Protocol 1.3.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 30.0


class BrowserError(Exception):
    """The browser did not do what a test asked."""


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def skip_without(what: str, *, is_there: bool) -> pytest.MarkDecorator:
    """Return a mark that skips where programs are missing; in CI the test runs, and fails."""
    is_skipped = not is_there and os.environ.get("CI") != "true"
    return pytest.mark.skipif(is_skipped, reason=f"no {what} on this machine")


class Tab:
    """One tab; `errors` are exceptions of its scripts, and what its policy (CSP) blocked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._loaded = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def start(self) -> None:
        """Make the tab and listen to it."""
        made = await self.call("Target.createTarget", url="about:blank")
        target = {"targetId": made["targetId"], "flatten": True}
        self._session = (await self.call("Target.attachToTarget", **target))["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Send a command of the protocol and return its result; raise BrowserError."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(message)
        answer = await asyncio.wait_for(self._waiting[number], _SECONDS)
        if "error" in answer:
            raise BrowserError(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._loaded.clear()
        self.requests.clear()
        await self.call("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), _SECONDS)

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value of an expression in the page, promises awaited."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise BrowserError(found["exceptionDetails"])
        return found["result"].get("value")

    async def wait_for(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value of an expression as soon as it is true."""
        async with asyncio.timeout(_SECONDS):
            while not (value := await self.evaluate(expression)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        return value

    async def choose(self, selector: str, *paths: Path) -> None:
        """Put files into an input as a person would; without any, take them out."""
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        node = await self.call("DOM.querySelector", nodeId=root, selector=selector)
        files = [str(path) for path in paths]
        await self.call("DOM.setFileInputFiles", files=files, nodeId=node["nodeId"])

    async def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        made = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(made["data"]))  # noqa: ASYNC240 - a small local file

    async def _read(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            waiting = self._waiting.pop(event.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
            self._note(event.get("method", ""), event.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])


@asynccontextmanager
async def open_tab() -> AsyncIterator[Tab]:
    """Start a browser with a profile of its own and yield one tab; all of it ends with the test."""
    program = find_browser()
    if program is None:
        raise BrowserError("no Chromium on this machine: `make test` installs it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Chromium's own sandbox refuses to run as root, as in a container; the page is our own.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            *sandbox,
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port, path = await _find_port(Path(profile) / "DevToolsActivePort")
            url = f"ws://127.0.0.1:{port}{path}"
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(url, max_msg_size=0) as socket,
            ):
                tab = Tab(socket)
                await tab.start()
                yield tab
        finally:
            process.terminate()
            await process.wait()


async def _find_port(file: Path) -> tuple[str, str]:
    async with asyncio.timeout(_SECONDS):
        while len(words := _read_words(file)) != 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return words[0], words[1]


def _read_words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []
