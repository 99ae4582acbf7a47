"""The rotation of the scalar at the key holder: begin, tell the broker, abort, finish.

Rules: a secret is on the disk before the row that speaks of it, and a row says that a rotation
ended before the scalar is destroyed, so that whoever is killed in between goes on from there; the
broker alone is given δ, sealed; no scalar is destroyed while a pointer could still need it.
Source: house reference "cryptography", Rotation without BSN; docs/decisions/0026.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from datwat.party.database import reading
from datwat.party.http_in import Admitted, read_message
from datwat.party.parts import Part
from datwat.party.spent import RidReusedError, SpentRequests
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory
from datwat.protocol import group
from datwat.protocol import rotation as wire
from datwat.protocol.keys import ExchangePublicKey
from datwat.protocol.values import encode_moment
from keyholder.card import renew_card
from keyholder.errors import (
    NoRotationError,
    NotBrokerError,
    NotListedError,
    PartsError,
    RotationEarlyError,
    RotationRunsError,
    RotationUnturnedError,
    ScalarMissingError,
)
from keyholder.rotation import GRACE, Rotation, choose_epoch, find_rotation, save_rotation
from keyholder.secrets import Secrets, destroy_scalar, load_secrets, write_scalar
from keyholder.settings import KeyHolderSettings
from keyholder.tables import SPENT

_TWO = 2
_log = get_logger("rotation")


class Rotations:
    """The key holder's scalars, and the rotation between two of them; used in one event loop."""

    def __init__(self, settings: KeyHolderSettings, engine: Engine, started_at: datetime) -> None:
        """Read secrets and row, and destroy what an ended rotation left behind.

        Raises SecretError, ScalarMissingError, KeyFormError.
        """
        self._settings = settings
        self._engine = engine
        self._spent = SpentRequests(SPENT)
        self._one = asyncio.Lock()
        # Whether one was evaluated under the epoch that is left just before is not known.
        self._last_leaving_at = started_at
        self.version = 0
        with reading(engine).begin() as connection:
            self.rotation = find_rotation(connection)
        self.secrets: Secrets = load_secrets(settings.home)
        self._destroy_left()

    def require_epoch(self, shared: Sequence[int], known: Sequence[int], now: datetime) -> int:
        """Return the epoch to evaluate under for who knows `known`; raise NotListedError."""
        rotation = self.rotation
        epoch = choose_epoch(shared, known, rotation, now)
        if epoch is None:
            raise NotListedError
        if rotation is not None and rotation.runs and epoch == rotation.leaving:
            self._last_leaving_at = now
        return epoch

    async def begin(self, directory: Directory, now: datetime) -> dict[str, Any]:
        """Draw the scalar of a new epoch; raise RotationRunsError, NotListedError, SecretError."""
        async with self._one:
            if self.rotation is not None and self.rotation.runs:
                raise RotationRunsError
            await asyncio.to_thread(self._begin, directory, now)
        begun = self._require_running()
        _log.info("epoch_begun", leaving=begun.leaving, current=begun.current)
        return self.describe(directory, now)

    def _begin(self, directory: Directory, now: datetime) -> None:
        listed = [epoch.epoch for epoch in directory.trust.key_holder.epochs]
        own = sorted(self.secrets.scalars)
        if not set(own) & set(listed):
            raise NotListedError
        highest = max((self.rotation.highest if self.rotation else 0, *own, *listed))
        if len(own) == _TWO:  # drawn before a crash, or brought back: that one is meant
            leaving, current = own
        else:
            leaving, current = own[0], highest + 1
            write_scalar(self._settings.home, current, group.random_scalar())
        self._keep(Rotation("begun", leaving, current, max(highest, current), now))
        self._reload()

    async def abort(self, directory: Directory, now: datetime) -> dict[str, Any]:
        """Turn the rotation round, or end it where the broker knows nothing of it.

        Raises NoRotationError.
        """
        async with self._one:
            back = self._require_running().aborted()
            await asyncio.to_thread(self._keep, back)
            self._last_leaving_at = now
            await asyncio.to_thread(self._destroy_left)
        _log.info("epoch_aborted", leaving=back.leaving, current=back.current)
        return self.describe(directory, now)

    async def finish(
        self, directory: Directory, now: datetime, *, at_once: bool = False
    ) -> dict[str, Any]:
        """End the rotation and destroy the scalar of the epoch that is left.

        `at_once` does not wait for what was made under it. Raises NoRotationError,
        RotationUnturnedError, RotationEarlyError.
        """
        async with self._one:
            rotation = self._require_running()
            if rotation.state != "turned":
                raise RotationUnturnedError(rotation.permille)
            possible_at = self._derive_end(rotation)
            if now < possible_at and not at_once:
                raise RotationEarlyError(encode_moment(possible_at))
            await asyncio.to_thread(self._keep, replace(rotation, state="ended"))
            await asyncio.to_thread(self._destroy_left)
        return self.describe(directory, now)

    async def answer(self, body: bytes, directory: Directory, now: datetime) -> wire.RotationAnswer:
        """Tell the broker, and only it, how the rotation is, and write down what it says.

        Raises whatever `read_message` raises, NotBrokerError, MessageExpiredError, PartsError,
        RidReusedError, NotListedError.
        """
        admitted = read_message(
            body, directory, wire.RotationObject, aud=self._settings.id, now=now
        )
        if admitted.issuer.role != "broker":
            raise NotBrokerError
        admitted.require_fresh(now)
        if admitted.object.parts:
            raise PartsError
        key = self._derive_key(directory)
        async with self._one:
            said = await asyncio.to_thread(self._take, admitted, now)
        rid = admitted.object.rid
        return wire.RotationAnswer(v=1, rid=rid, sealed=wire.seal_rotation(said, rid, key))

    def _take(self, admitted: Admitted[wire.RotationObject], now: datetime) -> wire.Rotation:
        """Spend the message and write what it says, before δ is given."""
        found = self.rotation
        with self._engine.begin() as connection:
            asked = admitted.object
            if self._spent.spend(
                connection, asked.iss, asked.rid, admitted.request_hash, answer=None, now=now
            ):
                raise RidReusedError
            if found is not None and found.runs:
                found = found.told(asked.progress, now)
                save_rotation(connection, found)
        if found is None:
            return wire.Rotation(v=1, state="none")
        if not found.runs:
            return wire.Rotation(v=1, state="ended", current=found.current)
        before, self.rotation = self.rotation, found
        if before is not None and before.state != found.state:
            _log.info("epoch_told", state=found.state)
        return wire.Rotation(
            v=1,
            state="turn",
            leaving=found.leaving,
            current=found.current,
            delta=self._derive_delta(found),
        )

    def _derive_delta(self, rotation: Rotation) -> bytes:
        """Return δ = s'/s, which turns a pseudonym of `leaving` into one of `current`."""
        scalars = self.secrets.scalars
        try:
            leaving, current = scalars[rotation.leaving], scalars[rotation.current]
        except KeyError:
            raise ScalarMissingError from None
        return group.multiply_scalars(current, group.invert_scalar(leaving))

    def describe(self, directory: Directory, now: datetime) -> dict[str, Any]:
        """Return how the rotation is, and what to do; nothing secret."""
        rotation = self.rotation
        found: dict[str, Any] = {"epochs": sorted(self.secrets.scalars)}
        if rotation is None:
            return {**found, "rotation": "none", "what_to_do": "-"}
        listed = {epoch.epoch for epoch in directory.trust.key_holder.epochs}
        return {
            **found,
            "rotation": rotation.state,
            "leaving": rotation.leaving if rotation.runs else None,
            "current": rotation.current,
            "percent": rotation.permille // 10 if rotation.runs else None,
            "begun_at": encode_moment(rotation.begun_at),
            "broker_told_at": encode_moment(rotation.told_at) if rotation.told_at else None,
            "can_finish_at": (
                encode_moment(self._derive_end(rotation)) if rotation.state == "turned" else None
            ),
            "what_to_do": self._advise(rotation, listed, now),
        }

    def _advise(self, rotation: Rotation, listed: set[int], now: datetime) -> str:
        sign = "take up this home's card (`datwat trust add`) and sign the list (`trust sign`)"
        if not rotation.runs:
            if listed == {rotation.current}:
                return "Nothing, but for new shares in their time (docs/how-to/keys.md)."
            return f"Have the covenant {sign}: it names an epoch that is no more."
        if not {rotation.leaving, rotation.current} <= listed:
            return f"Keep shares of both (`backup`). Then have the covenant {sign}."
        if rotation.state != "turned":
            return "Wait: the broker reads the list within a minute, and turns its pseudonyms."
        possible_at = self._derive_end(rotation)
        until = f" from {encode_moment(possible_at)}" if now < possible_at else ""
        return f"Finish{until}: `datwat keyholder rotate finish`."

    def derive_part(self, directory: Directory, now: datetime) -> Part:
        """Return how the scalar is, as a part of the key holder."""
        rotation, said = self.rotation, self.describe(directory, now)
        if rotation is None or not rotation.runs:
            epochs = ", ".join(map(str, said["epochs"]))
            return Part("scalar", "ok", "scalar_holds", f"There is a scalar of epoch {epochs}.")
        return Part(
            "scalar",
            "attention",
            "scalar_rotates",
            f"It rotates from epoch {rotation.leaving} to {rotation.current}: "
            f"{said['percent']} % of the pseudonyms are turned.",
            said["what_to_do"],
            rotation.begun_at,
        )

    def _require_running(self) -> Rotation:
        if self.rotation is None or not self.rotation.runs:
            raise NoRotationError
        return self.rotation

    def _derive_end(self, rotation: Rotation) -> datetime:
        """Return from when nothing made under the epoch that is left can come any more."""
        last = max(rotation.turned_at or self._last_leaving_at, self._last_leaving_at)
        return last.replace(microsecond=0) + GRACE

    def _derive_key(self, directory: Directory) -> bytes:
        listed = directory.trust.key_holder.x25519
        self.secrets.exchange_keys.refresh()
        keys = [one for one in self.secrets.exchange_keys.keys if one.public.raw in listed]
        if not keys:
            raise NotListedError
        own = keys[-1]
        broker = ExchangePublicKey(directory.trust.broker.x25519[0])
        return wire.derive_rotation_key(own, holder=own.public, broker=broker)

    def _keep(self, rotation: Rotation) -> None:
        with self._engine.begin() as connection:
            save_rotation(connection, rotation)
        self.rotation = rotation
        self.version += 1

    def _reload(self) -> None:
        self.secrets = load_secrets(self._settings.home)
        self.version += 1
        renew_card(self._settings, self.secrets)

    def _destroy_left(self) -> None:
        """Destroy the scalar of an ended rotation, unless that was done."""
        rotation = self.rotation
        if rotation is None or rotation.runs or rotation.is_destroyed:
            return
        destroy_scalar(self._settings.home, rotation.leaving)
        self._keep(replace(rotation, is_destroyed=True))
        self._reload()
        _log.info("scalar_destroyed", epoch=rotation.leaving)
