"""The generations before this one over real HTTP, byte for byte as they were, on both databases."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, Engine, delete, insert

import broker.problems  # noqa: F401 - gives every error of the broker its place in HTTP
from broker.adapters.past_store import SqlPast
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_COSIGNED, LOG_GENERATIONS, LOG_PAST_ENTRIES
from broker.api.log_routes import PublicLog
from broker.audit.past_log import PastLog, load_generations, parse_origin
from broker.audit.proofs import Proofs
from broker.audit.records import Job, Statement
from broker.audit.tiles import Tiles
from broker.new_generation import Wanted, begin_generation
from datwat.cli import run
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import build_statement_entry, derive_leaf_hash
from datwat.protocol.merkle import derive_root
from datwat.protocol.tiles import TilePath, derive_tiles
from datwat.protocol.tlog_proof import parse_tlog_proof, verify_tlog_proof
from tests.audit.test_generation import NEW, NOW, OLD, REASON, HomeWorld
from tests.party.web import serving

THIRD = "broker.test/log/3"
AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
_ENTRIES = LOG_PAST_ENTRIES.c


@pytest.fixture
def home(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[HomeWorld]:
    made = HomeWorld(engine, tmp_path / "home", database_url)
    made.start()
    yield made
    made.stop()


def grow(home: HomeWorld, count: int) -> None:
    """Append statements, each another document."""

    async def run() -> None:
        documents = [Statement(f"{home.log.size + place}".encode(), AT) for place in range(count)]
        await home.log.append(Job(lambda _: documents))

    asyncio.run(run())


def begin(home: HomeWorld, after: int = 0) -> dict[str, Any]:
    at = NOW + timedelta(seconds=after)
    found = begin_generation(home.settings, Wanted(REASON), at)
    home.start()
    return found


def cosign(home: HomeWorld) -> bytes:
    """Keep what is signed now as what witnesses vouched for."""
    store, note = SqlPublication(home.engine), home.log.checkpoint().encode()
    with store.writing() as connection:
        store.put_cosigned(connection, home.settings.log_origin, home.log.size, note)
    return note


def build_public_app(home: HomeWorld) -> FastAPI:
    tiles = Tiles(home.log, SqlPublication(home.engine))
    generations = load_generations(SqlPast(home.engine), home.settings.log_origin)
    app: FastAPI = build_app(ApiInfo(title="log", description="log"), (), limits=Limits())
    public = PublicLog(tiles, Proofs(home.log).read_head, generations)
    app.router.routes.extend(public.build_routes())
    return app


@contextmanager
def reading(home: HomeWorld) -> Iterator[httpx.Client]:
    """Yield a client whose paths lie below the log's prefix."""
    with (
        serving(build_public_app(home)) as url,
        httpx.Client(base_url=f"{url}/v1/log/", trust_env=False) as made,
    ):
        yield made


def list_paths(size: int) -> list[str]:
    entries = [path.model_copy(update={"level": None}).text for path in _list_lowest(size)]
    return ["checkpoint", *(path.text for path in derive_tiles(size)), *entries]


def _list_lowest(size: int) -> list[TilePath]:
    return [path for path in derive_tiles(size) if path.level == 0]


def fetch(client: httpx.Client, paths: Sequence[str], prefix: str = "") -> dict[str, bytes]:
    found = {}
    for path in paths:
        response = client.get(prefix + path)
        assert response.status_code == 200, (path, response.text)
        found[path] = response.content
    return found


def ask_outside(*words: str) -> tuple[int, dict[str, Any], str]:
    """Run a command as an outsider; return its exit code, what it says, and its error's words."""
    printed, wrong = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(wrong):
        code = run([*words, "--json"])
    if code:
        return code, {}, str(json.loads(wrong.getvalue())["error"]["detail"])
    # The lines before it are those of the server, which runs in this process.
    return code, json.loads(printed.getvalue().splitlines()[-1]), ""


