"""Building the one policy bundle, its signature by the policy keys, and the archive that OPA loads.

Rules enforced: the same sources give the same bytes; tests stay out; one root, `datwat`; the cases
are for who puts the bundle in force, and OPA never sees them. OPA knows
no Ed25519 signatures of bundles (1.22: HMAC, RSA, ECDSA), so the broker, once it has verified the
policy keys' signature (`open_bundle`), signs the same files for its own OPA with a key of that
start only: policy keys → broker → OPA, and a file that changes underway is refused.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from broker.purposes.bundled_cases import build_cases_data, read_bases
from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from datwat.protocol.bundle import (
    CASES_PATH,
    CATALOGUE_PATH,
    MANIFEST_PATH,
    MAX_ARCHIVE_BYTES,
    MAX_UNPACKED_BYTES,
    ROOT,
    TEXTS_PATH,
    Bundle,
    BundleError,
    BundleStatement,
    derive_digest,
    derive_revision,
    read_archive,
)
from datwat.protocol.canonical import decode_strict, encode_canonical
from datwat.protocol.documents import SignedDocument, sign_document
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.values import encode_bytes

BUNDLE_NAME = "datwat"
_SIGNATURES_PATH = ".signatures.json"
_COORDINATE_SIZE = 32
# Heads, padding and end of a tar of as many small files as a bundle may have.
_TAR_BYTES = 1_048_576


class BundleTooLargeError(BundleError):
    """More than anybody would take."""

    code = "bundle_too_large"
    default_detail = (
        f"The policy bundle would be more than {MAX_ARCHIVE_BYTES // 1_048_576} MB: leave out what "
        "is not needed, such as purposes that have ended, or cases that try the same."
    )


class OpaKeyError(DatwatError):
    """Not a key with which a bundle can be signed for OPA."""

    code = "opa_key"
    default_detail = "The key for OPA must be an unencrypted PEM with an ECDSA P-256 private key."


@dataclass(frozen=True, slots=True)
class OpaKey:
    """An ECDSA P-256 key with which OPA checks what it loads."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_pem(self) -> str:
        """Return the public key as OPA's configuration takes it."""
        return (
            self.private.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode("ascii")
        )

    @classmethod
    def generate(cls) -> OpaKey:
        """Return a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> OpaKey:
        """Return the key in unencrypted PEM; raise OpaKeyError for anything but ECDSA P-256."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise OpaKeyError from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise OpaKeyError
        return cls(key)


def build_archive(
    policies_dir: Path,
    catalogue: Mapping[str, Any],
    texts: Mapping[str, Any],
    cases: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the bundle of every Rego file in `policies_dir` but the tests, with all the rest.

    `cases` are as `build_cases_data` gives them. Reproducible: the same input gives the same bytes
    (with the same zlib; the revision never differs). Raises BundleError where there is no Rego,
    BundleTooLargeError, CanonicalError for data that has no one spelling.
    """
    files = {
        path.relative_to(policies_dir).as_posix(): path.read_bytes()
        for path in sorted(policies_dir.rglob("*.rego"))
        if not path.name.endswith("_test.rego")
    }
    if not files:
        raise BundleError("There is no Rego in the folder of policies.")
    files[CATALOGUE_PATH] = encode_canonical(catalogue)
    files[TEXTS_PATH] = encode_canonical(texts)
    files[CASES_PATH] = encode_canonical(cases or build_cases_data(()))
    return _close(files)


def rebuild_archive(
    bundle: Bundle, *, catalogue: Catalogue | None = None, cases: Iterable[Case] | None = None
) -> bytes:
    """Return the bundle that has the Rego and texts of `bundle`, and another catalogue or cases.

    Reproducible as `build_archive`; raises what it raises.
    """
    files = read_archive(bundle.archive)
    if catalogue is not None:
        files[CATALOGUE_PATH] = encode_canonical(catalogue.to_data())
    if cases is not None:
        data = build_cases_data(cases, read_bases(bundle.cases))
        files[CASES_PATH] = encode_canonical(data)
    return _close(files)


def _close(files: dict[str, bytes]) -> bytes:
    """Return the archive of these files under a manifest of their own."""
    if sum(map(len, files.values())) > MAX_UNPACKED_BYTES - _TAR_BYTES:
        raise BundleTooLargeError
    manifest = {"revision": derive_revision(files), "roots": [ROOT], "rego_version": 1}
    files[MANIFEST_PATH] = encode_canonical(manifest)
    archive = pack_archive(files)
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise BundleTooLargeError
    return archive


def sign_archive(archive: bytes, keys: Sequence[SigningKey], *, seq: int) -> SignedDocument:
    """Return the statement over `archive` signed by `keys`; `seq` counts up with every bundle."""
    statement = BundleStatement(
        v=1,
        type="policy_bundle",
        bundle_digest=derive_digest(archive),
        revision=derive_revision(read_archive(archive)),
        seq=seq,
    )
    return sign_document(encode_canonical(statement.model_dump(mode="json")), keys)


def build_opa_archive(archive: bytes, key: OpaKey) -> bytes:
    """Return the archive's files with OPA's own signature file, made with `key`."""
    files = read_archive(archive)
    files.pop(CASES_PATH, None)
    named = [
        {"name": path, "hash": _hash_as_opa(path, files[path]), "algorithm": "SHA-256"}
        for path in sorted(files)
    ]
    token = _sign_es256(encode_canonical({"files": named}), key)
    return pack_archive({**files, _SIGNATURES_PATH: encode_canonical({"signatures": [token]})})


def _hash_as_opa(path: str, content: bytes) -> str:
    """Return what OPA compares: structured files are hashed in their sorted, compact spelling."""
    if path == MANIFEST_PATH or path.endswith("data.json"):
        content = encode_canonical(decode_strict(content, max_bytes=MAX_UNPACKED_BYTES))
    return hashlib.sha256(content).hexdigest()


def _sign_es256(payload: bytes, key: OpaKey) -> str:
    """Return a compact JWS (RFC 7515, RFC 7518 section 3.4), deterministic (RFC 6979)."""
    header = encode_bytes(encode_canonical({"alg": "ES256"}))
    signing_input = f"{header}.{encode_bytes(payload)}"
    method = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = decode_dss_signature(key.private.sign(signing_input.encode("ascii"), method))
    signature = r.to_bytes(_COORDINATE_SIZE, "big") + s.to_bytes(_COORDINATE_SIZE, "big")
    return f"{signing_input}.{encode_bytes(signature)}"


def pack_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a gzip of a tar in which nothing depends on the machine, the moment or the user."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(files[path]), 0o644
            tar.addfile(member, io.BytesIO(files[path]))
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    return deflater.compress(buffer.getvalue()) + deflater.flush()
