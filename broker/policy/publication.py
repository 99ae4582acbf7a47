"""A bundle and its signatures in a folder: made by policy officers, read by the broker.

Rules enforced: a new bundle counts `seq` up; keys that are never in one place sign one after the
other what lies in the folder; the files are replaced whole. Nothing read here is believed before
`open_bundle`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from broker.policy.bundle import OpaKey, build_archive, build_opa_archive, sign_archive
from broker.purposes.bundled_cases import build_cases_data
from broker.purposes.cases import load_bases, load_cases
from broker.purposes.catalogue import load_catalogue
from broker.purposes.guards import require_guarded_catalogue
from broker.purposes.wording import load_texts
from datwat.party.files import describe_obstacle, replace_file
from datwat.protocol.bundle import MAX_ARCHIVE_BYTES, BundleStatement, derive_digest
from datwat.protocol.canonical import MAX_BYTES
from datwat.protocol.documents import SignedDocument, add_signature
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Card, PublicJwk

ARCHIVE_FILE = "bundle.tar.gz"
DOCUMENT_FILE = "bundle.json"
OPA_ARCHIVE_FILE = "bundle-opa.tar.gz"
KEY_PATTERN = "policy-*.key"


class PublicationError(DatwatError):
    """The folder of the published bundle cannot be used as it is."""

    code = "bundle_folder"
    default_detail = "The folder holds no signed bundle: `datwat purpose sign` makes one."


class Publication(NamedTuple):
    """What lies in the folder: exact bytes, and what was said of them when they were signed."""

    archive: bytes
    document: bytes
    statement: BundleStatement
    signatures: int


def build_publication(policies_dir: Path) -> bytes:
    """Return the archive of a policies folder, after every check that its parts have.

    Raises PolicyFileError with file and place, GuardRailError, BundleError, CanonicalError.
    """
    catalogue = load_catalogue(policies_dir)
    require_guarded_catalogue(catalogue)
    cases = build_cases_data((), {})
    if (policies_dir / "cases").is_dir():
        cases = build_cases_data(load_cases(policies_dir, catalogue), load_bases(policies_dir))
    return build_archive(policies_dir, catalogue.to_data(), load_texts(policies_dir), cases)


def sign_publication(archive: bytes, folder: Path, keys: Sequence[SigningKey]) -> Publication:
    """Sign `archive` into `folder`: as the next bundle, or adding signatures to the same one.

    Raises PublicationError where there is no key, or the folder cannot be written.
    """
    if not keys:
        raise PublicationError("No policy key to sign with: name one with --key.")
    held = find_publication(folder)
    if held is not None and held.statement.bundle_digest == derive_digest(archive):
        document = SignedDocument.from_bytes(held.document)
        for key in keys:
            document = add_signature(document, key)
    else:
        document = sign_archive(archive, keys, seq=held.statement.seq + 1 if held else 1)
    write_publication(folder, archive, document.to_bytes())
    return _describe(archive, document)


def write_publication(folder: Path, archive: bytes, document: bytes) -> None:
    """Put a bundle and its signatures in a folder; raise PublicationError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The archive first: a crash between the two leaves a digest that does not fit, never a mix.
        replace_file(folder / ARCHIVE_FILE, archive)
        replace_file(folder / DOCUMENT_FILE, document)
    except OSError as error:
        raise PublicationError(describe_obstacle(error, folder)) from None


def write_opa_archive(archive: bytes, folder: Path, key_path: Path) -> Path:
    """Write the same files, signed with an ECDSA key (PEM), for an OPA that others run.

    Raises OpaKeyError, PublicationError.
    """
    path = folder / OPA_ARCHIVE_FILE
    try:
        replace_file(path, build_opa_archive(archive, OpaKey.from_pem(key_path.read_bytes())))
    except OSError as error:
        raise PublicationError(describe_obstacle(error, folder)) from None
    return path


def read_publication(folder: Path) -> Publication:
    """Return what lies in `folder`, unverified; raise PublicationError where it is incomplete."""
    found = find_publication(folder)
    if found is None:
        raise PublicationError
    return found


def find_publication(folder: Path) -> Publication | None:
    """Return what lies in `folder`, unverified, or None; raise PublicationError for rubbish."""
    archive, document = folder / ARCHIVE_FILE, folder / DOCUMENT_FILE
    if not (archive.is_file() and document.is_file()):
        return None
    try:
        raw = _read(archive, MAX_ARCHIVE_BYTES)
        return _describe(raw, SignedDocument.from_bytes(_read(document, 2 * MAX_BYTES)))
    except (OSError, ValidationError):
        raise PublicationError(
            f"{folder} holds a bundle that cannot be read: restore it, or name another folder."
        ) from None


def create_policy_keys(folder: Path, count: int) -> Card:
    """Write `count` fresh policy keys and their card into a folder that has none; return the card.

    Raises PublicationError where there are some already, or the folder cannot be written.
    """
    if any(folder.glob(KEY_PATTERN)):
        raise PublicationError(f"{folder} already holds policy keys: choose another folder.")
    public = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(1, count + 1):
            key = SigningKey.generate()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(folder / f"policy-{number}.key", flags, 0o600), "w") as file:
                file.write(key.to_jwk_text())
            public.append(PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw))
        card = Card(v=1, role="policy", policy_keys=tuple(public))
        replace_file(folder / "card.json", card.model_dump_json(indent=2).encode())
    except OSError as error:
        raise PublicationError(describe_obstacle(error, folder)) from None
    return card


def read_policy_keys(paths: Sequence[Path]) -> list[SigningKey]:
    """Return the keys in these files; raise PublicationError, KeyFormError or CanonicalError."""
    try:
        return [SigningKey.from_jwk_text(path.read_text(encoding="utf-8")) for path in paths]
    except OSError as error:
        raise PublicationError(describe_obstacle(error)) from None
    except UnicodeDecodeError:
        raise PublicationError("A file with a policy key is no text: name the right one.") from None


def _describe(archive: bytes, document: SignedDocument) -> Publication:
    statement = BundleStatement.model_validate_json(document.payload)
    signers = {signature.protected for signature in document.signatures}
    return Publication(archive, document.to_bytes(), statement, len(signers))


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)
