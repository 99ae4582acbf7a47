"""Puts together what turns the broker's pseudonyms when the key holder's scalar rotates."""

from __future__ import annotations

from broker.adapters.rotation_asking import HttpRotationAsking
from broker.adapters.rotation_store import SqlRotationStore
from broker.exchange.rotating import Rotating, RotationGround
from broker.wiring import Broker


def build_rotating(broker: Broker) -> Rotating:
    """Return what follows the key holder; it runs as a task of the broker's process."""
    rooms = broker.rooms
    asking = HttpRotationAsking(
        party=broker.settings.id,
        signer=broker.signer,
        read_exchange=lambda: broker.secrets.exchange_keys.keys,
        http=broker.http,
        read_directory=lambda: broker.keeper.directory,
        clock=rooms.clock,
    )
    ground = RotationGround(
        subjects=rooms.registers.subjects,
        store=SqlRotationStore(),
        turns=rooms.registers.subjects.turns,
        asking=asking,
        log=rooms.log,
        reading=rooms.reading,
        read_epoch_keys=lambda: rooms.trust.ticket_keys.epoch_keys,
        keeps_house=lambda: broker.sharing.keeps_house,
    )
    return Rotating(ground)