def test_what_witnesses_vouched_for_is_served_as_it_was(home: HomeWorld) -> None:
    grow(home, 600)
    note, size = cosign(home), home.log.size
    paths = [*list_paths(size), "proof/0", "proof/255", f"proof/{size - 1}"]
    with reading(home) as client:
        before = fetch(client, paths)
        assert fetch(client, ["checkpoint"], "1/") == {"checkpoint": note}
    grow(home, 9)
    last = home.log.size
    home.lose(last - 3)
    assert begin(home)["entries_lost"] == 3
    with reading(home) as client:
        assert fetch(client, paths, "1/") == before
        # All that is left can be read, and what is gone is said with its place.
        fetch(
            client, [f"tile/entries/002.p/{last - 3 - 512}", f"tile/0/002.p/{last - 3 - 512}"], "1/"
        )
        for path in (f"tile/entries/002.p/{last - 512}", f"tile/0/002.p/{last - 512}"):
            gone = client.get(f"1/{path}")
            assert (gone.status_code, gone.json()["code"]) == (503, "log_gap")
            assert path in gone.json()["detail"]
        wider = client.get(f"1/tile/entries/002.p/{last - 512 + 1}")
        assert (wider.status_code, wider.json()["code"]) == (404, "tile_outside")
        outside = client.get(f"1/proof/{size}")
        assert (outside.status_code, outside.json()["code"]) == (404, "entry_outside")
        assert fetch(client, ["checkpoint"], "2/") == fetch(client, ["checkpoint"])
        assert client.get("1/tile/0/000").headers["cache-control"].endswith("immutable")
        assert client.head("1/checkpoint").headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["3", "0", "01", "x", "-1", "1.0", "9" * 40, "%31%20"])
def test_no_other_name_is_a_generation(home: HomeWorld, name: str) -> None:
    grow(home, 3)
    home.lose(2)
    begin(home)
    with reading(home) as client:
        for path in ("checkpoint", "tile/0/000.p/1", "proof/0"):
            response = client.get(f"{name}/{path}")
            found = (response.status_code, response.json()["code"])
            assert found == (404, "generation_unknown"), path


def test_without_a_witness_the_last_one_signed_is_shown_and_outsiders_can_verify(
    home: HomeWorld, tmp_path: Path
) -> None:
    asyncio.run(home.live())
    size, key = home.log.size, home.secrets.build_signer(OLD).vkey
    home.stop()
    with home.engine.begin() as conn:  # nothing of the log itself is lost
        conn.exec_driver_sql("DELETE FROM log_tags WHERE idx = 4")
    begin(home)
    keys = ("--key", key, "--origin", OLD)
    with serving(build_public_app(home)) as url:
        prefix, mirror = f"{url}/v1/log/1", str(tmp_path / "mirror")
        code, found, said = ask_outside("log", "verify", prefix, *keys)
        assert (code, found.get("entries")) == (0, size), said
        code, found, said = ask_outside("log", "mirror", prefix, mirror, *keys)
        assert (code, found.get("entries")) == (0, size), said
        assert ask_outside("log", "verify", mirror, *keys)[0] == 0
        # The new one in its own name; neither passes for the other.
        new = ("--key", home.secrets.build_signer(NEW).vkey, "--origin", NEW)
        code, found, said = ask_outside("log", "verify", f"{url}/v1/log", *new)
        assert (code, found.get("entries")) == (0, size), said
        assert ask_outside("log", "verify", prefix, *new)[0] == 1
        assert ask_outside("log", "mirror", f"{url}/v1/log", mirror, *new)[0] == 1
    with reading(home) as client:
        note = fetch(client, ["checkpoint"], "1/")["checkpoint"]
        assert json.loads(home.read_rows()[0].document or b"")["previous"] == note.decode()


def test_an_entry_that_was_changed_does_not_pass_as_the_old_log(home: HomeWorld) -> None:
    grow(home, 20)
    home.stop()
    with home.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE log_entries SET entry = (SELECT entry FROM log_entries WHERE idx = 5)"
            " WHERE idx = 4"
        )
    begin(home)
    keys = ("--key", home.secrets.build_signer(OLD).vkey, "--origin", OLD)
    with serving(build_public_app(home)) as url:
        code, _, said = ask_outside("log", "verify", f"{url}/v1/log/1", *keys)
    assert code == 1
    assert "do not lead to the root that the log signed" in said


