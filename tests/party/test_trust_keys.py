"""The covenant's own keys and policy keys are replaced in the draft, with a way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from datwat.party.trust_draft import DraftError
from datwat.party.trust_list import accept_first, accept_next, parse_list
from datwat.protocol.documents import ThresholdError
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Card
from tests.party.covenant import jwk
from tests.party.test_trust_cli import folder, run, write_cards

__all__ = ["folder"]


@pytest.fixture
def signed(folder: str, tmp_path: Path) -> Path:
    """Return the folder of a covenant whose first list is signed."""
    run("add", "--folder", folder, *write_cards(tmp_path))
    run("sign", "--folder", folder)
    return Path(folder)


def list_keys(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("covenant-*.key"))


def sign(folder: Path, *names: str) -> dict[str, object]:
    words = [word for name in names for word in ("--key", str(folder / name))]
    return run("sign", "--folder", str(folder), *words)


def test_old_and_new_keys_sign_the_list_that_introduces_them(signed: Path) -> None:
    held = accept_first(
        (signed / "trust-list.json").read_bytes(),
        parse_list((signed / "trust-list.json").read_bytes())[0].digest,
    )
    run("new-keys", "--folder", str(signed), "--keys", "2", "--threshold", "2")
    assert list_keys(signed) == [f"covenant-{number}.key" for number in range(1, 6)]
    answer = sign(signed, "covenant-4.key", "covenant-5.key")
    assert (answer["complete"], answer["signatures"], answer["old_keys_signatures"]) == (
        False,
        2,
        0,
    )
    with pytest.raises(ThresholdError):
        accept_next((signed / "trust-list.pending.json").read_bytes(), held)
    assert not sign(signed, "covenant-1.key")["complete"]
    answer = sign(signed, "covenant-2.key")
    assert answer["complete"]
    document = (signed / "trust-list.json").read_bytes()
    second = accept_next(document, held)
    assert len(second.trust.covenant.keys) == 2
    # Whoever begins with it goes by its own keys.
    assert accept_first(document, second.digest).trust == second.trust

    answer = sign(signed, "covenant-4.key", "covenant-5.key")
    assert answer["complete"]
    assert "old_keys_signatures" not in answer
    third = accept_next((signed / "trust-list.json").read_bytes(), second)
    assert third.trust.seq == 3
    with pytest.raises(ThresholdError):  # who missed the list between does not follow this one
        accept_next((signed / "trust-list.json").read_bytes(), held)
    answer = sign(signed, "covenant-1.key", "covenant-2.key", "covenant-3.key")
    assert (answer["complete"], answer["signatures"]) == (False, 0)


def test_new_keys_are_not_enough_by_the_old_keys_alone(signed: Path) -> None:
    """Else a list could be put out that nobody who begins with it could believe."""
    run("new-keys", "--folder", str(signed), "--keys", "2", "--threshold", "2")
    answer = sign(signed, "covenant-1.key", "covenant-2.key", "covenant-3.key", "covenant-4.key")
    assert not answer["complete"]
    assert sign(signed, "covenant-5.key")["complete"]


def test_new_keys_are_taken_back(signed: Path) -> None:
    before = parse_list((signed / "trust-list.json").read_bytes())[0].trust.covenant
    with pytest.raises(DraftError, match="introduces no covenant keys"):
        run("keep-keys", "--folder", str(signed))
    run("new-keys", "--folder", str(signed), "--keys", "1", "--threshold", "1")
    with pytest.raises(DraftError, match="in the draft already"):
        run("new-keys", "--folder", str(signed), "--keys", "1", "--threshold", "1")
    assert run("keep-keys", "--folder", str(signed)) == {"keys": 3, "threshold": 2}
    answer = sign(signed, "covenant-1.key", "covenant-2.key")
    assert answer["complete"]
    assert parse_list((signed / "trust-list.json").read_bytes())[0].trust.covenant == before


def test_more_must_sign_than_there_are(signed: Path) -> None:
    with pytest.raises(DraftError, match="higher than the number"):
        run("new-keys", "--folder", str(signed), "--keys", "1", "--threshold", "2")
    assert list_keys(signed) == ["covenant-1.key", "covenant-2.key", "covenant-3.key"]


def test_a_policy_key_ends_when_another_one_is_there(signed: Path, tmp_path: Path) -> None:
    (old,) = run("show", str(signed / "trust-list.json"))["policy_kids"]
    with pytest.raises(DraftError, match="fewer would be left"):
        run("end-policy-key", old, "--folder", str(signed))
    with pytest.raises(DraftError, match="No policy key of the draft"):
        run("end-policy-key", "nobody", "--folder", str(signed))
    new = SigningKey.generate()
    card = tmp_path / "new-policy.json"
    card.write_text(Card(v=1, role="policy", policy_keys=(jwk(new),)).model_dump_json())
    run("add", "--folder", str(signed), str(card))
    assert run("end-policy-key", old, "--folder", str(signed)) == {"ended": old, "policy_keys": 1}
    run("sign", "--folder", str(signed))
    assert run("show", str(signed / "trust-list.json"))["policy_kids"] == [new.kid]
