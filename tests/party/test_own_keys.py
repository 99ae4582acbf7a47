"""A next key is used only when everybody had time to read the list that names it."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.cli import app as connector_app
from connectors.identity_key import KEY_NAME, open_signing_keys
from connectors.keys_cli import PARTNER_KEYS
from datwat.party import own_keys, own_keys_cli
from datwat.party.own_keys import KeyOfNow, NextKeyError, NoNextKeyError, OwnKeys, parse_signing
from datwat.party.own_keys_cli import NextKeyUnknownError, abort_next, finish_next, start_next
from datwat.party.settings import SecretError, write_secret
from datwat.party.trust_draft import CardError
from datwat.protocol.jws import sign_object, verify_object
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Card
from tests.party.covenant import TestCovenant, build_member, jwk

KIND = PARTNER_KEYS["signing"]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of a partner with a key and a card."""
    home = tmp_path / "partner"
    home.mkdir()
    (home / "settings.toml").write_text('party = "connector"\n')
    key = SigningKey.generate()
    write_secret(home, KEY_NAME, key.to_jwk_text().encode())
    partner = build_member(1, "register").partner.model_copy(update={"keys": (jwk(key),)})
    card = Card(v=1, role="partner", partner=partner)
    (home / "card.json").write_text(card.model_dump_json())
    return home


def read_card_keys(home: Path) -> list[bytes]:
    card = Card.model_validate_json((home / "card.json").read_text())
    assert card.partner is not None
    return [key.x for key in card.partner.keys]


def hold_list(home: Path, keys: list[bytes], *, age: timedelta = timedelta(0)) -> None:
    """Write the list that the party holds, as `TrustKeeper` does."""
    member = build_member(1, "register")
    jwks = tuple(jwk(member.key).model_copy(update={"x": raw}) for raw in keys)
    member.partner = member.partner.model_copy(update={"keys": jwks})
    covenant = TestCovenant(members=(member,))
    folder = home / "trust"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    path = folder / f"{len(keys)}.json"
    path.write_bytes(covenant.sign(covenant.build()))
    moment = path.stat().st_mtime - age.total_seconds()
    os.utime(path, (moment, moment))


def test_the_next_key_waits_until_it_is_known(home: Path) -> None:
    own, clock, listed = open_signing_keys(home), Clock(), set[bytes]()
    signer = KeyOfNow(own, lambda: listed, clock=clock, settled=150)
    (old,) = own.keys
    assert signer.now() is old
    own.start(SigningKey.generate().to_jwk_text().encode())
    new = own.keys[0]
    assert own.keys[1].public == old.public
    listed |= {old.public.raw}
    clock.now += 1_000
    assert signer.now().public == old.public  # the covenant has not taken it up
    listed |= {new.public.raw}
    assert signer.now().public == old.public
    clock.now += 149
    assert signer.now().public == old.public
    clock.now += 1
    assert signer.now() is new
    listed -= {old.public.raw}
    assert signer.now() is new
    own.finish()
    assert [key.public for key in own.keys] == [new.public]
    assert signer.now().public == new.public


def test_a_key_that_was_taken_out_of_the_list_waits_anew(home: Path) -> None:
    own, clock, listed = open_signing_keys(home), Clock(), set[bytes]()
    signer = KeyOfNow(own, lambda: listed, clock=clock, settled=150)
    own.start(SigningKey.generate().to_jwk_text().encode())
    new, old = own.keys
    listed |= {old.public.raw, new.public.raw}
    signer.now()
    clock.now += 200
    assert signer.now() is new
    listed -= {new.public.raw}
    assert signer.now() is old
    listed |= {new.public.raw}
    assert signer.now() is old


def test_where_only_the_next_key_is_listed_it_is_used_at_once(home: Path) -> None:
    own = open_signing_keys(home)
    own.start(SigningKey.generate().to_jwk_text().encode())
    listed = {own.keys[0].public.raw}
    assert KeyOfNow(own, lambda: listed, clock=Clock()).now() is own.keys[0]


def test_a_signature_names_the_key_that_made_it(home: Path) -> None:
    """Also where the key changes while it is made: one look decides both."""
    own = open_signing_keys(home)
    own.start(SigningKey.generate().to_jwk_text().encode())
    keys = list(own.keys)

    class Turning:
        def now(self) -> SigningKey:
            keys.reverse()
            return keys[0]

    signed = sign_object(b"{}", Turning())
    known = {key.kid: key.public for key in own.keys}
    verify_object(b"{}", signed.protected, signed.signature, known)