def test_each_of_several_generations_has_its_own(home: HomeWorld) -> None:
    notes, sizes = [], []
    for place in range(2):
        grow(home, 5)
        notes.append(cosign(home))
        sizes.append(home.log.size)
        grow(home, 2)
        home.lose(home.log.size - 1)
        begin(home, place)
    grow(home, 1)
    with reading(home) as client:
        for number, origin in enumerate((OLD, NEW)):
            found = fetch(client, list_paths(sizes[number]), f"{number + 1}/")
            assert found["checkpoint"] == notes[number]
            key = home.secrets.build_signer(origin).vkey
            for index in range(sizes[number]):
                proof = parse_tlog_proof(client.get(f"{number + 1}/proof/{index}").content)
                entries = found[f"tile/entries/000.p/{sizes[number]}"]
                entry = entries[index * 68 + 2 : (index + 1) * 68]
                leaf = derive_leaf_hash(entry)
                shown, _ = verify_tlog_proof(proof, leaf, origin=origin, vkeys=[key])
                assert (proof.index, shown.size) == (index, sizes[number])
        assert fetch(client, ["checkpoint"], "3/") == fetch(client, ["checkpoint"])
    assert home.settings.log_origin == THIRD


def test_the_hashes_of_a_large_one_follow_from_its_entries(home: HomeWorld) -> None:
    size = 65_536 + 300
    entries = [build_statement_entry(f"{place}".encode()) for place in range(size)]
    rows = [{"origin": OLD, "idx": place, "entry": each} for place, each in enumerate(entries)]
    leaves = list(map(derive_leaf_hash, entries))
    note = home.secrets.build_signer(OLD).sign(size, derive_root(leaves))
    ended = {"origin": OLD, "note": note.encode(), "size": size, "kept": size}
    with home.engine.begin() as conn:
        conn.execute(insert(LOG_PAST_ENTRIES), rows)
        conn.execute(insert(LOG_GENERATIONS), {**ended, "ended_at": 0, "told": None})
    shown = load_generations(SqlPast(home.engine), NEW).before[1]
    for path in derive_tiles(size):
        hashes = shown.tiles.read(path)
        step = 256 ** (path.level or 0)
        for place in {0, path.width // 2, path.width - 1}:
            start = (path.index * 256 + place) * step
            expected = derive_root(leaves[start : start + step])
            assert hashes[place * 32 : (place + 1) * 32] == expected, path.text
    key = home.secrets.build_signer(OLD).vkey
    for index in (0, 40_000, size - 1):
        proof = parse_tlog_proof(shown.tiles.build_proof(index, shown.head))
        verify_tlog_proof(proof, leaves[index], origin=OLD, vkeys=[key])
    with home.engine.begin() as conn:
        conn.execute(delete(LOG_PAST_ENTRIES).where(_ENTRIES.idx == 300))
    store = _Counting(home.engine)
    log = PastLog(store, _read_one(home))
    with log.reading() as connection:
        assert log.fetch_hashes(connection, 8, 0, 1) == [derive_root(leaves[:256])]
        assert not connection.in_transaction(), "it lasts as long as all that is computed"
        assert log.fetch_hashes(connection, 8, 0, 3) == [derive_root(leaves[:256])]
        # Anybody may ask, and ask again: nothing is read after the first gap, nothing twice.
        assert log.fetch_hashes(connection, 16, 0, 1) == []
        assert store.read == [0, 256, 256]


class _Counting(SqlPast):
    """Remembers where it was read from."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.read: list[int] = []

    def fetch_entries(
        self, connection: Connection, origin: str, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        self.read.append(start)
        return super().fetch_entries(connection, origin, start, end)


def _read_one(home: HomeWorld) -> Any:  # noqa: ANN401 - of the store
    store = SqlPast(home.engine)
    with store.reading() as connection:
        (found,) = store.list_generations(connection)
    return found


def test_what_is_not_a_note_is_not_shown(home: HomeWorld) -> None:
    grow(home, 4)
    cosign(home)
    home.lose(3)
    with home.engine.begin() as conn:
        conn.execute(LOG_COSIGNED.update().values(note=b"not a note"))
    begin(home)
    with reading(home) as client:
        note = fetch(client, ["checkpoint"], "1/")["checkpoint"]
    assert verify_checkpoint(note, OLD, [home.secrets.build_signer(OLD).vkey]).size == 4


def test_the_parts_of_a_name() -> None:
    assert parse_origin("a/log/12") == ("a/log/", 12)
    for wrong in ("a/log", "a/log/0", "a/log/01", "1", "a/log/1/"):
        assert parse_origin(wrong) is None
