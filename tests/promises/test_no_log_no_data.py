"""Promise 3: a source refuses an order whose proof does not fit, be it by one byte.

The orders are real: they go from the broker to youth help's gateway through a door that changes
one byte on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from connectors.client import requests
from connectors.client.results import ReleaseResult
from datwat.protocol.acts import Motivation, Professional
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.demo.recorder import Recorder
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
WHY = "Wij stemmen de hulp op elkaar af."


@pytest.fixture
def door(world: World) -> Iterator[Recorder]:
    found = world.recorders["youth-help"]
    yield found
    found.change = None


def ask(world: World) -> ReleaseResult:
    """Ask for Sem's status once more: case 5 opened the occasion and showed the pointer."""
    world.play(world.cases[5])
    team = world.covenant.connect("social-team")
    noor = Professional(id="noor", role="regisseur")
    ref = requests.ClientRef(client="N-501")
    shown = team.ask_who_is_involved(
        requests.Ask(professional=noor, clients=(ref,), occasion="sem", purpose="youth_help_access")
    )
    (pointer,) = shown.results[0].pointers
    return team.ask_what_is_known(
        requests.AskKnown(
            professional=noor,
            client=ref,
            occasion="sem",
            purpose="youth_help_access",
            pointer=pointer.pointer,
            product="jeugdhulp",
            fields=("status",),
            motivation=Motivation(
                **dict.fromkeys(
                    (
                        "purpose",
                        "subsidiarity",
                        "proportionality",
                        "efficiency",
                        "transparency",
                    ),
                    WHY,
                )
            ),
        )
    )


def flip(text: str, place: int = 0) -> str:
    """Return base64url text with one bit of one byte changed."""
    raw = bytearray(decode_bytes(text))
    raw[place] ^= 1
    return encode_bytes(bytes(raw))


def change_path(order: dict[str, Any]) -> None:
    order["receipt"]["path"][0] = flip(order["receipt"]["path"][0])


def change_last_of_path(order: dict[str, Any]) -> None:
    order["receipt"]["path"][-1] = flip(order["receipt"]["path"][-1], -1)


def change_index(order: dict[str, Any]) -> None:
    order["receipt"]["index"] ^= 1


def change_checkpoint(order: dict[str, Any]) -> None:
    origin, size, root, *rest = order["checkpoint"].split("\n")
    letter = "A" if root[0] != "A" else "B"
    order["checkpoint"] = "\n".join([origin, size, letter + root[1:], *rest])


def change_core(order: dict[str, Any]) -> None:
    message = json.loads(decode_bytes(order["message"]))
    signed = json.loads(decode_bytes(message["object"]))
    signed["core"] = flip(signed["core"], 20)
    message["object"] = encode_bytes(
        json.dumps(signed, separators=(",", ":"), sort_keys=True).encode()
    )
    order["message"] = encode_bytes(json.dumps(message).encode())


@pytest.mark.parametrize(
    "change",
    [change_path, change_last_of_path, change_index, change_checkpoint, change_core],
    ids=lambda change: str(change.__name__),
)
def test_an_order_with_one_byte_changed_gives_nothing(
    world: World, door: Recorder, change: Callable[[dict[str, Any]], None]
) -> None:
    assert ask(world).values == {"status": "loopt"}

    def on_the_way(path: str, body: bytes) -> bytes:
        if path != "/v1/orders":
            return body
        order = json.loads(body)
        change(order)
        return json.dumps(order).encode()

    door.change = on_the_way
    refused = ask(world)
    assert refused.weighing.permitted
    assert refused.values is None
    assert refused.failure is not None
    answered = door.find("/v1/orders")[-1]
    assert 400 <= answered.status < 500
    assert b"envelope" not in answered.answer
    door.change = None
    assert ask(world).values == {"status": "loopt"}


def test_the_log_says_that_the_order_was_refused(world: World, door: Recorder) -> None:
    def on_the_way(path: str, body: bytes) -> bytes:
        if path != "/v1/orders":
            return body
        order = json.loads(body)
        change_path(order)
        return json.dumps(order).encode()

    door.change = on_the_way
    refused = ask(world)
    assert refused.failure == "source_refused_order"
    assert refused.entry is not None
    assert refused.fields == ()


def test_the_same_order_twice_is_the_same_envelope(world: World, door: Recorder) -> None:
    ask(world)
    first = door.find("/v1/orders")[-1]
    again = post_again(door, first.request)
    assert again == (first.status, first.answer)


def post_again(door: Recorder, body: bytes) -> tuple[int, bytes]:
    answer = httpx.post(
        f"http://127.0.0.1:{door.target}/v1/orders",
        content=body,
        headers={"Content-Type": "application/json"},
        trust_env=False,
    )
    return answer.status_code, answer.content
