"""The policy bundle as anyone reads it: Rego, catalogue, texts and cases in one signed archive.

OPA, broker and gateways load the same bytes, so that neither broker nor partner can invent a
purpose. What is signed is a `BundleStatement` (a document of `documents.py`) over SHA-256 of the
archive; nothing of an archive is read before that holds. Form of the archive: OPA's bundle (gzip,
tar) with exactly one root, `datwat`: a bundle without roots would replace the policy that guards
OPA itself.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, ValidationError

from datwat.protocol.canonical import CanonicalError, decode_canonical, decode_strict
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.documents import SignedDocument, build_verify_keys, require_threshold
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import VerifyKey
from datwat.protocol.messages import Digest
from datwat.protocol.values import Value

# Five hundred purposes, each with its present and its next revision and its cases, are some 10 MB
# of JSON and some 1 MB packed; twice that and more is no catalogue but a bomb.
MAX_ARCHIVE_BYTES = 4 * 1_048_576
MAX_UNPACKED_BYTES = 32 * 1_048_576
MAX_FILES = 500
ROOT = "datwat"
MANIFEST_PATH = ".manifest"
CATALOGUE_PATH = "datwat/catalogue/data.json"
TEXTS_PATH = "datwat/texts/data.json"
CASES_PATH = "datwat/cases.json"
_GZIP = 31  # zlib's window bits for a gzip member


class BundleError(ProtocolError):
    """A policy bundle that does not hold: the one in force stays."""

    code = "bundle_form"
    default_detail = "This is not a policy bundle: build it with `datwat purpose sign`."


class BundleDigestError(BundleError):
    """The archive is not the one that was signed."""

    code = "bundle_digest"
    default_detail = "The policy bundle is not the one that its signature names."


class BundleStaleError(BundleError):
    """An older bundle than the one already seen."""

    code = "bundle_stale"
    default_detail = "The policy bundle is older than the one in force."


class BundleStatement(Value):
    """What the policy keys sign; a higher `seq` replaces a lower one, be it with older rules."""

    v: Literal[1]
    type: Literal["policy_bundle"]
    bundle_digest: Digest
    revision: Digest
    seq: int = Field(ge=1)


class _Manifest(Value):
    """OPA's manifest, with what we allow in it."""

    revision: Digest
    roots: tuple[Literal["datwat"]]
    rego_version: Literal[1]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that the policy keys signed: what OPA runs and what gateways hold orders against.

    `catalogue` is `data.datwat.catalogue` as JSON values; `view` what a gateway needs of it;
    `texts` are the texts by language and code; `cases` what must come out of it, as JSON values.
    """

    revision: str
    seq: int
    digest: str
    archive: bytes = field(repr=False)
    catalogue: Mapping[str, Any] = field(repr=False)
    texts: Mapping[str, Any] = field(repr=False)
    cases: Mapping[str, Any] = field(repr=False)
    view: CatalogueView = field(repr=False)


def open_bundle(
    archive: bytes,
    document: bytes,
    policy_keys: Iterable[VerifyKey],
    threshold: int,
    *,
    minimum_seq: int = 1,
) -> Bundle:
    """Return the bundle in `archive` if the threshold of `policy_keys` signed exactly these bytes.

    1. Signatures; 2. statement; 3. `seq` at least the one that the caller last accepted; 4. digest;
    only then 5. the archive, its root and its revision. Raises CanonicalError, DocumentFormError,
    ThresholdError, BundleStaleError, BundleDigestError, BundleError.
    """
    signed = SignedDocument.from_bytes(document)
    payload = require_threshold(signed, build_verify_keys(policy_keys), threshold)
    try:
        decode_canonical(payload)
        statement = BundleStatement.model_validate_json(payload)
    except (CanonicalError, ValidationError):
        raise BundleError from None
    if statement.seq < minimum_seq:
        raise BundleStaleError
    if derive_digest(archive) != statement.bundle_digest:
        raise BundleDigestError
    files = read_archive(archive)
    if statement.revision != derive_revision(files):
        raise BundleError
    return _read_bundle(files, archive, statement)


def derive_digest(archive: bytes) -> str:
    """Return SHA-256 of the archive's bytes, in hex."""
    return hashlib.sha256(archive).hexdigest()


def derive_revision(files: Mapping[str, bytes]) -> str:
    """Return SHA-256 over path and SHA-256 of every file but the manifest, ordered by path."""
    whole = hashlib.sha256()
    for path in sorted(files):
        if path != MANIFEST_PATH:
            whole.update(f"{path}\0{hashlib.sha256(files[path]).hexdigest()}\n".encode())
    return whole.hexdigest()


def read_archive(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive by path; raise BundleError for anything unusual in it."""
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise BundleError
    inflater = zlib.decompressobj(_GZIP)
    try:
        raw = inflater.decompress(archive, MAX_UNPACKED_BYTES)
        if not inflater.eof or inflater.unused_data:
            raise BundleError
        files: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or member.name in files or len(files) == MAX_FILES:
                    raise BundleError
                files[member.name] = content.read()
    except (zlib.error, tarfile.TarError):
        raise BundleError from None
    return files


def _read_bundle(files: Mapping[str, bytes], archive: bytes, statement: BundleStatement) -> Bundle:
    try:
        manifest = _Manifest.model_validate_json(files[MANIFEST_PATH])
        catalogue = decode_strict(files[CATALOGUE_PATH], max_bytes=MAX_UNPACKED_BYTES)
        texts = decode_strict(files[TEXTS_PATH], max_bytes=MAX_UNPACKED_BYTES)
        cases = decode_strict(files[CASES_PATH], max_bytes=MAX_UNPACKED_BYTES)
        view = CatalogueView.model_validate_json(files[CATALOGUE_PATH])
    except (KeyError, CanonicalError, ValidationError):
        raise BundleError from None
    if manifest.revision != statement.revision:
        raise BundleError
    return Bundle(
        revision=statement.revision,
        seq=statement.seq,
        digest=statement.bundle_digest,
        archive=archive,
        catalogue=catalogue,
        texts=texts,
        cases=cases,
        view=view,
    )
