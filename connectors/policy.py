"""The policy bundle as this connector holds it: fetched from the broker, believed from nobody.

Rules: it counts only under the threshold of policy keys of the trust list, and its `seq` never goes
back (ratchet); what is held stays in force while nothing newer can be had, over a restart too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.errors import PurposeUnknownError
from datwat.party import clock
from datwat.party.files import replace_file
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.settings import make_private_folder
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory, read_verify_keys
from datwat.protocol.bundle import MAX_ARCHIVE_BYTES, Bundle, open_bundle
from datwat.protocol.errors import DatwatError
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.messages import PurposeRef

REFRESH_EVERY: Final = timedelta(minutes=1)
# Parties that start together wait for one another.
_FIRST_EVERY: Final = timedelta(seconds=1)
_SECONDS: Final = 10.0
_MAX_SIGNATURE_BYTES: Final = 65_536
_RATCHET_NAME: Final = "policy_bundle"
_log = get_logger("policy")


class PolicyKeeper:
    """Holds the newest bundle; `bundle` is None until the first one was had."""

    def __init__(
        self, home: Path, directory: Callable[[], Directory], ratchet: Ratchet, http: HttpOut
    ) -> None:
        """Keep the parts; `http` is the party's own way out, which the trust list takes too."""
        self._folder = home / "policy"
        self._directory = directory
        self._ratchet = ratchet
        self._http = http
        self._refreshing = asyncio.Lock()
        self.bundle: Bundle | None = None
        # By which document and which list the bundle held was believed.
        self._signed: tuple[bytes, int] | None = None

    def load(self) -> None:
        """Take up what was held before a restart, if it still holds."""
        try:
            archive = (self._folder / "bundle.tar.gz").read_bytes()
            document = (self._folder / "signature.json").read_bytes()
            self.bundle = self._open(archive, document)
        except (OSError, DatwatError):
            self.bundle = None

    async def refresh(self) -> Bundle:
        """Fetch the bundle from the broker and return what is in force now.

        The archive, which can be a megabyte, is fetched only where its signature is not the one
        held. Raises PeerError, BundleError, ThresholdError, RatchetError; what was held stays.
        """
        async with self._refreshing:
            trust = self._directory().trust
            base = trust.broker.url.rstrip("/") + "/v1/bundle"
            document = await self._fetch(base + "/signature", _MAX_SIGNATURE_BYTES)
            if self.bundle is not None and self._signed == (document, trust.seq):
                return self.bundle
            archive = await self._fetch(base, MAX_ARCHIVE_BYTES)
            bundle = await asyncio.to_thread(self._open, archive, document)
            self._ratchet.advance(_RATCHET_NAME, bundle.seq, bytes.fromhex(bundle.digest))
            # Also where only its signatures are others: those kept must hold after a restart too.
            if self._signed is None or self._signed[0] != document:
                await asyncio.to_thread(self._keep, archive, document)
            self.bundle, self._signed = bundle, (document, trust.seq)
            return bundle

    async def run(self, every: timedelta = REFRESH_EVERY) -> None:
        """Refresh for ever; a failure is logged and what is held stays in force."""
        while True:
            try:
                await self.refresh()
            except DatwatError as error:
                _log.warning("policy_bundle_not_refreshed", code=error.code)
            pause = every if self.bundle is not None else _FIRST_EVERY
            await asyncio.sleep(pause.total_seconds())

    async def require_bundle(self) -> Bundle:
        """Return the bundle in force, fetched now where none was held; raise PeerError."""
        return self.bundle or await self.refresh()

    async def require_purpose(self, purpose_id: str) -> PurposeRef:
        """Return id and digest of a purpose, asking the broker once more where it is not known.

        Raises PurposeUnknownError, PeerError.
        """
        for bundle in (self.bundle, None):
            current = bundle or await self.refresh()
            digest = find_digest(current, purpose_id, clock.now())
            if digest is not None:
                return PurposeRef(id=purpose_id, digest=digest)
        raise PurposeUnknownError

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        return await self._http.fetch_file(url, seconds=_SECONDS, max_bytes=max_bytes)

    def _open(self, archive: bytes, document: bytes) -> Bundle:
        policy = self._directory().trust.policy
        mark = self._ratchet.value(_RATCHET_NAME)
        return open_bundle(
            archive,
            document,
            read_verify_keys(policy.keys).values(),
            policy.threshold,
            minimum_seq=mark.number if mark else 1,
        )

    def _keep(self, archive: bytes, document: bytes) -> None:
        make_private_folder(self._folder)
        for name, content in (("bundle.tar.gz", archive), ("signature.json", document)):
            replace_file(self._folder / name, content)


def find_digest(bundle: Bundle, purpose_id: str, now: datetime) -> str | None:
    """Return the digest at which a purpose may be named now, if it may.

    What was in force a moment ago, for another clock may be behind this one, and a revision that is
    followed may still be named (`CatalogueView.grace_seconds`); else what is in force now.
    """
    view = bundle.view
    found = view.find_revision(purpose_id, now - CLOCK_SKEW)
    if found is None or view.find_cited(purpose_id, found.digest, now) is None:
        found = view.find_revision(purpose_id, now)
    return found.digest if found is not None else None
