"""What the broker's routes work with, of what its composition opened.

Rule: nothing is opened here; every process answers by these, whichever one is asked.
"""

from __future__ import annotations

from broker.adapters.delayed_entries import find_delayed_entries
from broker.api.log_routes import PublicLog
from broker.api.routes import Api, Wake
from broker.api.table import Health
from broker.audit.ended import read_restored
from broker.audit.told import ToldLines
from broker.exchange.admission import RateLimiter
from broker.exchange.handover import HandOver
from broker.exchange.life import Life
from broker.exchange.portal import PortalDesk
from broker.exchange.turns import Turns
from broker.sharing_wiring import build_changes
from broker.transparency.own_affairs import OwnAffairs
from broker.transparency.own_wishes import WishReader
from broker.transparency.proof_bundle import ProofBundles
from broker.wiring import Broker


def build_public_log(broker: Broker) -> PublicLog:
    """Return the routes of the public log, which no OpenAPI document describes."""
    publishing = broker.publishing
    shown = publishing.publication.read_shown
    return PublicLog(publishing.tiles, shown, publishing.generations)


def build_api(broker: Broker, wake_outbox: Wake) -> Api:
    """Return what the routes work with."""
    rooms, settings = broker.rooms, broker.settings
    hand_over = HandOver(
        key=broker.signer,
        gateways=broker.gateways,
        sealing=broker.sealing,
        log=broker.log,
        proofs=rooms.proofs,
        ledger=rooms.ledger,
        read_directory=lambda: broker.keeper.directory,
        reading=rooms.reading,
        situations=rooms.registers.special_situations,
        clock=rooms.clock,
    )
    return Api(
        party=settings.id,
        rooms=rooms,
        life=Life(rooms, hand_over, build_changes(broker)),
        portal=PortalDesk(rooms),
        reader=broker.reader,
        proof_bundles=build_proof_bundles(broker),
        own=build_own_affairs(broker),
        limiter=RateLimiter(
            settings.rate_per_second,
            settings.rate_burst,
            lambda: len(broker.sharing.holders.processes),
        ),
        proofs=rooms.proofs,
        read_policy=lambda: broker.policy.files,
        read_health=lambda: build_health(broker),
        wake_outbox=wake_outbox,
        turns=Turns(),
        overload=broker.overload,
        fetch_use=broker.oversight.fetch_use,
        restored_at=read_restored(broker.ratchet),
    )


def build_own_affairs(broker: Broker) -> OwnAffairs:
    """Return what reads who is involved with a resident, and what they said."""
    registers = broker.rooms.registers
    lines = ToldLines(broker.store, broker.sealing)
    wishes = WishReader(registers.consents, registers.wishes, lines)
    return OwnAffairs(registers.involvements, wishes, lines, broker.store.reading)


def build_proof_bundles(broker: Broker) -> ProofBundles:
    """Return what makes completeness bundles of this broker's log."""
    publishing = broker.publishing
    return ProofBundles(
        broker.store, broker.sealing, publishing, publishing.store, find_delayed_entries
    )


def build_health(broker: Broker) -> Health:
    """Return what `/v1/health` says."""
    found = broker.publishing.build_status()
    is_ready = broker.following.is_active and broker.sharing.is_current
    return Health(
        status="ok" if is_ready else "waiting",
        cosignatures=found["cosignatures"],
        checkpoint_seconds_ago=found["cosigned_seconds_ago"],
        policy_seq=broker.policy.bundle.seq,
    )
