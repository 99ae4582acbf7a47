"""The public log over real HTTP, byte for byte: every tile of a signed size, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select

import broker.problems  # noqa: F401 - gives every error of the broker its place in HTTP
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.publication_store import SqlPublication
from broker.api.log_routes import PublicLog
from broker.audit.proofs import Proofs
from broker.audit.records import Job, Statement
from broker.audit.tiles import Tiles
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.merkle import hash_leaf, hash_node
from datwat.protocol.tiles import derive_tiles
from datwat.protocol.tlog_proof import parse_tlog_proof, verify_tlog_proof
from tests.audit.conftest import ORIGIN, LogWorld
from tests.party.web import serving

_ENTRIES = table_of(LogEntry)
NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)


def grow(world: LogWorld, count: int) -> None:
    """Append statements, each another document."""

    async def run() -> None:
        documents = [Statement(f"{world.log.size + place}".encode(), NOW) for place in range(count)]
        await world.log.append(Job(lambda _: documents))

    asyncio.run(run())


def build_public_app(world: LogWorld) -> FastAPI:
    tiles = Tiles(world.log, SqlPublication(world.engine))
    app: FastAPI = build_app(ApiInfo(title="log", description="log"), (), limits=Limits())
    app.router.routes.extend(PublicLog(tiles, Proofs(world.log).read_head).build_routes())
    return app


@pytest.fixture
def client(world: LogWorld) -> Iterator[httpx.Client]:
    """Return a client whose paths lie below the log's prefix."""
    with (
        serving(build_public_app(world)) as url,
        httpx.Client(base_url=f"{url}/v1/log/", trust_env=False) as made,
    ):
        yield made


def read_leaves(world: LogWorld) -> list[bytes]:
    with world.engine.connect() as connection:
        query = select(_ENTRIES.c.entry).order_by(_ENTRIES.c.idx)
        return [row[0] for row in connection.execute(query)]


def derive_mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1 for a full subtree."""
    if len(leaves) == 1:
        return hash_leaf(leaves[0])
    half = len(leaves) // 2
    return hash_node(derive_mth(leaves[:half]), derive_mth(leaves[half:]))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_every_tile_of_a_signed_size_is_the_hashes_of_its_subtrees(
    world: LogWorld, client: httpx.Client, size: int
) -> None:
    grow(world, size)
    grow(world, 300)  # the log went on: partial tiles of the earlier size are still there
    leaves = read_leaves(world)
    for path in derive_tiles(size):
        assert path.level is not None
        span = 256**path.level
        start = path.index * 256 * span
        wanted = b"".join(
            derive_mth(leaves[start + place * span : start + (place + 1) * span])
            for place in range(path.width)
        )
        response = client.get(path.text)
        assert (response.status_code, response.content) == (200, wanted)
        assert response.headers["content-type"] == "application/octet-stream"
        kept = (
            "public, max-age=31536000, immutable" if path.width == 256 else "public, max-age=86400"
        )
        assert response.headers["cache-control"] == kept
        if path.level == 0:
            entries = client.get(path.text.replace("tile/0/", "tile/entries/")).content
            some = leaves[start : start + path.width]
            assert entries == b"".join(b"\x00\x42" + entry for entry in some)


def test_the_checkpoint_is_text_that_is_not_kept(world: LogWorld, client: httpx.Client) -> None:
    grow(world, 3)
    for accept in ("text/plain", "*/*", "application/octet-stream"):
        response = client.get("checkpoint", headers={"Accept": accept})
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.headers["cache-control"] == "public, max-age=2"
        found = verify_checkpoint(response.content, ORIGIN, [world.checkpoints.vkey])
        assert found.size == 3
    assert client.head("checkpoint").status_code == 200


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_every_entry_has_a_proof_that_stands_alone(
    world: LogWorld, client: httpx.Client, size: int
) -> None:
    grow(world, size)
    for index, entry in list(enumerate(read_leaves(world)))[:: max(1, size // 9)]:
        response = client.get(f"proof/{index}")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        proof = parse_tlog_proof(response.content)
        verify_tlog_proof(proof, hash_leaf(entry), origin=ORIGIN, vkeys=[world.checkpoints.vkey])
        assert response.content.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n".encode())


ABSENT = (
    ("tile/0/001", "tile_outside"),
    ("tile/0/000", "tile_outside"),
    ("tile/0/000.p/6", "tile_outside"),
    ("tile/entries/000.p/6", "tile_outside"),
    ("tile/entries/x999/x999/999", "tile_outside"),
    ("tile/1/000.p/1", "tile_outside"),
    ("tile/9/000.p/1", "tile_outside"),
    ("tile/63/000.p/1", "tile_outside"),
    ("tile/64/000.p/1", "tile_path"),
    ("tile/0/000.p/0", "tile_path"),
    ("tile/0/000.p/256", "tile_path"),
    ("tile/0/000.p/05", "tile_path"),
    ("tile/00/000.p/1", "tile_path"),
    ("tile/0/0", "tile_path"),
    ("tile/0/-01", "tile_path"),
    ("tile/0/x000/000", "tile_path"),
    ("tile/0/000.p/1/", "tile_path"),
    ("tile/entries/\u0660\u0660\u0660", "tile_path"),
    ("proof/5", "entry_outside"),
    ("proof/05", "entry_outside"),
    ("proof/-1", "entry_outside"),
    ("proof/²", "entry_outside"),
    ("proof/9999999999999999999", "entry_outside"),
    ("proof/" + "9" * 5_000, "entry_outside"),
    ("nothing", "not_found"),
)


def test_what_the_log_does_not_have_is_not_found(world: LogWorld, client: httpx.Client) -> None:
    grow(world, 5)
    for path, code in ABSENT:
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (404, code), path
        assert len(response.json()["detail"]) < 100
        assert response.headers["cache-control"] == "no-store"


def test_a_hole_is_said_with_its_place(world: LogWorld, client: httpx.Client) -> None:
    grow(world, 5)
    with world.engine.begin() as connection:
        connection.execute(delete(_ENTRIES).where(_ENTRIES.c.idx == 3))
    assert client.get("tile/entries/000.p/3").status_code == 200
    for path in ("tile/entries/000.p/5", "tile/0/000.p/4"):
        found = client.get(path)
        assert (found.status_code, found.json()["code"]) == (503, "log_gap")
        assert path in found.json()["detail"]
    world.stop()
    world.start()  # nothing is left in memory: the proof of its neighbour needs what is gone
    app = build_public_app(world)
    with serving(app) as url:
        beside = httpx.get(f"{url}/v1/log/proof/2", trust_env=False)
    assert (beside.status_code, beside.json()["code"]) == (503, "log_gap")


def test_many_at_once_are_answered_or_told_to_wait(world: LogWorld, client: httpx.Client) -> None:
    grow(world, 300)

    async def ask_all() -> list[int]:
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=30) as many:
            answers = await asyncio.gather(*(many.get("tile/0/001.p/40") for _ in range(120)))
        return [answer.status_code for answer in answers]

    found = asyncio.run(ask_all())
    assert set(found) <= {200, 503}
    assert found.count(200) >= 60
