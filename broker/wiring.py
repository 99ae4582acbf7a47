"""Building the broker: the only place, with `app.py`, that knows adapters.

Rules: it does not serve without a valid trust list and a valid signed bundle; OPA starts before the
first question and ends with the process; the log is checked against the ratchet before it signs.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from broker.adapters.database import migrate, open_engine
from broker.adapters.delayed_subjects import find_delayed_subjects
from broker.adapters.even_writes import write_known
from broker.adapters.fast_reads import open_fast_reads
from broker.adapters.gateways import HttpGateways
from broker.adapters.log_store import SqlLogStore
from broker.adapters.opa import ExternalOpa, SupervisedOpa
from broker.adapters.opa_process import find_opa
from broker.adapters.purging import purge_ended
from broker.adapters.secrets import BrokerSecrets, load_secrets
from broker.adapters.stores import build_registers
from broker.adapters.suspension_store import SqlSuspensions
from broker.adapters.tables import SPENT
from broker.api.routes import PolicyFiles
from broker.audit.log import Log
from broker.audit.payloads import Organisation
from broker.audit.proofs import Proofs
from broker.audit.sealing import Sealing
from broker.exchange.gather import TicketKeys
from broker.exchange.housekeeping import Housekeeper
from broker.exchange.opening import FindRenewal, Openings
from broker.exchange.outbox import Outbox
from broker.exchange.recorded import Ledger
from broker.exchange.rooms import Rooms
from broker.exchange.suspensions import Suspensions
from broker.exchange.table import build_acts
from broker.policy.publication import read_publication
from broker.purposes.wording import Texts
from broker.settings import BrokerSettings
from broker.transparency.access_log import AccessLogReader
from datwat.party import clock
from datwat.party.errors import PartyError
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.settings import read_secret
from datwat.party.spent import SpentRequests
from datwat.party.telemetry import get_logger
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.party.trust_list import Directory, read_verify_keys
from datwat.protocol.access_log import Sentence
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.ticket import derive_ticket_key

BUNDLE_RATCHET = "policy_bundle"
_log = get_logger("broker")


class NotListedError(PartyError):
    """The trust list does not name this broker with the keys of this home."""

    code = "not_listed"
    default_detail = "The trust list does not name this broker with its keys: sign its card in."


class TrustHere:
    """Who is in force, and what opens tickets, as of the list held now."""

    def __init__(self, keeper: TrustKeeper, exchange: ExchangeKey) -> None:
        self._keeper = keeper
        self._exchange = exchange
        self._built: tuple[Directory, TicketKeys] | None = None

    @property
    def directory(self) -> Directory:
        """Who is in force."""
        return self._keeper.directory

    @property
    def ticket_keys(self) -> TicketKeys:
        """What opens tickets, derived once per list."""
        directory = self._keeper.directory
        if self._built is None or self._built[0] is not directory:
            holder = directory.trust.key_holder
            keys = [
                derive_ticket_key(
                    self._exchange, holder=ExchangePublicKey(raw), broker=self._exchange.public
                )
                for raw in holder.x25519
            ]
            epochs = {epoch.epoch: epoch.pk for epoch in holder.epochs}
            self._built = (directory, TicketKeys({key.kid: key for key in keys}, epochs))
        return self._built[1]


class Reads:
    """One held connection for the short reads of the event loop (performance.md)."""

    def __init__(self, engine: Engine) -> None:
        self._fast = open_fast_reads(engine)
        self._connection = None if self._fast else engine.connect()

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """Yield the connection in a transaction of its own: one unchanging view."""
        if self._fast is not None:
            with self._fast.begin() as connection:
                yield connection
        elif self._connection is not None:
            with self._connection.begin():
                yield self._connection

    def close(self) -> None:
        """Give the connection back."""
        for held in (self._fast, self._connection):
            if held is not None:
                held.close()


@dataclass(slots=True)
class PolicyHere:
    """The bundle in force, as routes and pages read it."""

    files: PolicyFiles
    bundle: Bundle

    @classmethod
    def build(cls, bundle: Bundle, document: bytes) -> PolicyHere:
        """Return the words of a bundle beside its bytes."""
        titles = {
            name: Sentence(nl=purpose["title"]["nl"], en=purpose["title"]["en"])
            for name, purpose in bundle.catalogue["purposes"].items()
        }
        return cls(PolicyFiles(bundle.archive, document, Texts(bundle.texts), titles), bundle)


def open_policy(folder: str, directory: Directory, ratchet: Ratchet) -> PolicyHere:
    """Return the signed bundle in `folder`, and never an older one than was accepted before.

    Raises PublicationError, BundleError, ThresholdError, RatchetError.
    """
    publication = read_publication(Path(folder))
    policy = directory.trust.policy
    mark = ratchet.value(BUNDLE_RATCHET)
    bundle = open_bundle(
        publication.archive,
        publication.document,
        read_verify_keys(policy.keys).values(),
        policy.threshold,
        minimum_seq=mark.number if mark else 1,
    )
    ratchet.advance(BUNDLE_RATCHET, bundle.seq, bytes.fromhex(bundle.digest))
    return PolicyHere.build(bundle, publication.document)


def build_renewals(bundle: Bundle) -> FindRenewal:
    """Return what gives the policy's longest renewal of a special situation on a ground."""
    grounds = bundle.catalogue["covenant"]["grounds"]

    def find_renewal(ground: str) -> timedelta:
        return timedelta(days=grounds[ground]["renewal_days"] if ground in grounds else 0)

    return find_renewal


