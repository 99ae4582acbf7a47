"""What is measured of the log is work that was done: where it was not, there is no figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import appends, sequenced
from bench.appends import measure_appends
from bench.ends import let_end, seed_contents
from bench.figures import Figure
from bench.sequenced import Worker, measure_sequenced
from bench.tags import measure_tags
from bench.verified import measure_verify
from broker.adapters.database import open_engine
from broker.adapters.ends_store import SqlEnds
from broker.audit.log import Log
from broker.audit.records import Appended, Job
from datwat.protocol.errors import DatwatError
from tests.bench.test_seed import make_home
from tests.databases import read_url
from witness.errors import LogTilesError


def read(figures: list[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}


async def test_a_whole_log_is_verified_from_its_mirror(tmp_path: Path) -> None:
    found = read(await measure_verify(tmp_path / "first", tmp_path / "cache", 25_000))
    assert found["entries in it"] == 25_001
    assert found["roots over its tags"] == 3
    assert found["entries"] > 0
    (kept,) = (tmp_path / "cache").iterdir()
    made = (kept / "about.json").stat().st_mtime_ns
    await measure_verify(tmp_path / "second", tmp_path / "cache", 25_000)
    assert (kept / "about.json").stat().st_mtime_ns == made
    bundle = kept / "mirror" / "tile" / "entries" / "005"
    data = bytearray(bundle.read_bytes())
    data[100] ^= 1
    bundle.write_bytes(data)
    with pytest.raises(LogTilesError):
        await measure_verify(tmp_path / "third", tmp_path / "cache", 25_000)


async def test_a_log_that_is_not_whole_gives_no_figure(tmp_path: Path) -> None:
    await measure_verify(tmp_path / "first", tmp_path / "cache", 500)
    (kept,) = (tmp_path / "cache").iterdir()
    about = json.loads((kept / "about.json").read_text())
    (kept / "about.json").write_text(json.dumps({**about, "roots": about["roots"] + 1}))
    with pytest.raises(RuntimeError, match="were verified"):
        await measure_verify(tmp_path / "second", tmp_path / "cache", 500)


def test_proofs_and_roots_of_tags(tmp_path: Path) -> None:
    found = read(measure_tags(tmp_path / "tags", tmp_path / "cache", 2_000))
    assert found["a new root after 10,000 new, CPU"] > 0
    assert found["a proof of absence at 2,000, p99"] > 0


async def test_appends_have_receipts_that_hold(tmp_path: Path) -> None:
    found = read(await measure_appends(tmp_path / "log", 64))
    assert found["entries"] > 0
    assert found["p50"] > 0


async def test_a_receipt_that_does_not_hold_gives_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(Log):
        async def append(self, job: Job) -> Appended:
            appended = await super().append(job)
            entries = tuple(replace(entry, tag=bytes(32)) for entry in appended.entries)
            return replace(appended, entries=entries)

    monkeypatch.setattr(appends, "Log", Forgetful)
    with pytest.raises(DatwatError):
        await measure_appends(tmp_path / "log", 64)


@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_several_processes_append_to_one_log(postgres_url: str, tmp_path: Path) -> None:
    found = read(measure_sequenced(tmp_path / "log", 128, processes=2))
    assert found["entries"] > 0
    assert found["p50"] > 0
    assert found["CPU per entry, all brokers"] > 0
    assert found["CPU per entry, database and ratchet"] > 0


@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_an_entry_that_the_log_lacks_gives_no_figure(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequenced, "SIGNING_KEY", "another.key")
    with pytest.raises(RuntimeError, match="could not open the log"):
        measure_sequenced(tmp_path / "unopened", 64, processes=2)
    monkeypatch.undo()
    real = sequenced.append_at_once

    def lose(workers: Sequence[Worker]) -> list[dict[str, Any]]:
        told = real(workers)
        told[0]["taken"].append(0.001)
        return told

    monkeypatch.setattr(sequenced, "append_at_once", lose)
    with pytest.raises(RuntimeError, match="the log has"):
        measure_sequenced(tmp_path / "lost", 64, processes=2)


@pytest.mark.sqlite_only("the bench measures ends on a file")
def test_contents_are_due_when_they_arelet_end(tmp_path: Path) -> None:
    home = make_home(tmp_path / "broker")
    seed_contents(home, 42)
    engine, now = open_engine(read_url(home)), datetime.now(UTC)
    with engine.connect() as connection:
        assert SqlEnds().count_due(connection, now + timedelta(days=3_650)) == 0
    counts = []
    while let_end(home, 16):  # a part at a time, as housekeeping is measured
        with engine.connect() as connection:
            counts.append(SqlEnds().count_due(connection, now))
    assert counts == [16, 32, 44]  # whole persons, with four each
    engine.dispose()
