"""The how-to of the officers' API, block by block, and what a shell with a named token is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from datwat.cli import run as run_datwat
from datwat.party.admin import TOKEN_VARIABLE
from tests.docs.executed import ROOT, require_shown
from tests.parties import Covenant, run_command

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("how-to-officers"),
]
PAGE = ROOT / "docs" / "how-to" / "officers-api.md"


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covenant]:
    with Covenant(tmp_path_factory.mktemp("officers-api"), ()) as made:
        yield made


def test_a_purpose_is_changed_as_the_page_shows(covenant: Covenant, tmp_path: Path) -> None:
    home = covenant.broker.home
    (trust_list,) = (home / "trust").glob("*.json")
    places = {
        "BROKER": str(home),
        "BROKER_URL": covenant.broker.url(),
        "KEY": str(covenant.policy / "policy-1.key"),
        "TRUST_LIST": str(trust_list),
        "PYTHONWARNINGS": "ignore",
    }
    assert require_shown(PAGE.read_text(encoding="utf-8"), tmp_path, places) >= 7
    held = covenant.broker.log.read_text(encoding="utf-8")
    assert "serving" in held
    assert not re.search(r"a\.jansen|b\.bakker|Bearer", held)


def test_a_shell_with_a_named_token_is_told_which_one_was_sent(
    covenant: Covenant,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = ["--home", str(covenant.broker.home)]
    who = ["--organisation", "rijnstad", "--role", "auditor", "--staff", "k.audit"]
    run_command("broker", "roles", "give", *home, *who)
    made = run_command("broker", "tokens", "create", "status", *home, *who)
    path = tmp_path / "token"
    monkeypatch.setenv(TOKEN_VARIABLE, str(path))
    for token in (made["token"], "x" * 43):
        path.write_text(token, encoding="ascii")
        capsys.readouterr()
        assert run_datwat(["status", *home]) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "token of this party's home folder" in said
        assert f"{TOKEN_VARIABLE} names: unset that variable" in said
        assert token not in said
    monkeypatch.delenv(TOKEN_VARIABLE)
    assert run_datwat(["status", *home]) in {0, 1}
    assert "database" in capsys.readouterr().out.lower()
