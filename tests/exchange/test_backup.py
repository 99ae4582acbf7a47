"""A backup made while the broker runs: one moment of it, and no secret."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from typing import Any

import pytest

from broker.adapters.backup_file import (
    FileKey,
    open_file,
    read_lines,
)
from broker.audit.records import Job, Statement
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_root
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.exchange.restoring import Copies, opened
from tests.exchange.world import (
    ON_EACH_DATABASE,
    act_part,
    bsns,
    by_bsn,
    now,
    register,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


async def test_a_backup_holds_no_secret_and_no_session(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        session = act_part(
            await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
        )
        assert session.handle is not None
        await register(running, "debt-counselling", bsn, "debt_counselling")
        backup, secrets = copies.back_up(running), running.broker.secrets
        key = FileKey.unseal(
            open_file(backup, copies.identity, copies.folder)[0].kek_sealed, secrets.kek
        )
    lines: list[Any] = []
    read_lines(copies.folder / "backup.rows", key, lines.append)
    said = repr(lines)
    assert "'session'" not in said
    assert "'handle'" in said
    tables = {line["table"] for line in lines if isinstance(line, dict) and "table" in line}
    assert {"log_entries", "involvements"} <= tables
    assert not tables & {"spent", "alembic_version"}
    content = copies.world.home / "secrets"
    raw = backup.read_bytes()
    for file in content.iterdir():
        secret = file.read_bytes()
        assert secret not in raw
        assert secret.hex() not in said
        assert encode_bytes(secret) not in said
    for leftover in copies.folder.glob("*.part"):
        pytest.fail(str(leftover))


async def test_a_backup_is_one_moment_while_others_write(copies: Copies) -> None:
    async with opened(copies) as running:
        key, done = running.broker.secrets.kek, asyncio.Event()

        async def write() -> None:
            while not done.is_set():
                job = Job(lambda _: [Statement(b"document", now())])
                await asyncio.gather(*(running.broker.log.append(job) for _ in range(20)))

        writing = asyncio.ensure_future(write())
        for number in range(3):
            backup = await asyncio.to_thread(copies.back_up, running, f"{number}.age")
            header, inner = open_file(backup, copies.identity, copies.folder)
            lines: list[Any] = []
            read_lines(inner, FileKey.unseal(header.kek_sealed, key), lines.append)
            inner.unlink()
            start = next(i for i, line in enumerate(lines) if begins(line, "log_entries"))
            entries = takewhile(lambda line: isinstance(line, list), lines[start + 1 :])
            leaves = [derive_leaf_hash(decode_bytes(entry[1])) for entry in entries]
            assert (len(leaves), derive_root(leaves)) == (header.size, header.root)
            assert running.broker.log.size >= header.size
        done.set()
        await writing


def begins(line: Any, table: str) -> bool:  # noqa: ANN401 - a line of a backup
    return isinstance(line, dict) and line.get("table") == table
