from __future__ import annotations

import io
import os
import tarfile
import zlib
from pathlib import Path

import pytest

from broker.policy.bundle import OpaKey, build_opa_archive, pack_archive, sign_archive
from datwat.protocol.bundle import (
    CASES_PATH,
    MANIFEST_PATH,
    MAX_ARCHIVE_BYTES,
    MAX_UNPACKED_BYTES,
    BundleDigestError,
    BundleError,
    BundleStaleError,
    derive_revision,
    open_bundle,
    read_archive,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import ThresholdError, sign_document
from datwat.protocol.keys import SigningKey
from tests.policy.opa_world import DECISION, KEY, make_archive, make_bundle, write_policies

OTHER_KEY = SigningKey.from_seed(bytes(32))


def pack(members: list[tarfile.TarInfo], content: bytes = b"{}") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    return deflater.compress(buffer.getvalue()) + deflater.flush()


def repack(archive: bytes, **changes: bytes) -> bytes:
    return pack_archive({**read_archive(archive), **changes})


def signed(archive: bytes, *, key: SigningKey = KEY, seq: int = 1) -> bytes:
    return sign_archive(archive, [key], seq=seq).to_bytes()


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_policies(tmp_path / "one")
    second = write_policies(tmp_path / "two")
    os.utime(second / "ask.rego", (0, 0))
    (second / "ask.rego").chmod(0o600)
    assert make_archive(first) == make_archive(second)


def test_tests_stay_out_and_every_change_changes_the_revision(tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "p")
    files = read_archive(make_archive(folder))
    assert set(files) == {
        ".manifest",
        "ask.rego",
        "datwat/cases.json",
        "datwat/catalogue/data.json",
        "datwat/texts/data.json",
    }
    revision = derive_revision(files)
    assert derive_revision(read_archive(make_archive(folder, code="text"))) != revision
    write_policies(folder, decision={**DECISION, "rung": "category"})
    assert derive_revision(read_archive(make_archive(folder))) != revision


def test_a_folder_without_rego_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        make_archive(tmp_path)


def test_a_signed_bundle_opens(archive: bytes) -> None:
    bundle = make_bundle(archive, seq=4)
    assert bundle.seq == 4
    assert bundle.revision == derive_revision(read_archive(archive))
    assert bundle.texts == {"nl": {}}


def test_one_changed_byte_is_refused(archive: bytes) -> None:
    changed = bytearray(archive)
    changed[-9] ^= 1
    with pytest.raises(BundleDigestError):
        open_bundle(bytes(changed), signed(archive), [KEY.public], 1)


def test_another_key_or_too_few_keys_are_refused(archive: bytes) -> None:
    with pytest.raises(ThresholdError):
        open_bundle(archive, signed(archive, key=OTHER_KEY), [KEY.public], 1)
    with pytest.raises(ThresholdError):
        open_bundle(archive, signed(archive), [KEY.public, OTHER_KEY.public], 2)


def test_a_key_that_signed_twice_counts_once(archive: bytes) -> None:
    document = sign_archive(archive, [KEY, KEY], seq=1).to_bytes()
    with pytest.raises(ThresholdError):
        open_bundle(archive, document, [KEY.public, OTHER_KEY.public], 2)


def test_an_older_bundle_is_refused(archive: bytes) -> None:
    with pytest.raises(BundleStaleError):
        open_bundle(archive, signed(archive, seq=2), [KEY.public], 1, minimum_seq=3)
    assert open_bundle(archive, signed(archive, seq=3), [KEY.public], 1, minimum_seq=3).seq == 3


def test_what_else_the_policy_keys_signed_is_no_bundle(archive: bytes) -> None:
    document = sign_document(encode_canonical({"v": 1, "type": "trust_list"}), [KEY]).to_bytes()
    with pytest.raises(BundleError):
        open_bundle(archive, document, [KEY.public], 1)


@pytest.mark.parametrize("roots", [[], [""], ["system"], ["datwat", "system"]])
def test_a_bundle_with_other_roots_is_refused_though_signed(
    archive: bytes, roots: list[str]
) -> None:
    revision = derive_revision(read_archive(archive))
    manifest = encode_canonical({"revision": revision, "roots": roots, "rego_version": 1})
    other = repack(archive, **{MANIFEST_PATH: manifest})
    with pytest.raises(BundleError):
        open_bundle(other, signed(other), [KEY.public], 1)


def test_a_manifest_that_names_another_revision_is_refused(archive: bytes) -> None:
    manifest = encode_canonical({"revision": "0" * 64, "roots": ["datwat"], "rego_version": 1})
    other = repack(archive, **{MANIFEST_PATH: manifest})
    with pytest.raises(BundleError):
        open_bundle(other, signed(other), [KEY.public], 1)


def test_unusual_archives_are_refused() -> None:
    link = tarfile.TarInfo("a")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for archive in (
        b"",
        b"no gzip",
        pack([link]),
        pack([tarfile.TarInfo("a"), tarfile.TarInfo("a")]),
        pack([tarfile.TarInfo("a")]) + b"more",
        pack([tarfile.TarInfo("a")])[:-4],
        pack([tarfile.TarInfo(f"f{number}") for number in range(501)], b""),
        pack([tarfile.TarInfo("bomb")], bytes(MAX_UNPACKED_BYTES)),
        bytes(MAX_ARCHIVE_BYTES + 1),
    ):
        with pytest.raises(BundleError):
            read_archive(archive)


def test_the_archive_for_opa_holds_the_same_files_and_a_signature(archive: bytes) -> None:
    key = OpaKey.generate()
    for_opa = build_opa_archive(archive, key)
    assert for_opa == build_opa_archive(archive, key)
    files = read_archive(for_opa)
    assert files.pop(".signatures.json")
    whole = read_archive(archive)
    assert whole.pop(CASES_PATH)  # OPA has no use for them
    assert files == whole
