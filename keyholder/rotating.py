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
from keyholder.advice import advise, advise_too_many, build_part
from keyholder.card import renew_card
from keyholder.errors import (
    NoRotationError,
    NotBrokerError,
    NotListedError,
    PartsError,
    RotationEarlyError,
    RotationError,
    RotationRunsError,
    RotationUntoldError,
    RotationUnturnedError,
    ScalarMissingError,
)
from keyholder.rotation import (
    GRACE,
    MOST_SCALARS,
    Rotation,
    choose_epoch,
    find_rotation,
    save_rotation,
)
from keyholder.secrets import (
    Secrets,
    destroy_scalar,
    find_scalars,
    load_secrets,
    write_scalar,
)
from keyholder.settings import KeyHolderSettings
from keyholder.tables import SPENT

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
        # That all is turned. The row may be put back from a copy older than what was told since.
        self._is_told = False
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
        """Draw the scalar of a new epoch, or take up the two that there are.

        Raises RotationRunsError, NotListedError, SecretError, and RotationError where there are
        more than two.
        """
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
        if len(own) > MOST_SCALARS:
            raise RotationError(advise_too_many(own))
        if not set(own) & set(listed):
            raise NotListedError
        highest = max((self.rotation.highest if self.rotation else 0, *own, *listed))
        is_drawn = len(own) < MOST_SCALARS
        if is_drawn:
            own.append(highest + 1)
            write_scalar(self._settings.home, highest + 1, group.random_scalar())
        # Else it was drawn before a crash, or brought back: that one is meant, and rows may lie
        # under either. The card comes before the row: without it nobody can have the two signed.
        self._reload()
        leaving, current = own
        self._keep(Rotation("begun", leaving, current, max(highest, current), now, is_drawn))

    async def abort(self, directory: Directory, now: datetime) -> dict[str, Any]:
        """Turn the rotation round, or end it where nothing can rest on its new scalar.

        Raises NoRotationError, ScalarMissingError.
        """
        listed = [epoch.epoch for epoch in directory.trust.key_holder.epochs]
        async with self._one:
            back = self._require_running().aborted(listed)
            if back.current not in self.secrets.scalars:
                raise ScalarMissingError
            await asyncio.to_thread(self._keep if back.runs else self._end, back)
            self._last_leaving_at = now
        _log.info("epoch_aborted", leaving=back.leaving, current=back.current)
        return self.describe(directory, now)

    async def finish(
        self, directory: Directory, now: datetime, *, at_once: bool = False
    ) -> dict[str, Any]:
        """End the rotation and destroy the scalar of the epoch that is left.

        `at_once` does not wait for what was made under it. Raises NoRotationError,
        RotationUnturnedError, RotationUntoldError, RotationEarlyError, ScalarMissingError.
        """
        async with self._one:
            rotation = self._require_running()
            if rotation.state != "turned":
                raise RotationUnturnedError(rotation.permille)
            # Where it is gone already nothing is destroyed, and the broker may speak no more of it.
            if not self._is_told and rotation.leaving in self.secrets.scalars:
                raise RotationUntoldError
            possible_at = self._derive_end(rotation)
            if now < possible_at and not at_once:
                raise RotationEarlyError(encode_moment(possible_at))
            await asyncio.to_thread(self._end, replace(rotation, state="ended"))
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
        if asked.progress is not None:
            self._is_told = asked.progress.done and found.is_meant(asked.progress)
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
        epochs = sorted(self.secrets.scalars)
        listed = {epoch.epoch for epoch in directory.trust.key_holder.epochs}
        is_turned = rotation is not None and rotation.state == "turned"
        possible_at = self._derive_end(rotation) if rotation is not None and is_turned else None
        what_to_do = advise(rotation, epochs, listed, possible_at, now)
        if rotation is None:
            return {"epochs": epochs, "rotation": "none", "what_to_do": what_to_do}
        return {
            "epochs": epochs,
            "rotation": rotation.state,
            "leaving": rotation.leaving if rotation.runs else None,
            "current": rotation.current,
            "percent": rotation.permille // 10 if rotation.runs else None,
            "begun_at": encode_moment(rotation.begun_at),
            "broker_told_at": encode_moment(rotation.told_at) if rotation.told_at else None,
            "can_finish_at": encode_moment(possible_at) if possible_at else None,
            "what_to_do": what_to_do,
        }

    def derive_part(self, directory: Directory, now: datetime) -> Part:
        """Return how the scalar is, as a part of the key holder."""
        return build_part(self.rotation, self.describe(directory, now))

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
        self.rotation, self._is_told = rotation, False
        self.version += 1

    def _reload(self) -> None:
        self.secrets = load_secrets(self._settings.home)
        self.version += 1
        renew_card(self._settings, self.secrets)

    def _end(self, ended: Rotation) -> None:
        """Write that it ended, and destroy what it left; raise ScalarMissingError before both."""
        self._require_kept(ended)
        self._keep(ended)
        self._destroy_left()

    def _require_kept(self, rotation: Rotation) -> None:
        """Raise ScalarMissingError where the scalar that is to stay is not on the disk."""
        if rotation.current not in find_scalars(self._settings.home):
            raise ScalarMissingError

    def _destroy_left(self) -> None:
        """Destroy the scalar of an ended rotation, unless that was done."""
        rotation = self.rotation
        if rotation is None or rotation.runs or rotation.is_destroyed:
            return
        self._require_kept(rotation)
        destroy_scalar(self._settings.home, rotation.leaving)
        self._keep(replace(rotation, is_destroyed=True))
        self._reload()
        _log.info("scalar_destroyed", epoch=rotation.leaving)
