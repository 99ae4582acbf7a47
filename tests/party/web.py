"""A real server in a thread, for tests of what is around a party's routes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from datwat.party.http_out import HttpOut


class OutOfAnyLoop(HttpOut):
    """The real client for what is built outside a loop: one for each file, in the loop at hand."""

    def __init__(self) -> None:
        """Open nothing yet."""

    async def fetch_file(self, url: str, *, seconds: float, max_bytes: int) -> bytes:
        async with HttpOut() as http:
            return await http.fetch_file(url, seconds=seconds, max_bytes=max_bytes)


@contextmanager
def serving(app: ASGIApp, http: type[asyncio.Protocol] | Literal["auto"] = "auto") -> Iterator[str]:
    """Yield the address at which `app` answers, over connections of kind `http`."""
    config = uvicorn.Config(
        app,
        http=http,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
