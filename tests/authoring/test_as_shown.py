"""What an officer's machine refuses to sign: all but what it was shown, should a broker lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.commands.approval_check import NotAsShownError, read_home_keys, require_as_shown
from broker.policy.authoring_ports import PolicyKeys, open_archive
from broker.policy.bundle import pack_archive, rebuild_archive, sign_archive
from broker.policy.candidate import (
    By,
    Candidate,
    build_revision,
    build_roll_back,
    build_statement,
    build_withdrawal,
)
from broker.policy.draft_reading import Ground, read_draft
from broker.policy.publication import build_publication
from broker.purposes.drafts import DraftRow, DraftWords, ProposalRow
from broker.purposes.guards import GuardRailError
from broker.purposes.life import build_approval
from broker.purposes.life_errors import RevisionUnknownError
from broker.purposes.models import derive_digest
from datwat.party.strict_yaml import write_yaml
from datwat.protocol.bundle import MANIFEST_PATH, derive_revision, read_archive
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import SigningKey
from datwat.protocol.purpose_approval import derive_text_hash
from datwat.protocol.values import encode_bytes
from tests.authoring.world import PURPOSE, number
from tests.exchange.world import POLICIES

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BY = By("a", "o", "Why.")
KEY, STRANGER = SigningKey.generate(), SigningKey.generate()
KEYS = PolicyKeys((KEY.public,), 1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.of(open_archive(build_publication(POLICIES), 1))


def revise(ground: Ground, value: int) -> Candidate:
    newest = ground.catalogue.find_newest(PURPOSE)
    assert newest is not None
    members = newest.model_dump(mode="json", exclude_defaults=True)
    changed = {**members, "valid_from": "2027-01-01T00:00:00Z", "sentence": number(value)}
    text = write_yaml(changed)
    words = DraftWords(
        author="a", organisation="o", purpose=PURPOSE, text=text, cases="", base_digest=None
    )
    row = DraftRow(b"1" * 16, words, NOW, NOW)
    return build_revision(ground, read_draft(text, "", ground, NOW), row, 2)


def show(made: Candidate, ground: Ground) -> dict[str, Any]:
    """Return what an honest broker sends."""
    statement = made.statement
    row = ProposalRow(
        id=b"1" * 16,
        words=made.words,
        seq=statement.seq,
        revision=statement.revision,
        bundle_digest=statement.bundle_digest,
        base_bundle_digest=ground.bundle.digest,
        at=NOW,
        taken_back_at=None,
        until_at=NOW,
    )
    return {
        "approval": build_approval(row).model_dump(mode="json"),
        "statement": statement.model_dump(mode="json"),
        "archive": encode_bytes(made.archive),
        "text_nl": made.words.text_nl,
        "text_en": made.words.text_en,
        "changes_nl": list(made.words.changes_nl),
        "changes_en": list(made.words.changes_en),
        "base_archive": encode_bytes(ground.bundle.archive),
        "base_document": sign_by(KEY, ground.bundle.archive, ground.bundle.seq),
        "to_seq": made.words.to_seq,
    }


def sign_by(key: SigningKey, archive: bytes, seq: int) -> str:
    return encode_bytes(sign_archive(archive, [key], seq=seq).to_bytes())


def smuggle(made: Candidate, archive: bytes, ground: Ground) -> dict[str, Any]:
    """Return what a broker sends that shows one candidate and has another bundle signed."""
    statement = build_statement(archive, made.statement.seq)
    return show(replace(made, archive=archive, statement=statement), ground)


def change_rules(archive: bytes) -> bytes:
    """Return the archive with one more line in one rule, and a manifest that fits."""
    files = dict(read_archive(archive))
    path = next(one for one in sorted(files) if one.endswith(".rego"))
    files[path] += b"\n# permit all\n"
    manifest = {"roots": ["datwat"], "rego_version": 1, "revision": derive_revision(files)}
    files[MANIFEST_PATH] = encode_canonical(manifest)
    return pack_archive(files)


def test_an_honest_broker_is_believed(ground: Ground) -> None:
    made = revise(ground, 1)
    approval, statement = require_as_shown(show(made, ground), KEYS)
    assert (approval.digest, statement) == (made.words.digest, made.statement)
    gone = build_withdrawal(ground, PURPOSE, None, BY, 2)
    assert require_as_shown(show(gone, ground), KEYS)[0].effect == "withdraw"
    later = Ground.of(open_archive(made.archive, 2))
    only = build_withdrawal(later, PURPOSE, made.words.digest, BY, 3)
    assert require_as_shown(show(only, later), KEYS)[0].digest == made.words.digest
    back = build_roll_back(later, ground.bundle, 1, BY, 3)
    assert require_as_shown(show(back, later), KEYS)[0].effect == "roll_back"


def test_a_bundle_does_nothing_beside_what_is_shown(ground: Ground) -> None:
    made = revise(ground, 1)
    taken = ground.catalogue.without_purpose("debt_counselling")
    other = Ground.of(open_archive(rebuild_archive(ground.bundle, catalogue=taken, cases=()), 1))
    gone = build_withdrawal(ground, PURPOSE, None, BY, 2)
    lies = [
        # The rules are others, or a second purpose goes, or the cases of all go.
        smuggle(made, change_rules(made.archive), ground),
        smuggle(made, revise(other, 1).archive, ground),
        smuggle(made, rebuild_archive(open_archive(made.archive, 2), cases=()), ground),
        smuggle(gone, change_rules(gone.archive), ground),
        smuggle(gone, build_withdrawal(other, PURPOSE, None, BY, 2).archive, ground),
        # The changes in words are of another revision.
        {**show(made, ground), "changes_nl": list(revise(ground, 2).words.changes_nl)},
    ]
    for lie in lies:
        with pytest.raises(NotAsShownError):
            require_as_shown(lie, KEYS)


def test_nobody_takes_the_residents_own_access_away(ground: Ground) -> None:
    with pytest.raises(GuardRailError):
        build_withdrawal(ground, "own_access", None, BY, 2)
    (own,) = ground.catalogue.purposes["own_access"]
    later = own.model_copy(update={"valid_from": NOW.replace(year=2027)})
    purposes = {**ground.catalogue.purposes, own.id: (own, later)}
    catalogue = ground.catalogue.model_copy(update={"purposes": purposes})
    both = Ground.of(open_archive(rebuild_archive(ground.bundle, catalogue=catalogue), 2))
    build_withdrawal(both, own.id, derive_digest(later), BY, 3)
    with pytest.raises(RevisionUnknownError, match="until the next revision begins"):
        build_withdrawal(both, own.id, derive_digest(own), BY, 3)


def test_a_roll_back_lowers_no_guard_rail_either(ground: Ground) -> None:
    (own,) = ground.catalogue.purposes["own_access"]
    ended = own.model_copy(update={"valid_until": NOW.replace(year=2028)})
    purposes = {**ground.catalogue.purposes, own.id: (ended,)}
    catalogue = ground.catalogue.model_copy(update={"purposes": purposes})
    earlier = open_archive(rebuild_archive(ground.bundle, catalogue=catalogue), 1)
    later = Ground.of(open_archive(ground.bundle.archive, 2))
    with pytest.raises(GuardRailError):
        build_roll_back(later, earlier, 1, BY, 3)


def test_the_bundle_in_force_is_one_that_the_policy_keys_signed(ground: Ground) -> None:
    evil = Ground.of(open_archive(change_rules(ground.bundle.archive), 1))
    shown = show(revise(evil, 1), evil)
    require_as_shown(shown, KEYS)  # had they signed it
    lie = {**shown, "base_document": sign_by(STRANGER, evil.bundle.archive, 1)}
    with pytest.raises(NotAsShownError):
        require_as_shown(lie, KEYS)


def test_a_roll_back_goes_to_what_was_published_under_that_number(ground: Ground) -> None:
    later = Ground.of(open_archive(change_rules(revise(ground, 1).archive), 5))
    back = build_roll_back(later, ground.bundle, 1, BY, 6)
    shown = show(back, later)
    signed = sign_by(KEY, ground.bundle.archive, 1)
    require_as_shown({**shown, "earlier": signed}, KEYS)
    for earlier in (
        None,
        sign_by(STRANGER, ground.bundle.archive, 1),
        sign_by(KEY, ground.bundle.archive, 2),
        sign_by(KEY, later.bundle.archive, 1),
    ):
        with pytest.raises(NotAsShownError):
            require_as_shown({**shown, "earlier": earlier}, KEYS)


def test_a_home_without_its_trust_list_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotAsShownError):
        read_home_keys(tmp_path)
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "a.json").write_bytes(b"{}")
    with pytest.raises(NotAsShownError):
        read_home_keys(tmp_path)


def test_nothing_else_is_signed_than_what_is_shown(ground: Ground) -> None:
    shown, other = show(revise(ground, 1), ground), show(revise(ground, 2), ground)
    lies: list[dict[str, Any]] = [
        {"archive": other["archive"]},
        {"statement": other["statement"]},
        {"archive": other["archive"], "statement": other["statement"]},
        {"approval": other["approval"]},
        {"text_nl": other["text_nl"]},
        {"text_en": other["text_en"]},
        # The texts of one purpose, with their own hashes, over the bundle of another.
        {
            "archive": other["archive"],
            "statement": other["statement"],
            "approval": {
                **other["approval"],
                "text_nl_sha256": shown["approval"]["text_nl_sha256"],
                "text_en_sha256": shown["approval"]["text_en_sha256"],
            },
        },
        {"approval": {**shown["approval"], "seq": 3}},
        {"approval": {**shown["approval"], "valid_from": "2027-02-01T00:00:00Z"}},
        # A withdrawal in words, while the bundle still has the purpose.
        {"approval": {**shown["approval"], "effect": "withdraw", "digest": None}},
        {
            "text_nl": "Niets.",
            "approval": {**shown["approval"], "text_nl_sha256": derive_text_hash("Niets.")},
        },
        {"archive": "AAAA"},
        {"archive": 7},
    ]
    require_as_shown(shown, KEYS)
    for lie in lies:
        with pytest.raises(NotAsShownError):
            require_as_shown({**shown, **lie}, KEYS)
