"""Strangers who send slowly hold up nobody: over real connections, at a real process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.keyholder.world import World, look_up
from tests.party.covenant import build_member

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("keyholder")]

CALLERS = 300  # more than the 256 requests that a party takes on at once
READ_SECONDS = 3
_HEAD = (
    b"POST /v1/evaluations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n"
)


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, (build_member(1, "inquire"),))
    yield made
    made.close()


class SlowCallers:
    """Unsigned bodies that come a byte at a time, until the party hangs up."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.connections = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            for _ in range(CALLERS)
        ]
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._trickle)
        stack.callback(self._thread.join)
        stack.callback(self._is_done.set)
        for connection in self.connections:
            connection.sendall(_HEAD)
        self._thread.start()

    def _trickle(self) -> None:
        while not self._is_done.wait(0.1):
            for connection in self.connections:
                try:
                    connection.send(b"1")
                except OSError:  # it was hung up on
                    continue


def test_an_honest_partner_is_served_beside_slow_bodies(own_world: World) -> None:
    own_world.start(DATWAT_READ_TIMEOUT_SECONDS=str(READ_SECONDS))
    member = own_world.members[0]
    own_world.enable(member)
    with ExitStack() as stack:
        began = time.monotonic()
        callers = SlowCallers(own_world.url, stack)
        time.sleep(0.3)  # all of them are being waited for
        assert own_world.post(look_up(member)[0]).status_code == 200
        assert time.monotonic() - began < READ_SECONDS, "the slow ones had gone already"
        # However it trickles, each has one deadline from its first byte to its last.
        answers = [connection.recv(100) for connection in callers.connections]
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
    assert time.monotonic() - began < 3 * READ_SECONDS