@dataclass(slots=True)
class Broker:
    """Everything that a running broker holds."""

    settings: BrokerSettings
    secrets: BrokerSecrets
    keeper: TrustKeeper
    ratchet: Ratchet
    log: Log
    store: SqlLogStore
    sealing: Sealing
    rooms: Rooms
    reader: AccessLogReader
    gateways: HttpGateways
    engine: SupervisedOpa | ExternalOpa
    policy: PolicyHere
    suspensions: Suspensions
    openings: Openings
    outbox: Outbox
    housekeeper: Housekeeper


async def open_broker(settings: BrokerSettings, stack: AsyncExitStack) -> Broker:
    """Return a broker with its log running and its policy engine ready."""
    secrets = load_secrets(settings.home)
    engine = open_engine(settings.database)
    stack.callback(engine.dispose)
    await asyncio.to_thread(migrate, engine)
    ratchet = stack.enter_context(open_ratchet(settings))
    http = await stack.enter_async_context(HttpOut())
    keeper = await TrustKeeper.open(settings, ratchet, http)
    _require_listed(settings, secrets, keeper.directory)
    policy = open_policy(settings.bundle, keeper.directory, ratchet)
    opa = await _enter_opa(settings, policy.bundle, stack)
    store = SqlLogStore(engine)
    stack.callback(store.close)
    sealing = Sealing(secrets.kek, store)
    log = Log(store, ratchet, secrets.build_signer(settings.log_origin), _stop_process)
    log.start()
    stack.callback(log.stop)
    reads = Reads(engine)
    stack.callback(reads.close)
    spent = SpentRequests(SPENT)
    proofs = Proofs(log, store)
    reader = AccessLogReader(store, sealing, proofs, secrets.row_key)
    rooms = Rooms(
        registers=build_registers(secrets.row_key),
        engine=opa,
        sealing=sealing,
        log=log,
        proofs=proofs,
        ledger=Ledger(spent, secrets.row_key, store, proofs),
        trust=TrustHere(keeper, secrets.exchange),
        acts=build_acts(sealing.mint_subject, reader.find_consent_id),
        reading=reads.open,
        write_known=write_known,
        clock=clock.now,
    )
    suspensions = Suspensions(SqlSuspensions(), ratchet, log, keeper, reads.open, clock=clock.now)
    await suspensions.restore()
    gateways = HttpGateways(http, proofs)
    openings = Openings(
        rooms,
        store,
        Organisation(id=settings.id, name=settings.name),
        find_subjects=find_delayed_subjects,
        find_renewal=build_renewals(policy.bundle),
    )
    return Broker(
        settings=settings,
        secrets=secrets,
        keeper=keeper,
        ratchet=ratchet,
        log=log,
        store=store,
        sealing=sealing,
        rooms=rooms,
        reader=reader,
        gateways=gateways,
        engine=opa,
        policy=policy,
        suspensions=suspensions,
        openings=openings,
        outbox=Outbox(rooms, gateways, secrets.signing, settings.id),
        housekeeper=Housekeeper(rooms, openings, spent, purge_ended),
    )


def _require_listed(settings: BrokerSettings, secrets: BrokerSecrets, directory: Directory) -> None:
    listed, log = directory.trust.broker, directory.trust.log
    fits = (
        listed.id == settings.id
        and secrets.signing.public.kid in read_verify_keys(listed.keys)
        and secrets.exchange.public.raw in listed.x25519
        and log.origin == settings.log_origin
        and secrets.build_signer(settings.log_origin).vkey in log.vkeys
    )
    if not fits:
        raise NotListedError


async def _enter_opa(
    settings: BrokerSettings, bundle: Bundle, stack: AsyncExitStack
) -> SupervisedOpa | ExternalOpa:
    deadline = settings.opa_deadline_ms / 1_000
    if settings.opa_url:
        token = read_secret(settings.home, "opa.token").decode("ascii")
        return await stack.enter_async_context(
            ExternalOpa(settings.opa_url, token, bundle, deadline=deadline)
        )
    return await stack.enter_async_context(
        SupervisedOpa(await find_opa(), bundle, deadline=deadline)
    )


def _stop_process(error: BaseException) -> None:
    # The log cannot go on: nothing may be answered any more, so the process ends.
    _log.critical("log_stopped", exception=type(error).__name__)
    signal.raise_signal(signal.SIGTERM)
