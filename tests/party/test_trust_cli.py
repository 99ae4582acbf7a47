from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datwat.party.settings import PartySettings, load_settings, write_settings
from datwat.party.trust_cli import app
from datwat.party.trust_draft import CardError, DraftError, DraftIncompleteError
from datwat.party.trust_list import TrustListError, accept_first
from datwat.protocol.trust import Card, LogEntry
from tests.party.covenant import VKEY, TestCovenant, build_member, jwk, now


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def write_cards(folder: Path) -> list[str]:
    covenant = TestCovenant(members=(build_member(1, "register"),))
    covenant.build()
    cards = {
        "partner": Card(v=1, role="partner", partner=covenant.members[0].partner),
        "broker": Card(
            v=1,
            role="broker",
            broker=covenant.broker_entry(),
            log=LogEntry(origin="log.example/log/1", vkeys=(VKEY,)),
        ),
        "key_holder": Card(v=1, role="key_holder", key_holder=covenant.key_holder),
        "policy": Card(v=1, role="policy", policy_keys=(jwk(covenant.policy_key),)),
    }
    paths = []
    for name, card in cards.items():
        path = folder / f"{name}.json"
        path.write_text(card.model_dump_json())
        paths.append(str(path))
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> str:
    run("new", "--folder", str(tmp_path / "trust"), "--keys", "3", "--threshold", "2")
    return str(tmp_path / "trust")


def test_from_cards_to_a_pinned_list(folder: str, tmp_path: Path) -> None:
    run("add", "--folder", folder, *write_cards(tmp_path))
    signed = run("sign", "--folder", folder)
    assert signed["complete"]
    assert (signed["seq"], signed["signatures"]) == (1, 3)
    document = (Path(folder) / "trust-list.json").read_bytes()
    assert accept_first(document, bytes.fromhex(signed["hash"])).trust.seq == 1
    shown = run("show", signed["list"])
    assert shown["hash"] == signed["hash"]
    assert [partner["in_force"] for partner in shown["partners"]] == [True]
    home = tmp_path / "home"
    write_settings(home, {"id": shown["partners"][0]["id"], "name": "Party"})
    run("pin", signed["hash"], "--home", str(home), "--list", signed["list"])
    settings = load_settings(PartySettings, home)
    assert (settings.trust_pin, settings.trust_list) == (signed["hash"], signed["list"])


def test_keys_that_are_never_in_one_place_sign_one_after_the_other(
    folder: str, tmp_path: Path
) -> None:
    run("add", "--folder", folder, *write_cards(tmp_path))
    first = run("sign", "--folder", folder, "--key", f"{folder}/covenant-1.key")
    assert not first["complete"]
    assert not (Path(folder) / "trust-list.json").exists()
    # The same key again counts once.
    again = run("sign", "--folder", folder, "--key", f"{folder}/covenant-1.key")
    assert again["signatures"] == 1
    second = run("sign", "--folder", folder, "--key", f"{folder}/covenant-3.key")
    assert second["complete"]
    assert second["hash"] == first["hash"]


def test_a_changed_draft_drops_the_signatures_before_it(folder: str, tmp_path: Path) -> None:
    cards = write_cards(tmp_path)
    run("add", "--folder", folder, *cards)
    run("sign", "--folder", folder, "--key", f"{folder}/covenant-1.key")
    other = build_member(2)
    (tmp_path / "other.json").write_text(
        Card(v=1, role="partner", partner=other.partner).model_dump_json()
    )
    run("add", "--folder", folder, str(tmp_path / "other.json"))
    signed = run("sign", "--folder", folder, "--key", f"{folder}/covenant-2.key")
    assert (signed["signatures"], signed["complete"]) == (1, False)


def test_suspended_partner_has_no_covenant_in_the_next_list(folder: str, tmp_path: Path) -> None:
    run("add", "--folder", folder, *write_cards(tmp_path))
    run("sign", "--folder", folder)
    partner = run("show", f"{folder}/trust-list.json")["partners"][0]["id"]
    run("suspend", "--folder", folder, partner)
    signed = run("sign", "--folder", folder)
    assert signed["seq"] == 2
    document = (Path(folder) / "trust-list.json").read_bytes()
    listed = accept_first(document, bytes.fromhex(signed["hash"])).trust.partners[0]
    assert listed.covenant_until <= now()


def test_what_is_wrong_is_said(folder: str, tmp_path: Path) -> None:
    with pytest.raises(DraftError):
        run("new", "--folder", folder)
    with pytest.raises(DraftIncompleteError, match="broker"):
        run("sign", "--folder", folder)
    with pytest.raises(DraftError):
        run("suspend", "--folder", folder, "00000099000000000009:nobody")
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(CardError):
        run("add", "--folder", folder, str(tmp_path / "no.json"))
    with pytest.raises(TrustListError):
        run("pin", "12", "--home", str(tmp_path), "--list", "x")
    with pytest.raises(TrustListError):
        run("show", str(tmp_path / "missing.json"))


def test_covenant_keys_are_for_their_owner_only(folder: str) -> None:
    keys = sorted(Path(folder).glob("covenant-*.key"))
    assert len(keys) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*keys, Path(folder)])


@pytest.mark.parametrize("command", ["new", "add", "suspend", "sign", "show", "pin"])
def test_every_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert "Example: datwat trust" in result.output
