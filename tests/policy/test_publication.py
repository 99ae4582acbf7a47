from __future__ import annotations

import stat
from pathlib import Path

import pytest

from broker.policy.publication import (
    ARCHIVE_FILE,
    PublicationError,
    create_policy_keys,
    find_publication,
    read_policy_keys,
    read_publication,
    sign_publication,
)
from datwat.protocol.bundle import open_bundle
from datwat.protocol.documents import ThresholdError
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Card
from tests.policy.opa_world import make_archive, write_policies

FIRST, SECOND = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
PUBLIC = [FIRST.public, SECOND.public]


def test_what_was_signed_is_what_is_read(archive: bytes, tmp_path: Path) -> None:
    signed = sign_publication(archive, tmp_path / "out", [FIRST])
    read = read_publication(tmp_path / "out")
    assert read == signed
    assert open_bundle(read.archive, read.document, PUBLIC, 1).seq == 1


def test_keys_that_are_never_together_sign_one_after_the_other(
    archive: bytes, tmp_path: Path
) -> None:
    sign_publication(archive, tmp_path, [FIRST])
    with pytest.raises(ThresholdError):
        open_bundle(archive, read_publication(tmp_path).document, PUBLIC, 2)
    both = sign_publication(archive, tmp_path, [SECOND])
    assert (both.signatures, both.statement.seq) == (2, 1)
    assert open_bundle(archive, both.document, PUBLIC, 2).seq == 1


def test_another_bundle_counts_up_and_starts_without_signatures(
    archive: bytes, tmp_path: Path
) -> None:
    sign_publication(archive, tmp_path / "out", [FIRST, SECOND])
    other = make_archive(write_policies(tmp_path / "p"), code="text")
    following = sign_publication(other, tmp_path / "out", [FIRST])
    assert (following.signatures, following.statement.seq) == (1, 2)
    # Going back to the older rules is a newer bundle too.
    assert sign_publication(archive, tmp_path / "out", [FIRST]).statement.seq == 3


def test_signing_without_a_key_writes_nothing(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(PublicationError):
        sign_publication(archive, tmp_path / "out", [])
    assert find_publication(tmp_path / "out") is None
    with pytest.raises(PublicationError):
        read_publication(tmp_path / "out")


def test_rubbish_in_the_folder_is_an_error_of_ours(archive: bytes, tmp_path: Path) -> None:
    sign_publication(archive, tmp_path, [FIRST])
    (tmp_path / "bundle.json").write_bytes(b'{"payload":"e30","signatures":[]}')
    with pytest.raises(DatwatError):
        read_publication(tmp_path)
    assert (tmp_path / ARCHIVE_FILE).read_bytes() == archive


def test_policy_keys_are_private_and_their_card_names_them(tmp_path: Path) -> None:
    card = create_policy_keys(tmp_path / "keys", 2)
    paths = sorted((tmp_path / "keys").glob("policy-*.key"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    keys = read_policy_keys(paths)
    assert [key.public.raw for key in keys] == [jwk.x for jwk in card.policy_keys]
    assert Card.model_validate_json((tmp_path / "keys" / "card.json").read_bytes()) == card
    with pytest.raises(PublicationError):
        create_policy_keys(tmp_path / "keys", 1)
    with pytest.raises(PublicationError):
        read_policy_keys([tmp_path / "absent.key"])
