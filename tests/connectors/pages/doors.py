"""The doors in front of the demo's parties: answers that are lost, requests that do not arrive."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from tests.connectors.pages.staffer import TEAM
from tests.databases import read_rows
from tests.demo.world import World


@contextmanager
def losing_answers(world: World, path: str) -> Iterator[None]:
    """Let requests reach the broker, and lose every answer on the way back."""
    door = world.recorders["broker"]

    def lose(found: str, body: bytes) -> bytes:
        if found == path:
            passed = http.client.HTTPConnection("127.0.0.1", door.target, timeout=30)
            passed.request("POST", found, body, {"Content-Type": "application/json"})
            passed.getresponse().read()
            passed.close()
            lost.append(body)
            raise ConnectionError
        return body

    lost: list[bytes] = []
    door.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    door.change = lose
    try:
        yield
    finally:
        door.change = None
    assert lost
    assert len(set(lost)) == 1, "what is sent again is the same bytes"


@contextmanager
def away(world: World, party: str, path: str) -> Iterator[None]:
    """Let no request to this path of a party come through."""
    door = world.recorders[party]

    def refuse(found: str, body: bytes) -> bytes:
        if found == path:
            raise ConnectionError
        return body

    door.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    door.change = refuse
    try:
        yield
    finally:
        door.change = None


def count_sent(world: World, act: str) -> int:
    """Return how many messages of an act the team signed, sent or not."""
    query = "SELECT count(*) FROM evidence WHERE act = :act"
    ((count,),) = read_rows(world.covenant.home(TEAM), query, act=act)
    return int(count)
