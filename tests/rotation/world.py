"""A broker with its real registers, log and OPA, and the key holder's own rotation beside it.

Both sides speak as they do, sealed and signed; only the socket between them is left out, so that a
test decides when the one asks the other. `test_processes.py` has them with everything between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from typer.testing import CliRunner

from broker.exchange.rotating import Rotating
from broker.rotating import build_rotating
from datwat.party.database import migrate, open_engine
from datwat.party.http_out import HttpOut, PeerUnreachableError
from datwat.party.settings import load_settings
from datwat.protocol.trust import Epoch
from keyholder.cli import app
from keyholder.rotating import Rotations
from keyholder.settings import KeyHolderSettings
from keyholder.tables import MIGRATIONS
from tests.exchange.world import (
    HOLDER,
    Running,
    World,
    act_part,
    by_bsn,
    now,
    registers,
    say,
)

LONG_AFTER = timedelta(minutes=11)


@dataclass
class RotatingWorld(World):
    """A covenant whose key holder rotates; `epoch` is the one that its tickets are made under."""

    reaches: bool = True
    scalars: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "key-holder"
        made = CliRunner().invoke(
            app,
            [
                *("init", "--home", str(home), "--id", HOLDER, "--name", "Key holder"),
                *("--url", "http://127.0.0.1:2"),
            ],
        )
        assert made.exit_code == 0, made.output
        self.settings = load_settings(KeyHolderSettings, home)
        self.engine = open_engine(self.settings.database)
        migrate(self.engine, MIGRATIONS)
        self.restart()
        self.holder_key = self.rotations.secrets.exchange
        self.use(1)
        super().__post_init__()

    def restart(self) -> None:
        """Begin the key holder's process anew."""
        self.rotations = Rotations(self.settings, self.engine, now())
        self.scalars |= self.rotations.secrets.scalars

    def use(self, epoch: int) -> None:
        """Make tickets under this epoch from now on, also one that is over."""
        self.scalars |= self.rotations.secrets.scalars
        self.epoch, self.scalar = epoch, self.scalars[epoch]

    def list_epochs(self) -> tuple[Epoch, ...]:
        return self.rotations.secrets.epochs


class Line:
    """The way from broker to key holder, in the place of HTTP."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def post_message(self, _url: str, message: bytes, **_limits: Any) -> bytes:  # noqa: ANN401
        world = cast("RotatingWorld", self._running.world)
        if not world.reaches:
            raise PeerUnreachableError
        directory = self._running.broker.keeper.directory
        answer = await world.rotations.answer(message, directory, now())
        return answer.model_dump_json().encode()


def start_rotating(running: Running) -> Rotating:
    """Begin a process anew as far as the rotation goes: it has no δ yet."""
    running.broker.rooms.registers.subjects.turns.held = None
    return build_rotating(replace(running.broker, http=cast("HttpOut", Line(running))))


async def register(running: Running, bsn: str, epoch: int) -> bytes:
    """Register a person by a ticket of this epoch; return the handle, the same each time."""
    world = cast("RotatingWorld", running.world)
    world.use(epoch)
    person = by_bsn(
        bsn, registers=registers("debt_counselling"), identity="document", told_at=now()
    )
    sent = world.build("debt-counselling", "register", [person], say())
    handle = act_part(running.verify(await running.send(sent), sent)).handle
    assert handle is not None
    return handle


def late() -> datetime:
    """Return a moment at which nothing made under the old epoch can come any more."""
    return now() + LONG_AFTER
