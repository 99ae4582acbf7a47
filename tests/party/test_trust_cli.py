from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from datwat.party.settings import PartySettings, load_settings, write_settings
from datwat.party.trust_cli import app
from datwat.party.trust_draft import CardError, DraftError, DraftIncompleteError
from datwat.party.trust_list import TrustListError, accept_first
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.notes import VerifierKey
from datwat.protocol.trust import Card, LogEntry, Witness
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


def test_a_contact_that_names_its_partner_is_not_taken_up(folder: str, tmp_path: Path) -> None:
    partner = build_member(2).partner
    named = partner.model_copy(update={"contact": f"{partner.name.upper()}, 010 000 00 00"})
    path = tmp_path / "named.json"
    path.write_text(Card(v=1, role="partner", partner=named).model_dump_json())
    with pytest.raises(CardError, match="a number or an address alone"):
        run("add", "--folder", folder, str(path))


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
    assert not (Path(folder) / "trust-list.pending.json").exists()


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


@pytest.mark.parametrize("content", [None, "no JSON", "{}"])
@pytest.mark.parametrize("command", ["show", "add", "sign", "suspend"])
def test_a_file_that_cannot_be_used_is_named(
    folder: str, tmp_path: Path, command: str, content: str | None
) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content)
    lines = {
        "show": ["show", str(file)],
        "add": ["add", "--folder", folder, str(file)],
        "sign": ["sign", "--folder", folder, "--key", str(file)],
        "suspend": ["suspend", "--folder", str(tmp_path / "x"), "00000099000000000009:nobody"],
    }
    if command == "suspend":
        file = tmp_path / "x" / "draft.json"
        if content is not None:
            file.parent.mkdir()
            file.write_text(content)
    with pytest.raises(DatwatError) as caught:
        run(*lines[command])
    assert str(file) in caught.value.detail
    assert "No such file" not in caught.value.detail


def test_covenant_keys_are_for_their_owner_only(folder: str) -> None:
    keys = sorted(Path(folder).glob("covenant-*.key"))
    assert len(keys) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*keys, Path(folder)])


@pytest.mark.parametrize("command", ["new", "add", "suspend", "sign", "show", "pin"])
def test_every_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert "Example: datwat trust" in result.output


def write_witness(folder: Path, name: str, key: bytes, kind: Literal[1, 4] = 4) -> str:
    vkey = VerifierKey(name=name.split(maxsplit=1)[0], type=kind, public_key=key).text
    witness = Witness(name=name, vkey=vkey, url="http://127.0.0.1:8083")
    path = folder / "witness.json"
    path.write_text(Card(v=1, role="witness", witness=witness).model_dump_json())
    return str(path)


def test_witnesses_are_taken_up_and_required(folder: str, tmp_path: Path) -> None:
    run("add", "--folder", folder, *write_cards(tmp_path))
    with pytest.raises(DraftError, match="has 0 witnesses"):
        run("require-witnesses", "--folder", folder, "1")
    one, two = (SigningKey.generate().public.raw for _ in range(2))
    run("add", "--folder", folder, write_witness(tmp_path, "witness.example/w1", one))
    with pytest.raises(CardError, match="has this key"):
        run("add", "--folder", folder, write_witness(tmp_path, "witness.example/w2", one))
    for path in (
        write_witness(tmp_path, "witness.example/w3", two, kind=1),
        write_witness(tmp_path, "witness.example/w3 other", two),
    ):
        with pytest.raises(CardError, match="verifier key"):
            run("add", "--folder", folder, path)
    added = run("add", "--folder", folder, write_witness(tmp_path, "witness.example/w1", two))
    assert added["witnesses"] == 1  # the newer card of that name
    run("require-witnesses", "--folder", folder, "1")
    run("sign", "--folder", folder)
    shown = run("show", f"{folder}/trust-list.json")
    assert (shown["witnesses"], shown["witness_threshold"]) == (["witness.example/w1"], 1)
    # What an auditor types for `log verify`, as the parties' own cards say it.
    card = Card.model_validate_json((tmp_path / "witness.json").read_bytes())
    assert card.witness is not None
    assert (shown["log_keys"], shown["witness_keys"]) == ([VKEY], [card.witness.vkey])


def test_what_has_no_witness_is_spelled_as_before_there_were_any() -> None:
    vkey = VerifierKey(name="w", type=4, public_key=SigningKey.generate().public.raw).text
    plain = {"name": "w", "vkey": vkey}
    assert Witness(name="w", vkey=vkey).model_dump(mode="json") == plain
    assert json.loads(Witness(name="w", vkey=vkey).model_dump_json()) == plain
    assert Witness.model_validate_json(json.dumps(plain)).url is None
    assert "witness" not in Card(v=1, role="policy").model_dump(mode="json")
