"""Puts together what officers work with: register of roles, trials, and the life of purposes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from broker.adapters.log_store import SqlLogStore
from broker.adapters.officer_store import SqlOfficers
from broker.adapters.purpose_store import SqlPurposes
from broker.adapters.replay_store import SqlReplays
from broker.adapters.rows import RowSealer
from broker.audit.log import Log
from broker.following import Following
from broker.policy.authoring import Authoring
from broker.policy.authoring_ports import PolicyKeys, Ports
from broker.policy.publication import PublicationError, find_publication, write_publication
from broker.policy.sealed_keys import SealedKeys
from broker.pseudonyms.row_keys import RowKeys
from broker.purposes.drafts import DraftRow
from broker.purposes.role_register import RoleRegister
from broker.settings import BrokerSettings
from broker.trying.at_once import AtOnce
from broker.trying.replays import ReplayPorts, Replays
from broker.trying.trials import Trials
from datwat.party.trust_keeper import TrustKeeper
from datwat.party.trust_list import read_verify_keys
from datwat.protocol.bundle import BundleStatement, derive_digest
from datwat.protocol.documents import SignedDocument


@dataclass(frozen=True, slots=True)
class OfficersGround:
    """What officers' services stand on."""

    settings: BrokerSettings
    row_key: RowKeys
    database: Engine
    store: SqlLogStore
    log: Log
    keeper: TrustKeeper
    following: Following
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Officers:
    """What officers work with; one of each per process."""

    register: RoleRegister
    trials: Trials
    replays: Replays
    authoring: Authoring


def open_officers(ground: OfficersGround, stack: AsyncExitStack) -> Officers:
    """Return the services, the trials of which end with the process."""
    sealer = RowSealer(ground.row_key)
    register = RoleRegister(
        SqlOfficers(sealer),
        ground.log,
        ground.store.reading,
        list_policy_kids=lambda: _read_keys(ground.keeper).kids,
        clock=ground.clock,
    )
    at_once = AtOnce()
    trials = Trials(lambda: ground.following.here.bundle, ground.clock, at_once)
    stack.push_async_callback(trials.close)
    store = SqlPurposes(sealer)

    def list_drafts() -> Sequence[DraftRow]:
        with ground.store.reading() as conn:
            return store.list_drafts(conn, ground.clock())

    replays = Replays(
        ReplayPorts(
            home=ground.settings.home,
            replays=SqlReplays(ground.database, ground.row_key),
            read_bundle=lambda: ground.following.here.bundle,
            read_size=lambda: ground.log.size,
            list_drafts=list_drafts,
            append=ground.log.append,
            clock=ground.clock,
        ),
        at_once,
    )
    stack.push_async_callback(replays.close)
    ports = Ports(
        store=store,
        register=register,
        log=ground.log,
        reading=ground.store.reading,
        read_bundle=lambda: ground.following.here.bundle,
        read_document=lambda: ground.following.here.files.document,
        read_policy_keys=lambda: _read_keys(ground.keeper),
        publish=_Publisher(Path(ground.settings.bundle), ground.following).publish,
        run_cases=trials.run_cases,
        read_sign_off=replays.read_sign_off,
        sealed_keys=SealedKeys(ground.settings.home),
        clock=ground.clock,
    )
    return Officers(register, trials, replays, Authoring(ports))


class _Publisher:
    """Puts a bundle where this process, and whoever shares the folder, reads it."""

    def __init__(self, folder: Path, following: Following) -> None:
        self._folder = folder
        self._following = following

    async def publish(self, archive: bytes, document: bytes) -> str | None:
        """Write and take up; return in one sentence why it is not in force, or None."""
        try:
            await asyncio.to_thread(self._write, archive, document)
        except PublicationError as error:
            return error.detail
        state = await self._following.look()
        if state.refused is not None:
            return state.refused.detail
        is_there = state.digest == await asyncio.to_thread(derive_digest, archive)
        return None if is_there else "Another bundle of this number or a higher one lies there."

    def _write(self, archive: bytes, document: bytes) -> None:
        """Put it there unless something newer, signed as a file, lies there already."""
        payload = SignedDocument.from_bytes(document).payload
        seq = BundleStatement.model_validate_json(payload).seq
        try:
            held = find_publication(self._folder)
        except PublicationError:
            held = None
        if held is None or held.statement.seq < seq:
            write_publication(self._folder, archive, document)


def _read_keys(keeper: TrustKeeper) -> PolicyKeys:
    """Return the policy keys of the trust list in force."""
    policy = keeper.directory.trust.policy
    return PolicyKeys(tuple(read_verify_keys(policy.keys).values()), policy.threshold)
