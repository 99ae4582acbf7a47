"""Fills the desk of the officers' pages from the running broker: the one place that knows both."""

from __future__ import annotations

from broker.answers_wiring import build_answers_port
from broker.oversight_wiring import build_oversight_port
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Roles
from broker.watching import Watch
from broker.wiring import Broker


def build_desk(broker: Broker, watch: Watch) -> OfficerDesk:
    """Return what the pages work with."""
    return OfficerDesk(
        roles=Roles(broker.role_register.find_roles),
        list_parts=watch.list_parts,
        authoring=broker.authoring,
        grounds=broker.authoring.grounds,
        read_directory=lambda: broker.keeper.directory,
        answers=build_answers_port(broker),
        trials=broker.trials,
        replays=broker.replays,
        oversight=build_oversight_port(broker),
    )
