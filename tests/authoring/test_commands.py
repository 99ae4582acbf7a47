"""A purpose from a file to in force by commands alone, against a real broker in its own process."""

from __future__ import annotations

import io
import json
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.policy.publication import read_policy_keys
from datwat.cli import run as run_datwat
from datwat.party.admin import TOKEN_VARIABLE
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import encode_moment
from tests.authoring.world import NAMES, number
from tests.databases import read_url, read_whole
from tests.parties import Covenant, run_command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

PURPOSE = "debt_counselling"
ORGANISATION = ["--organisation", "rijnstad"]
PASSPHRASE = "vijf woorden die niets betekenen"


class Desk:
    """Officers at their terminals: who types is the token in the environment."""

    def __init__(self, covenant: Covenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.covenant = covenant
        self.folder = folder
        self.patch = monkeypatch
        self.home = ["--home", str(covenant.broker.home)]

    def give(self, staff: str, role: str, *more: str) -> None:
        who = [*ORGANISATION, "--role", role, "--staff", staff]
        run_command("broker", "roles", "give", *self.home, *who, *more)
        name = f"{role}_{staff.replace('.', '_')}"
        made = run_command("broker", "tokens", "create", name, *self.home, *who)
        path = self.folder / f"{staff}-{role}.token"
        path.write_text(made["token"], encoding="ascii")

    @contextmanager
    def acting(self, staff: str, role: str) -> Iterator[None]:
        with self.patch.context() as patch:
            patch.setenv(TOKEN_VARIABLE, str(self.folder / f"{staff}-{role}.token"))
            yield

    def run(self, *arguments: str) -> dict[str, Any]:
        return run_command("purpose", *arguments, *self.home)

    def refuse(self, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
        capsys.readouterr()
        assert run_datwat([*arguments, *self.home]) == 1
        return capsys.readouterr().err


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covenant]:
    with Covenant(tmp_path_factory.mktemp("officers") / "covenant", ()) as made:
        yield made


@pytest.fixture
def desk(
    covenant: Covenant, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    return Desk(covenant, covenant.folder, monkeypatch)


def test_roles_and_tokens_are_given(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.give("a.auteur", "author")
    desk.give("b.bakker", "approver", "--key", str(desk.covenant.policy / "policy-1.key"))
    desk.give("d.toezicht", "data_protection_officer")
    listed = run_command("broker", "roles", "list", *desk.home)["roles"]
    kid = read_policy_keys([desk.covenant.policy / "policy-1.key"])[0].kid
    assert {(one["staff"], one["role"], one["key"]) for one in listed} == {
        ("a.auteur", "author", None),
        ("b.bakker", "approver", kid),
        ("d.toezicht", "data_protection_officer", None),
    }
    # A named token runs what is made for roles, and nothing of the operator's or administrator's.
    with desk.acting("a.auteur", "author"):
        assert run_command("purpose", "proposals", *desk.home) == {"proposals": []}
        said = desk.refuse("broker", "status", capsys=capsys)
        assert "token of this party's home folder" in said
        role = [*ORGANISATION, "--role", "author", "--staff", "b.bakker"]
        said = desk.refuse("broker", "roles", "give", *role, capsys=capsys)
        assert "token of this party's home folder" in said
    said = desk.refuse(
        *("broker", "roles", "end", *ORGANISATION, "--role", "approver", "--staff", "b.bakker"),
        capsys=capsys,
    )
    assert "last approver" in said


def test_from_a_file_to_in_force_with_nobody_there(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = desk.run("draft", "begin", PURPOSE, "--folder", str(desk.folder))
    text, cases = Path(begun["text"]), Path(begun["cases"])
    members = read_yaml_text(text.read_text(encoding="utf-8"), "draft", DatwatError)
    when = datetime.now(UTC) + timedelta(seconds=45)
    changed = {**members, "valid_from": encode_moment(when), "sentence": number(500)}
    text.write_text(write_yaml(changed), encoding="utf-8")
    files = [str(text), "--cases", str(cases)]
    with desk.acting("a.auteur", "author"):
        checked = desk.run("draft", "check", *files)
        assert checked["faults"] == []
        assert any("500" in one for one in checked["changes"])
        saved = desk.run("draft", "save", *files)
        assert saved["is_mine"]
        proposed = desk.run("propose", saved["id"])["line"]
        said = desk.refuse(
            *("purpose", "approve", proposed["id"], "--yes", "--key"),
            str(desk.covenant.policy / "policy-1.key"),
            capsys=capsys,
        )
        assert "role" in said
    seq = run_command("broker", "status", *desk.home)["policy_seq"]
    with desk.acting("b.bakker", "approver"):
        key = str(desk.covenant.policy / "policy-1.key")
        done = desk.run("approve", proposed["id"], "--yes", "--key", key)
        assert (done["published"], done["seq"]) == (True, seq + 1)
        assert desk.run("calendar")["calendar"][0]["purpose"] == PURPOSE
        assert desk.run("history")["publications"][0]["state"] == "approved"
    assert run_command("broker", "status", *desk.home)["policy_seq"] == seq + 1
    # The day comes while nothing runs.
    desk.covenant.broker.stop()
    time.sleep(max(0.0, (when - datetime.now(UTC)).total_seconds()) + 1)
    desk.covenant.broker.restart()
    newest = desk.run("history", PURPOSE)["publications"][0]
    assert (newest["state"], newest["is_in_force"]) == ("in_force", True)
    assert desk.run("calendar")["calendar"] == []


def test_back_in_one_step_with_a_key_that_is_sealed_at_the_broker(desk: Desk) -> None:
    key = str(desk.covenant.policy / "policy-1.key")
    desk.patch.setattr("sys.stdin", io.StringIO(f"{PASSPHRASE}\n"))
    sealed = desk.run("seal-key", key)
    path = Path(sealed["sealed"])
    assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IRWXU
    assert json.loads(Path(key).read_text(encoding="ascii"))["d"] not in path.read_text("ascii")
    seq = run_command("broker", "status", *desk.home)["policy_seq"]
    with desk.acting("a.auteur", "author"):
        back = desk.run("roll-back", str(seq - 1), "--reason", "It was too long.")["line"]
    with desk.acting("b.bakker", "approver"):
        desk.patch.setattr("sys.stdin", io.StringIO("not this one at all\n"))
        with pytest.raises(AssertionError, match="passphrase"):
            desk.run("approve", back["id"], "--yes")
        desk.patch.setattr("sys.stdin", io.StringIO(f"{PASSPHRASE}\n"))
        assert desk.run("approve", back["id"], "--yes")["published"]
    assert run_command("broker", "status", *desk.home)["policy_seq"] == seq + 1
    found = desk.run("history")["publications"]
    assert (found[0]["effect"], found[0]["bundle_digest"]) == (
        "roll_back",
        found[2]["bundle_digest"],
    )


def test_a_broken_file_is_told_with_its_place(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("id: x\ntitle: {nl: [}\n", encoding="utf-8")
    capsys.readouterr()
    assert run_datwat(["purpose", "draft", "check", str(path), *desk.home]) == 1
    assert "line 2, column 14" in capsys.readouterr().out
    said = desk.refuse("purpose", "draft", "check", str(tmp_path / "none.yaml"), capsys=capsys)
    assert "is not there" in said


def test_a_draft_that_breaks_a_guard_rail_is_told_which_and_by_which_law(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "open.yaml"
    path.write_text("id: x\ndefault: allow\n", encoding="utf-8")
    capsys.readouterr()
    assert run_datwat(["purpose", "draft", "check", str(path), *desk.home]) == 1
    said = capsys.readouterr().out
    assert "line 2, column 1 (default): " in said
    assert "Guard rail: What a purpose does not name is refused (AVG 5(1)(b)-(c)).\n" in said


def test_nobodys_name_and_no_passphrase_is_in_any_log_or_database(desk: Desk) -> None:
    home = desk.covenant.broker.home
    files = [desk.covenant.broker.log, *(path for path in home.rglob("*") if path.is_file())]
    held = {str(path): path.read_bytes() for path in files}
    held["database"] = read_whole(read_url(home))
    assert desk.covenant.broker.id.encode() in b"".join(held.values()), "the control"
    for where, content in held.items():
        assert not any(name.encode() in content for name in NAMES), where
        assert PASSPHRASE.encode() not in content
