"""Where signed bundles lie: the folder they are published in, and the last one put in force here.

Rules: nothing counts that the policy keys of the trust list in force did not sign, or that goes
back behind what was in force; the mark that holds this moves only once a bundle is in force; what
was in force is kept, so that a restart does not depend on what lies in the folder by then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from broker.policy.publication import (
    DOCUMENT_FILE,
    Publication,
    PublicationError,
    find_publication,
    read_publication,
    write_publication,
)
from datwat.party.ratchet import Ratchet, RatchetAlarmError
from datwat.party.settings import make_private_folder, only_here
from datwat.party.trust_list import Directory, read_verify_keys
from datwat.protocol.bundle import Bundle, derive_digest, open_bundle

BUNDLE_RATCHET = "policy_bundle"


class Found(NamedTuple):
    """A bundle that the policy keys signed, and the document that says so."""

    bundle: Bundle
    document: bytes


class PolicyFolders:
    """The folder of the officers, which may hold anything, and the one of this broker."""

    def __init__(self, published: Path, kept: Path, ratchet: Ratchet) -> None:
        """Keep the places; `ratchet` holds how far the bundles in force here got."""
        self._published = published
        self._kept = kept
        self._ratchet = ratchet

    def read_published(self) -> Publication:
        """Return what lies in the officers' folder, unverified; raise PublicationError."""
        return read_publication(self._published)

    def find_kept(self) -> Publication | None:
        """Return the last bundle that was in force here, unverified, if it can be read."""
        try:
            return find_publication(self._kept)
        except PublicationError:
            return None

    def find_since(self, digest: str) -> datetime | None:
        """Return since when the kept bundle is in force here, if it is the one of `digest`."""
        kept = self.find_kept()
        if kept is None or derive_digest(kept.archive) != digest:
            return None
        written = (self._kept / DOCUMENT_FILE).stat().st_mtime
        return datetime.fromtimestamp(int(written), UTC)

    def verify(self, publication: Publication, directory: Directory) -> Found:
        """Return the bundle, if it may be put in force here.

        Raises BundleError, ThresholdError, RatchetAlarmError, and what `open_bundle` raises.
        """
        policy, mark = directory.trust.policy, self._ratchet.value(BUNDLE_RATCHET)
        bundle = open_bundle(
            publication.archive,
            publication.document,
            read_verify_keys(policy.keys).values(),
            policy.threshold,
            minimum_seq=mark.number if mark else 1,
        )
        digest = bytes.fromhex(bundle.digest)
        if mark is not None and mark.number == bundle.seq and mark.digest != digest:
            raise RatchetAlarmError
        return Found(bundle, publication.document)

    def advance(self, bundle: Bundle) -> None:
        """Note that `bundle` is in force: nothing before it ever will be again."""
        self._ratchet.advance(BUNDLE_RATCHET, bundle.seq, bytes.fromhex(bundle.digest))

    def keep(self, found: Found) -> None:
        """Keep a bundle that is in force; raise PublicationError where it cannot be written."""
        make_private_folder(self._kept)
        with only_here(self._kept):  # other processes of this home keep theirs
            held = self.find_kept()
            if held is None or held.statement.seq <= found.bundle.seq:
                write_publication(self._kept, found.bundle.archive, found.document)
