"""Building the broker upon its ground (`ground.py`), which is checked and runs already.

Rule: no room knows an adapter; what composes the rooms does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from broker.adapters.delayed_subjects import find_delayed_subjects
from broker.adapters.even_writes import write_known
from broker.adapters.gateways import HttpGateways
from broker.adapters.log_store import SqlLogStore
from broker.adapters.purging import purge_ended
from broker.adapters.secrets import BrokerSecrets
from broker.adapters.stores import build_registers
from broker.adapters.suspension_store import SqlSuspensions
from broker.adapters.tables import SPENT
from broker.audit.ended import EndingLog, read_restored
from broker.audit.log import Log
from broker.audit.own_lines import OwnLines
from broker.audit.payloads import Organisation
from broker.audit.sealing import Sealing
from broker.authoring_wiring import Officers, OfficersGround, open_officers
from broker.ending import build_ends, build_erasures
from broker.exchange.ends_keeping import EndsKeeping
from broker.exchange.erasure import Erasures
from broker.exchange.housekeeping import Housekeeper
from broker.exchange.kept import FindPurpose
from broker.exchange.opening import FindRenewal, Openings
from broker.exchange.outbox import Outbox
from broker.exchange.overload import Overload
from broker.exchange.recorded import Ledger
from broker.exchange.rooms import Rooms
from broker.exchange.suspensions import Suspensions
from broker.exchange.table import build_acts
from broker.following import Following
from broker.ground import Ground, open_ground, stop_process
from broker.here import PolicyHere, Reads, TrustHere
from broker.overseeing import Oversight, build_oversight
from broker.policy.authoring import Authoring
from broker.policy_start import Opa
from broker.pseudonyms.veil import Veil
from broker.publishing import Publishing, open_publishing
from broker.purposes.role_register import RoleRegister
from broker.settings import BrokerSettings
from broker.sharing import Sharing
from broker.transparency.access_log import AccessLogReader
from broker.trying.replays import Replays
from broker.trying.trials import Trials
from datwat.party import clock
from datwat.party.http_out import HttpOut
from datwat.party.own_keys import KeyOfNow
from datwat.party.ratchet import Ratchet
from datwat.party.spent import SpentRequests
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.bundle import Bundle
from datwat.protocol.keys import SigningKey


def build_renewals(read_bundle: Callable[[], Bundle]) -> FindRenewal:
    """Return what gives the longest renewal on a ground by the policy in force at that moment."""

    def find_renewal(ground: str) -> timedelta:
        grounds = read_bundle().catalogue["covenant"]["grounds"]
        return timedelta(days=grounds[ground]["renewal_days"] if ground in grounds else 0)

    return find_renewal


def build_find_purpose(read_bundle: Callable[[], Bundle]) -> FindPurpose:
    """Return what finds a purpose in the bundle in force at that moment, at one digest.

    Where the bundle does not have that revision any more, it is the purpose as it is now.
    """

    def find_purpose(name: str, digest: str | None) -> Mapping[str, Any] | None:
        bundle = read_bundle()
        held = bundle.catalogue["purposes"].get(name)
        shown = bundle.view.find_shown(name, clock.now())
        if held is None or shown is None:
            return None
        found = {one["digest"]: one for one in held["revisions"]}
        revision: Mapping[str, Any] = found.get(digest or "") or found[shown.digest]
        return revision

    return find_purpose


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
    http: HttpOut
    engine: Opa
    policy: PolicyHere
    following: Following
    role_register: RoleRegister
    trials: Trials
    replays: Replays
    authoring: Authoring
    suspensions: Suspensions
    openings: Openings
    signer: KeyOfNow[SigningKey]
    outbox: Outbox
    housekeeper: Housekeeper
    publishing: Publishing
    overload: Overload
    oversight: Oversight
    ends: EndsKeeping
    erasures: Erasures
    database: Engine
    sharing: Sharing
    # What `status` says of what others are told; set where that is put together.
    read_others: Callable[[], Mapping[str, Any]] = dict
    # The same of the rotation of the key holder's scalar.
    read_rotation: Callable[[], Mapping[str, Any]] = dict
    # The same of each part of the system, as `watching.py` sees it.
    read_parts: Callable[[], Mapping[str, Any]] = dict


async def open_broker(settings: BrokerSettings, stack: AsyncExitStack) -> Broker:
    """Return a broker with its log running and its policy engine ready."""
    ground = await open_ground(settings, stack)
    log, secrets = ground.log, ground.secrets
    publishing = await open_publishing(
        ground.database,
        log,
        ratchet=ground.ratchet,
        http=ground.http,
        keeper=ground.keeper,
        clock=clock.now,
        on_alarm=stop_process,
    )
    reads = Reads(ground.database)
    stack.callback(reads.close)
    spent = SpentRequests(SPENT)
    reader = AccessLogReader(ground.store, ground.sealing, ground.proofs, secrets.row_key)
    ending = EndingLog(log, ground.ratchet, secrets.kek)
    signer = KeyOfNow(secrets.signing_keys, lambda: _list_own_keys(ground.keeper))
    rooms = _build_rooms(ground, reads, spent, reader, ending)
    suspensions = Suspensions(
        SqlSuspensions(), ground.ratchet, log, ground.keeper, reads.open, clock=clock.now
    )
    await suspensions.restore()
    gateways = HttpGateways(ground.http, ground.proofs, publishing.publication.read_vouched)
    openings = _build_openings(settings, ground, rooms)
    ends = _build_ends(settings, ground, rooms, ending)
    following = Following(ground.begun, ground.keeper, ground.ratchet, log, clock.now)
    officers = _open_officers(settings, ground, following, stack)
    return Broker(
        settings=settings,
        secrets=secrets,
        keeper=ground.keeper,
        ratchet=ground.ratchet,
        log=log,
        store=ground.store,
        sealing=ground.sealing,
        rooms=rooms,
        reader=reader,
        gateways=gateways,
        http=ground.http,
        engine=ground.opa,
        policy=ground.begun.here,
        following=following,
        role_register=officers.register,
        trials=officers.trials,
        replays=officers.replays,
        authoring=officers.authoring,
        suspensions=suspensions,
        openings=openings,
        signer=signer,
        outbox=Outbox(rooms, gateways, signer, settings.id),
        housekeeper=Housekeeper(rooms, openings, spent, purge_ended, ends),
        ends=ends,
        erasures=build_erasures(
            settings,
            rooms,
            store=ground.store,
            kek=secrets.kek,
            find_purpose=build_find_purpose(lambda: ground.opa.bundle),
            ends=ends,
        ),
        database=ground.database,
        sharing=ground.sharing,
        publishing=publishing,
        overload=Overload(log),
        oversight=build_oversight(
            rooms,
            ground.store,
            openings,
            Organisation(id=settings.id, name=settings.name),
            secrets.row_key,
            lambda: ground.opa.bundle,
            read_restored(ground.ratchet),
        ),
    )


def _open_officers(
    settings: BrokerSettings, ground: Ground, following: Following, stack: AsyncExitStack
) -> Officers:
    stands_on = OfficersGround(
        settings=settings,
        row_key=ground.secrets.row_key,
        database=ground.database,
        store=ground.store,
        log=ground.log,
        keeper=ground.keeper,
        following=following,
        clock=clock.now,
    )
    return open_officers(stands_on, stack)


def _build_rooms(
    ground: Ground,
    reads: Reads,
    spent: SpentRequests,
    reader: AccessLogReader,
    ending: EndingLog,
) -> Rooms:
    return Rooms(
        registers=build_registers(ground.secrets.row_key),
        engine=ground.opa,
        sealing=ground.sealing,
        log=ending,
        proofs=ground.proofs,
        veil=Veil(ground.secrets.row_key),
        processing=ground.processing,
        ledger=Ledger(spent, ground.secrets.row_key, ground.store, ground.proofs),
        trust=TrustHere(ground.keeper, ground.secrets.exchange_keys),
        acts=build_acts(
            ground.sealing.mint_subject,
            reader.find_consent_id,
            OwnLines(ground.store, ground.sealing).find,
        ),
        reading=reads.open,
        write_known=write_known,
        clock=clock.now,
    )


def _build_openings(settings: BrokerSettings, ground: Ground, rooms: Rooms) -> Openings:
    return Openings(
        rooms,
        ground.store,
        Organisation(id=settings.id, name=settings.name),
        find_subjects=find_delayed_subjects,
        find_renewal=build_renewals(lambda: ground.opa.bundle),
    )


def _build_ends(
    settings: BrokerSettings, ground: Ground, rooms: Rooms, ending: EndingLog
) -> EndsKeeping:
    return build_ends(
        settings,
        ground.database,
        store=ground.store,
        kek=ground.secrets.kek,
        sealing=ground.sealing,
        log=ground.log,
        ratchet=ground.ratchet,
        ending=ending,
        situations=rooms.registers.special_situations,
        find_retention=lambda: ground.opa.retention,
        row_file=ground.secrets.row_file,
    )


def _list_own_keys(keeper: TrustKeeper) -> list[bytes]:
    return [key.x for key in keeper.directory.trust.broker.keys]
