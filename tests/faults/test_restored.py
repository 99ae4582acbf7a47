"""The commands on real processes: housekeeping, backup, mirror, restore, and verified anew."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient
from datwat.cli import run as run_datwat
from tests.connectors.client.test_end_to_end import RIGHTS, member, opening
from tests.databases import lose_database, read_url, read_whole
from tests.parties import Covenant, PartnerSpec, run_command

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("restored")]


@pytest.fixture
def covenant(tmp_path: Path) -> Iterator[Covenant]:
    partners = (PartnerSpec("social-team", "care", RIGHTS, number=1),)
    # A root over new tags between mirror and stop would be one entry that no mirror has.
    environment = {"DATWAT_TAG_ROOT_SECONDS": "3600"}
    with Covenant(tmp_path / "covenant", partners, broker_environment=environment) as made:
        yield made


def _open(team: ConnectorClient, occasion: str, *members: rq.Member) -> None:
    opened = team.open_occasion(opening(occasion, *members))
    assert all(result.entry is not None for result in opened.results)


def _refuse(*arguments: str) -> str:
    said = io.StringIO()
    with redirect_stderr(said):
        assert run_datwat([*arguments]) == 1
    assert "Traceback" not in said.getvalue()
    return said.getvalue()


def test_a_broker_is_backed_up_lost_and_restored(covenant: Covenant, tmp_path: Path) -> None:
    home, identity = str(covenant.broker.home), x25519.Identity.generate()
    key, backup, mirror = tmp_path / "backup.key", tmp_path / "broker.age", tmp_path / "mirror"
    key.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    with covenant.connect("social-team") as team:
        _open(team, "A-1", member("S-1", 0), member("S-0", 5))
        _require_quiet(home)
        assert "backup_recipient" in _refuse("backup", "--home", home, str(backup))
        made = run_command("backup", "--home", home, "--to", str(identity.to_public()), str(backup))
        assert made["log_size"] == 4
        assert "exists already" in _refuse(
            "backup", "--home", home, "--to", str(identity.to_public()), str(backup)
        )
        _open(team, "A-2", member("S-2", 1))
    url = f"{covenant.broker.url()}/v1/log"
    pinned = ("--trust-list", str(covenant.list_path), "--pin", _read_pin(covenant))
    run_command("log", "mirror", url, str(mirror), *pinned)
    restoring = ("restore", "--home", home, "--key", str(key), str(backup))
    assert "already running" in _refuse(*restoring)
    covenant.broker.stop()
    with_mirror = (*restoring, "--mirror", str(mirror))
    is_file = read_url(covenant.broker.home).startswith("sqlite")
    there = "There is a database already" if is_file else "The database holds a log already"
    assert there in _refuse(*with_mirror)
    lose_database(read_url(covenant.broker.home))
    assert "--mirror" in _refuse(*restoring)
    assert read_whole(read_url(covenant.broker.home)) == b""
    restored = run_command(*with_mirror)
    assert (restored["log_size"], restored["entries_read_back"]) == (5, 1)
    assert restored["entries_of_unknown"] == 1
    covenant.broker.restart()
    verified = run_command("log", "verify", url, *pinned)
    assert verified["verified"] is True
    # What was mirrored before the loss is the beginning of what is served after it.
    run_command("log", "mirror", url, str(mirror), *pinned)


def _require_quiet(home: str) -> None:
    """Nothing is due in a new log, and a round of housekeeping finds so."""
    due = run_command("housekeep", "--home", home, "--dry-run")
    assert set(due.values()) == {0}, due
    assert {"contents", "pointers", "involvements", "kek_generations_to_destroy"} <= set(due)
    assert run_command("housekeep", "--home", home)["failed"] == []
    status = run_command("broker", "status", "--home", home)
    assert status["housekeeping_failed"] == []
    assert status["housekeeping_at"] is not None
    assert (status["erasure_lag_days"], status["kek_overdue"]) == (30, False)


def _read_pin(covenant: Covenant) -> str:
    shown: dict[str, Any] = run_command("trust", "show", str(covenant.list_path))
    return str(shown["hash"])
