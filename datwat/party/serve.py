"""Runs a party: its listeners and a graceful end.

Rules: what fails at the start is one sentence, not a traceback; a child of the demo or of a test
dies with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp

from datwat.party.connections import HttpConnection, allow_connections, drop_untaken
from datwat.party.errors import PartyError
from datwat.party.running import holding_process, write_run_file
from datwat.party.telemetry import get_logger

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 30
_BACKLOG = 512
# New objects until the youngest are looked at (Python: 700), and rounds until older ones are.
_GC_THRESHOLDS = (20_000, 20, 20)
# What each listener is for, for who started the party.
_LISTENERS = {
    "api": "API, for everybody who may reach this party",
    "gateway": "gateway, for the broker",
    "local": "local API, for your own software, with a token",
    "pages": "pages of your own staff, with their login",
    "opa": "policy bundle, for an OPA of your own, with a token",
    "metrics": "figures for Prometheus, with a token",
    "admin": "admin listener, for `datwat` commands on this machine",
}

_log = get_logger("serve")


class PortTakenError(PartyError):
    """The address cannot be listened on."""

    code = "port_taken"
    default_detail = "The host and port cannot be listened on: choose others in settings.toml."


class StartError(PartyError):
    """The server did not start."""

    code = "start_failed"
    default_detail = "The party did not start: see its log."


@dataclass(frozen=True)
class Listener:
    """One address and the app behind it; port 0 takes a free one (see the run file)."""

    name: str
    app: ASGIApp
    host: str
    port: int


OpenParty = Callable[[], AbstractAsyncContextManager[Sequence[Listener]]]


def serve(
    open_party: OpenParty, *, home: Path, with_parent: bool = False, process: int = 1
) -> None:
    """Open the party, serve until SIGTERM or SIGINT, close it; the errors of `open_party` come out.

    `process`: which one of those that serve from this home. Raises AlreadyRunningError,
    PortTakenError, StartError.
    """
    if with_parent:
        die_with_parent()
    allow_connections()
    with (
        holding_process(home, process) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(open_party, folder))


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends (Linux only)."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise StartError("The process cannot be tied to its parent on this system.")
    if os.getppid() != parent:  # it ended before the call
        raise StartError("The parent process has ended.")


class _Server(uvicorn.Server):
    """A server that leaves the signals to `_serve`, which has several of them to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(open_party: OpenParty, folder: Path) -> None:
    async with open_party() as listeners:
        with ExitStack() as stack:
            servers = []
            ports = {}
            for listener in listeners:
                sock = stack.enter_context(_open_socket(listener))
                ports[listener.name] = sock.getsockname()[1]
                servers.append((_Server(_build_config(listener)), sock))
            await _run_servers(servers, folder, listeners, ports)


async def _run_servers(
    servers: Sequence[tuple[_Server, socket.socket]],
    folder: Path,
    listeners: Sequence[Listener],
    ports: dict[str, int],
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [asyncio.ensure_future(server.serve([sock])) for server, sock in servers]
    try:
        while not all(server.started for server, _ in servers):
            if any(task.done() for task in running):
                stop()
                await asyncio.gather(*running)
                raise StartError
            await asyncio.sleep(0.01)
        _spare_collector()
        write_run_file(folder, ports)
        addresses = {one.name: _build_address(one, ports[one.name]) for one in listeners}
        _log.info("serving", **addresses)
        _say_where(addresses)
        await asyncio.gather(*running)
    finally:
        stop()
        (folder / "serve.json").unlink(missing_ok=True)
        _log.info("stopped")


def _build_address(listener: Listener, port: int) -> str:
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    return f"http://{host}:{port}"


def _spare_collector() -> None:
    """Have the garbage collector leave alone what was there before the first request.

    That stays as long as the process; walking it again and again took a tenth of an answer's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _say_where(addresses: Mapping[str, str]) -> None:
    """Tell a person at a terminal where each listener is; elsewhere the log's line does."""
    if not sys.stdout.isatty():
        return
    lines = [f"  {where:28}  {_LISTENERS.get(name, name)}" for name, where in addresses.items()]
    with contextlib.suppress(OSError):  # the terminal is gone
        sys.stdout.write("\n".join(["Serving until Ctrl-C or SIGTERM.", *lines, ""]))
        sys.stdout.flush()


def _build_config(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        http=HttpConnection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _open_socket(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    try:
        sock = socket.create_server((listener.host, listener.port), family=family, backlog=_BACKLOG)
    except OSError:
        raise PortTakenError from None
    drop_untaken(sock)
    return sock
