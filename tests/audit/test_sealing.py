"""Sealed contents: what opens, for whom, and what is gone when its key is gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.adapters.kek_file import FileKek, KekError
from broker.audit.records import Job, LogMissingError, SubjectKeys
from broker.audit.sealing import Sealing
from datwat.protocol.entry import ContentError
from datwat.protocol.sealing import UnsealError
from tests.audit.conftest import AT, LogWorld
from tests.databases import read_whole


async def _written(world: LogWorld) -> SubjectKeys:
    keys = world.sealing.mint_subject(AT)
    entries = [
        world.prepare(keys, "open", payload=b"first", replay_input=b"raw facts"),
        world.prepare(keys, "own", payload=b"second"),
        world.prepare(keys, "delayed", payload=b"third"),
    ]
    await world.log.append(world.job(*entries, keys=(keys,)))
    return keys


async def test_a_reader_gets_the_audiences_asked_for_newest_first(world: LogWorld) -> None:
    keys = await _written(world)
    with world.store.reading() as connection:

        def payloads(*audiences: str, limit: int = 9, before: int | None = None) -> list[bytes]:
            rows = world.store.fetch_entries_of(
                connection, keys.subject_id, audiences, limit=limit, before=before
            )
            contents = world.sealing.open_contents(connection, keys.subject_id, rows)
            return [content.payload for content in contents if content is not None]

        assert payloads("open", "own") == [b"second", b"first"]
        assert payloads("open") == [b"first"]
        assert payloads("delayed") == [b"third"]
        assert payloads("open", "own", "delayed", limit=2) == [b"third", b"second"]
        assert payloads("open", "own", "delayed", before=1) == [b"first"]
        other = world.store.fetch_entries_of(
            connection, bytes(16), ["open", "own", "delayed"], limit=9, before=None
        )
        assert other == []


async def test_the_replay_input_is_apart_and_may_be_absent(world: LogWorld) -> None:
    await _written(world)
    with world.store.reading() as connection:
        rows = [world.store.find_entry(connection, index) for index in range(3)]
        inputs = [world.sealing.open_replay_input(connection, row) for row in rows if row]
        assert world.store.find_entry(connection, 3) is None
    assert inputs == [b"raw facts", None, None]


async def test_without_its_quarters_key_a_content_is_gone(world: LogWorld) -> None:
    keys = await _written(world)
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM log_quarter_keys"))
        rows = world.store.fetch_entries_of(
            connection, keys.subject_id, ["open"], limit=9, before=None
        )
        assert world.sealing.open_contents(connection, keys.subject_id, rows) == [None]
        assert world.sealing.open_replay_input(connection, rows[0]) is None


async def test_a_row_moved_to_another_entry_does_not_open(world: LogWorld) -> None:
    keys = await _written(world)
    with world.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE log_entries SET sealed ="
                " (SELECT sealed FROM log_entries WHERE idx = 1) WHERE idx = 0"
            )
        )
        rows = world.store.fetch_entries_of(
            connection, keys.subject_id, ["open"], limit=9, before=None
        )
        with pytest.raises(ContentError):
            world.sealing.open_contents(connection, keys.subject_id, rows)


async def test_keys_moved_to_another_subject_do_not_open(world: LogWorld) -> None:
    keys = await _written(world)
    await _written(world)
    with world.engine.begin() as connection:
        for table, column in (("subjects", "chain_key_sealed"),):
            connection.execute(
                text(
                    f"UPDATE {table} SET {column} ="
                    f" (SELECT {column} FROM {table} WHERE subject_id <> :mine)"
                    " WHERE subject_id = :mine"
                ).bindparams(mine=keys.subject_id)
            )
        with pytest.raises(UnsealError):
            world.sealing.fetch_keys(connection, [keys.subject_id], AT)


async def test_a_subject_that_was_never_written_has_no_keys(world: LogWorld) -> None:
    keys = world.sealing.mint_subject(AT)
    with world.store.reading() as connection:
        assert world.sealing.fetch_keys(connection, [keys.subject_id], AT) == {}


async def test_keys_of_another_quarter_or_subject_are_refused(world: LogWorld) -> None:
    other = world.sealing.mint_subject(AT + timedelta(days=90))
    with pytest.raises(ValueError, match="do not belong"):
        world.prepare(other)


async def test_nothing_readable_lies_in_the_database(world: LogWorld, database_url: str) -> None:
    keys = world.sealing.mint_subject(AT)
    entry = world.prepare(keys, core=b"marked core", payload=b"marked payload")
    await world.log.append(Job(lambda _: [entry], keys=(keys,)))
    content = read_whole(database_url)
    assert entry.commit in content, "the control: what is public is found"
    for secret in (b"marked", keys.chain_key, keys.content_key):
        assert secret not in content


def test_secrets_are_not_printed(world: LogWorld) -> None:
    keys = world.sealing.mint_subject(AT)
    shown = repr(keys) + repr(world.prepare(keys)) + repr(world.kek)
    for secret in (keys.chain_key, keys.content_key, keys.subject_id):
        assert repr(secret) not in shown
    assert "key=" not in repr(world.kek)


def test_a_database_without_a_log_has_no_auditors_key(world: LogWorld) -> None:
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM log_head"))
    with pytest.raises(LogMissingError):
        Sealing(world.kek, world.store).open_delayed_chain_key()


def test_a_kek_file_opens_what_it_sealed_and_no_other_does(tmp_path: Path) -> None:
    kek = FileKek.create(tmp_path / "kek")
    sealed = kek.seal(b"secret", b"context")
    assert FileKek.open(tmp_path / "kek").unseal(sealed, b"context") == b"secret"
    other = FileKek.create(tmp_path / "other")
    for opener, data, aad in (
        (other, sealed, b"context"),
        (kek, sealed, b"other"),
        (kek, b"\x00\x02" + sealed[2:], b"context"),
        (kek, sealed[:-1], b"context"),
        (kek, b"", b"context"),
    ):
        with pytest.raises(UnsealError):
            opener.unseal(data, aad)


@pytest.mark.parametrize("damage", ["open to all", "not one", "missing", "there already"])
def test_a_kek_file_that_does_not_fit_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "kek"
    if damage != "missing":
        FileKek.create(path)
    if damage == "open to all":
        path.chmod(0o644)
    if damage == "not one":
        path.write_text('{"v": 1, "generations": []}')
    with pytest.raises(KekError):
        FileKek.create(path) if damage == "there already" else FileKek.open(path)
