"""What the life of a purpose needs of the process around it, and what it rests on now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from broker.audit.log import Log
from broker.policy.bundle import sign_archive
from broker.policy.draft_reading import Ground
from broker.policy.replay_result import TrialState
from broker.policy.sealed_keys import SealedKeys
from broker.purposes.cases import Failure
from broker.purposes.drafts import PurposeStore
from broker.purposes.role_register import Reading, RoleRegister
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import SigningKey, VerifyKey


class PolicyKeys(NamedTuple):
    """The policy keys that the trust list names now, and how many must sign."""

    keys: tuple[VerifyKey, ...]
    threshold: int

    @property
    def kids(self) -> frozenset[str]:
        """Their thumbprints."""
        return frozenset(key.kid for key in self.keys)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the rooms around hand in.

    `publish` puts archive and document where the process reads them, has them taken up at once, and
    returns in one sentence why that was refused, or None. `run_cases` weighs the cases of an
    archive in a process of its own, for the officer named last. `read_sign_off` tells of the newest
    replay of a draft; `none` where it needs one first.
    """

    store: PurposeStore
    register: RoleRegister
    log: Log
    reading: Reading
    read_bundle: Callable[[], Bundle]
    read_document: Callable[[], bytes]
    read_policy_keys: Callable[[], PolicyKeys]
    publish: Callable[[bytes, bytes], Awaitable[str | None]]
    run_cases: Callable[[bytes, str | None, str | None], Awaitable[Sequence[Failure]]]
    read_sign_off: Callable[[str], TrialState]
    sealed_keys: SealedKeys
    clock: Callable[[], datetime]


class Grounds:
    """The bundle in force as drafts are held against it, read once per bundle."""

    def __init__(self, read_bundle: Callable[[], Bundle]) -> None:
        """Keep where the bundle in force is."""
        self._read_bundle = read_bundle
        self._held: Ground | None = None

    def read(self) -> Ground:
        """Return the ground of the bundle in force; takes long for many purposes: in a thread."""
        bundle = self._read_bundle()
        held = self._held
        if held is None or held.bundle.digest != bundle.digest or held.bundle.seq != bundle.seq:
            held = self._held = Ground.of(bundle)
        return held

    async def fetch(self) -> Ground:
        """Return the same without holding up the event loop."""
        return await asyncio.to_thread(self.read)


def open_archive(archive: bytes, seq: int) -> Bundle:
    """Return what an archive of our own says, under a key that lives as long as this call.

    Raises BundleError.
    """
    key = SigningKey.generate()
    document = sign_archive(archive, [key], seq=seq).to_bytes()
    return open_bundle(archive, document, [key.public], 1)