def test_another_process_sees_what_changed(home: Path) -> None:
    own, other = open_signing_keys(home), open_signing_keys(home)
    assert not other.refresh()
    own.start(SigningKey.generate().to_jwk_text().encode())
    assert other.refresh()
    assert [key.public for key in other.keys] == [key.public for key in own.keys]
    own.abort()
    assert other.refresh()
    assert len(other.keys) == 1


def test_a_running_party_follows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_keys, "LOOKED_AT_EVERY", 0.01)
    own = open_signing_keys(home)

    async def follow() -> None:
        task = asyncio.ensure_future(own.follow())
        path = home / "secrets" / KEY_NAME
        good = path.read_bytes()
        path.write_bytes(b"damaged")
        await asyncio.sleep(0.05)
        path.write_bytes(good)
        open_signing_keys(home).start(SigningKey.generate().to_jwk_text().encode())
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(own.keys) == 2:
                break
        task.cancel()

    asyncio.run(follow())
    assert len(own.keys) == 2


def test_the_old_key_is_overwritten(home: Path) -> None:
    own = open_signing_keys(home)
    with (home / "secrets" / KEY_NAME).open("rb") as old:
        own.start(SigningKey.generate().to_jwk_text().encode())
        own.finish()
        assert not old.read().strip(b"\0")
    with pytest.raises(NoNextKeyError):
        own.finish()
    with pytest.raises(NoNextKeyError):
        own.abort()
    own.start(SigningKey.generate().to_jwk_text().encode())
    with (home / "secrets" / f"{KEY_NAME}.next").open("rb") as new:
        own.abort()
        assert not new.read().strip(b"\0")


def test_a_next_key_that_others_may_read_is_refused(home: Path) -> None:
    own = open_signing_keys(home)
    own.start(SigningKey.generate().to_jwk_text().encode())
    (home / "secrets" / f"{KEY_NAME}.next").chmod(0o644)
    with pytest.raises(SecretError, match="Others may read"):
        OwnKeys(home, KEY_NAME, parse_signing)


def test_the_card_follows_each_step(home: Path) -> None:
    (old,) = read_card_keys(home)
    said = start_next(home, KIND)
    new, second = read_card_keys(home)
    assert second == old
    early = said["step"]
    assert early.startswith("the covenant takes up card.json and signs the list, from 20")
    next_file = home / "secrets" / f"{KEY_NAME}.next"
    past = time.time() - own_keys_cli.LISTED_FROM.total_seconds()
    os.utime(next_file, (past, past))
    assert own_keys_cli.describe(home, KIND)["step"] == early.partition(", from")[0]
    with pytest.raises(NextKeyError):
        start_next(home, KIND)
    with pytest.raises(NextKeyUnknownError, match="does not name the next key"):
        finish_next(home, KIND)
    hold_list(home, [new, old])
    with pytest.raises(NextKeyUnknownError, match="still be on its way"):
        finish_next(home, KIND)
    assert len(open_signing_keys(home).keys) == 2
    hold_list(home, [new, old], age=own_keys_cli.FINISH_AFTER)
    assert finish_next(home, KIND) == {"key": new.hex()[:16], "next": None}
    assert read_card_keys(home) == [new]


def test_a_leak_does_not_wait(home: Path) -> None:
    start_next(home, KIND)
    keys = read_card_keys(home)
    hold_list(home, keys)
    finish_next(home, KIND, at_once=True)
    assert read_card_keys(home) == keys[:1]


def test_taken_back(home: Path) -> None:
    before = read_card_keys(home)
    with pytest.raises(NoNextKeyError):
        abort_next(home, KIND)
    start_next(home, KIND)
    abort_next(home, KIND)
    assert read_card_keys(home) == before
    assert len(open_signing_keys(home).keys) == 1


def test_a_home_with_a_stranger_s_card_changes_nothing(home: Path) -> None:
    (home / "card.json").write_text("{}")
    with pytest.raises(CardError):
        start_next(home, KIND)
    assert len(open_signing_keys(home).keys) == 1


def test_the_commands_name_their_keys(home: Path) -> None:
    said = CliRunner().invoke(connector_app, ["keys", "rotate", "scalar", "--home", str(home)])
    assert said.exit_code == 2
    assert "signing" in said.output
    said = CliRunner().invoke(connector_app, ["keys", "status", "--home", str(home), "--json"])
    assert said.exit_code == 0, said.output
    assert '"next": null' in said.output
    secret = SigningKey.from_jwk_text((home / "secrets" / KEY_NAME).read_text())
    assert secret.to_jwk_text() not in said.output
