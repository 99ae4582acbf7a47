"""The doors in front of the demo's parties: answers that are lost, requests that do not arrive."""

from __future__ import annotations

import http.client
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.connectors.pages.staffer import TEAM
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


def find_database(home: Path) -> Path:
    """Return a partner's database file."""
    return next(path for path in home.rglob("*.sqlite") if path.is_file())


def count_sent(world: World, act: str) -> int:
    """Return how many messages of an act the team signed, sent or not."""
    database = find_database(world.covenant.home(TEAM))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT count(*) FROM evidence WHERE act = ?", (act,))
        return int(found.fetchone()[0])
