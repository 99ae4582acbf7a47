"""`datwat purpose sign-approval` signs nothing that it cannot read, and says which file that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.commands import signing_cli
from broker.policy.authoring_ports import open_archive
from broker.policy.draft_reading import Ground
from broker.policy.publication import build_publication
from datwat.cli import run as run_datwat
from tests.authoring.test_as_shown import KEY, KEYS, STRANGER, revise, show
from tests.exchange.world import POLICIES


@pytest.fixture(scope="module")
def shown() -> str:
    ground = Ground.of(open_archive(build_publication(POLICIES), 1))
    return json.dumps(show(revise(ground, 1), ground))


def refuse(
    capsys: pytest.CaptureFixture[str], to_sign: Path, trust_list: Path, key: Path | None = None
) -> str:
    capsys.readouterr()
    options = ["--key", str(key or to_sign), "--trust-list", str(trust_list), "--yes"]
    assert run_datwat(["purpose", "sign-approval", "0" * 32, str(to_sign), *options]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return " ".join(said.err.split())


def test_what_cannot_be_read_is_named(
    shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to_sign, trust_list = tmp_path / "to-sign.json", tmp_path / "trust.json"
    assert "to-sign.json" in refuse(capsys, to_sign, trust_list)
    for wrong in ("", "{", "[]", '{"status": 403}', "\x00"):
        to_sign.write_text(wrong, encoding="utf-8")
        assert "not the answer of proposals/to-sign" in refuse(capsys, to_sign, trust_list)
    to_sign.write_text(shown, encoding="utf-8")
    assert "trust.json" in refuse(capsys, to_sign, trust_list)
    trust_list.write_text("{}", encoding="utf-8")
    assert "holds no trust list" in refuse(capsys, to_sign, trust_list)


def test_only_a_policy_key_of_the_list_signs(
    shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    to_sign, trust_list, key = (tmp_path / name for name in ("to-sign.json", "trust.json", "a.key"))
    to_sign.write_text(shown, encoding="utf-8")
    monkeypatch.setattr(signing_cli, "read_list_keys", lambda _path: KEYS)  # the list's own form
    for wrong in ("{}", "hello", "\x00", '{"a": "' + "a" * 9_000 + '"}'):
        key.write_text(wrong, encoding="utf-8")
        assert f"{key} holds no private key" in refuse(capsys, to_sign, trust_list, key)
    key.write_text(STRANGER.to_jwk_text(), encoding="utf-8")
    said = refuse(capsys, to_sign, trust_list, key)
    assert f"{trust_list} does not name the key in {key}" in said
    key.write_text(KEY.to_jwk_text(), encoding="utf-8")
    options = ["--key", str(key), "--trust-list", str(trust_list), "--yes"]
    assert run_datwat(["purpose", "sign-approval", "0" * 32, str(to_sign), *options]) == 0
