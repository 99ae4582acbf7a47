"""What the whole broker stands on: checked and running before anything else is built.

Rules: it does not serve without a valid trust list that names it and a valid signed bundle; OPA
starts before the first question and ends with the process; the log is checked against the ratchet
before it signs.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from sqlalchemy import Engine

from broker.adapters.database import migrate, open_engine
from broker.adapters.ldv_outbox import build_processing_log
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import BrokerSecrets, load_secrets
from broker.audit.log import Log
from broker.audit.proofs import Proofs
from broker.audit.sealing import Sealing
from broker.ending import require_kek
from broker.exchange.processing import ProcessingLog
from broker.policy_start import Begun, Opa, begin_policy
from broker.settings import BrokerSettings
from broker.sharing import Sharing
from broker.sharing_opening import open_sharing, require_room
from datwat.party import clock
from datwat.party.errors import PartyError
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.telemetry import get_logger, name_failure
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.party.trust_list import Directory, read_verify_keys

_log = get_logger("broker")


class NotListedError(PartyError):
    """The trust list does not name this broker with the keys of this home."""

    code = "not_listed"
    default_detail = "The trust list does not name this broker with its keys: sign its card in."


@dataclass(slots=True)
class Ground:
    """What all the rest is built on."""

    secrets: BrokerSecrets = field(repr=False)
    database: Engine
    sharing: Sharing
    ratchet: Ratchet
    http: HttpOut
    keeper: TrustKeeper
    begun: Begun
    store: SqlLogStore
    sealing: Sealing
    log: Log
    proofs: Proofs
    processing: ProcessingLog

    @property
    def opa(self) -> Opa:
        """The policy engine."""
        return self.begun.engine


async def open_ground(settings: BrokerSettings, stack: AsyncExitStack) -> Ground:
    """Return it for this home; what was opened ends with `stack`.

    Raises SecretError, DatabaseError, RatchetError, TrustListError, NotListedError, BundleError,
    ThresholdError, OpaMissingError, OpaStartError, LogError.
    """
    require_room(settings)
    secrets = load_secrets(settings.home)
    engine = open_engine(settings.database)
    stack.callback(engine.dispose)
    await asyncio.to_thread(migrate, engine)
    ratchet = stack.enter_context(await asyncio.to_thread(open_ratchet, settings))
    sharing = await open_sharing(settings, engine, ratchet, stack)
    http = await stack.enter_async_context(HttpOut())
    keeper = await TrustKeeper.open(settings, ratchet, http)
    _require_listed(settings, secrets, keeper.directory)
    begun = await begin_policy(settings, keeper.directory, ratchet, stack)
    store = SqlLogStore(engine)
    stack.callback(store.close)
    sealing = Sealing(secrets.kek, store)
    await asyncio.to_thread(require_kek, sealing, secrets.kek, ratchet)
    log = Log(store, ratchet, secrets.build_signer(settings.log_origin), stop_process)
    log.start()
    stack.callback(log.stop)
    return Ground(
        secrets=secrets,
        database=engine,
        sharing=sharing,
        ratchet=ratchet,
        http=http,
        keeper=keeper,
        begun=begun,
        store=store,
        sealing=sealing,
        log=log,
        proofs=Proofs(log),
        processing=build_processing_log(settings.ldv_target, secrets.row_key, clock.now),
    )


def _require_listed(settings: BrokerSettings, secrets: BrokerSecrets, directory: Directory) -> None:
    listed, log = directory.trust.broker, directory.trust.log
    keys = read_verify_keys(listed.keys)
    fits = (
        listed.id == settings.id
        and any(key.public.kid in keys for key in secrets.signing_keys.keys)
        and any(key.public.raw in listed.x25519 for key in secrets.exchange_keys.keys)
        and log.origin == settings.log_origin
        and any(vkey in log.vkeys for vkey in secrets.build_signer(log.origin).vkeys)
    )
    if not fits:
        raise NotListedError


def stop_process(error: BaseException) -> None:
    """End the process: the log cannot go on, so nothing may be answered any more."""
    _log.critical("log_stopped", exception=name_failure(error))
    signal.raise_signal(signal.SIGTERM)
