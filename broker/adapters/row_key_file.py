"""The row key in a file of its own, and the steps of a rotation, each one replacement of that file.

Rule: the file alone says how far a rotation is, so that a crash between any two steps leaves one of
them whole; several processes change it one after the other, and each looks whether it changed.

File: 32 bytes as `init` drew them, or once a rotation began JSON {"v": 1, "keys": [{"number",
"key"}], "target", "is_turned", "changed_at", "kept": {label: key}} (bytes as base64url). Source:
docs/decisions/0027.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from broker.pseudonyms.row_keys import RingState, RowKeys, derive_all_kept
from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.key_files import Stamp, build_stamp, replace_key_file
from datwat.party.telemetry import get_logger
from datwat.protocol.sealing import KEY_SIZE
from datwat.protocol.values import Bytes32, Moment, Value

LOOKED_AT_EVERY: Final = 1.0
_OTHERS: Final = 0o077
_LARGEST: Final = 65_536
_log = get_logger("broker")


class RowKeyError(PartyError):
    """The file of the row key cannot be used."""

    code = "row_key_unusable"
    default_detail = "The row key cannot be read or written: put back the one of this database."


class RotationUnderWayError(PartyError):
    """A rotation was begun that has not ended."""

    code = "rotation_under_way"
    default_detail = (
        "A rotation of this key is under way: `keys status` says how far it is, `keys abort` turns "
        "it back."
    )


class NoRotationError(PartyError):
    """There is none to turn back."""

    code = "rotation_none"
    default_detail = "No rotation of this key is under way: nothing was changed."


class _Key(Value):
    number: int = Field(ge=1, le=65_535)
    key: Bytes32 = Field(repr=False)


class _File(Value):
    v: Literal[1]
    keys: tuple[_Key, ...] = Field(min_length=1, max_length=2)
    target: int
    is_turned: bool
    changed_at: Moment
    kept: dict[str, Bytes32] = Field(repr=False)


class RowKeyFile:
    """The ring of one home, and what changes it."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise RowKeyError."""
        self._path = path
        self._lock = threading.Lock()
        self._seen, state = self._read()
        self.keys = RowKeys(state)

    def __repr__(self) -> str:
        return f"RowKeyFile({self.keys!r})"

    def refresh(self) -> bool:
        """Read the file anew if it changed; return whether it did. Raises RowKeyError."""
        try:
            changed = build_stamp(self._path.stat()) != self._seen
        except OSError as error:
            raise RowKeyError(describe_obstacle(error, self._path)) from None
        if changed:
            with self._lock:  # else what was read before a change could be held after it
                try:
                    self._seen, state = self._read()
                except RowKeyError:  # the old file is overwritten once the new one has its name
                    self._seen, state = self._read()
                self.keys.replace(state)
        return changed

    async def follow(self) -> None:
        """Look for ever, each second, whether another process changed the file."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY)
            try:
                self.refresh()
            except RowKeyError as error:  # it may be read while it is overwritten: look again
                _log.warning("row_key_not_read", code=error.code)

    def start(self, now: datetime) -> RingState:
        """Draw the next key and have it found by; raise RotationUnderWayError."""

        def add(state: RingState) -> RingState:
            if state.leaving is not None:
                raise RotationUnderWayError
            number = state.target + 1
            keys = {**state.keys, number: os.urandom(KEY_SIZE)}
            return replace(state, keys=keys, target=number, is_turned=False, changed_at=now)

        return self._change(add)

    def turn(self, now: datetime) -> RingState:
        """Write under the target from here on; nothing where that is so already."""

        def turn(state: RingState) -> RingState:
            return state if state.is_turned else replace(state, is_turned=True, changed_at=now)

        return self._change(turn)

    def abort(self, now: datetime) -> RingState:
        """Go back to the key that was to leave; raise NoRotationError.

        The new key goes at once where nothing was written under it; else all that was goes back
        first, as on the way out.
        """

        def go_back(state: RingState) -> RingState:
            if state.leaving is None:
                raise NoRotationError
            if not state.is_turned:
                kept = {number: key for number, key in state.keys.items() if number != state.target}
                return replace(state, keys=kept, target=state.leaving, is_turned=True)
            return replace(state, target=state.leaving, is_turned=False, changed_at=now)

        return self._change(go_back)

    def destroy(self, number: int) -> RingState:
        """Take the key `number` out of the file for ever, if it is the one that leaves."""

        def drop(state: RingState) -> RingState:
            if number != state.leaving or not state.is_turned:
                return state
            return replace(state, keys={state.target: state.keys[state.target]})

        return self._change(drop)

    def _change(self, step: Callable[[RingState], RingState]) -> RingState:
        with self._alone():
            _, state = self._read()
            new = step(state)
            if new != state:
                if not new.kept:
                    new = replace(new, kept=derive_all_kept(RowKeys(state)))
                try:
                    replace_key_file(self._path, _write(new))
                except OSError as error:
                    raise RowKeyError(
                        f"{describe_obstacle(error, self._path)} Nothing was changed."
                    ) from None
            with self._lock:
                self._seen, state = self._read()
                self.keys.replace(state)
        return state

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process change the file meanwhile: a lock on its folder."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _read(self) -> tuple[Stamp, RingState]:
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise RowKeyError(describe_obstacle(error, self._path)) from None
        if (found.st_mode | self._path.parent.stat().st_mode) & _OTHERS:
            raise RowKeyError(f"Others may read {self._path}: chmod 600 it, and 700 its folder.")
        return build_stamp(found), _parse(data, self._path)


def _parse(data: bytes, path: Path) -> RingState:
    if len(data) == KEY_SIZE:
        return RingState({1: data}, 1)
    try:
        read = _File.model_validate_json(data)
    except ValidationError:
        raise RowKeyError(
            f"{path} is no row key, or damaged: put back the one that belongs to the database."
        ) from None
    keys = {one.number: one.key for one in read.keys}
    if read.target not in keys or len(keys) != len(read.keys):
        raise RowKeyError(f"{path} names a key that it does not hold: put back the last one.")
    return RingState(
        keys=keys,
        target=read.target,
        is_turned=read.is_turned,
        changed_at=read.changed_at,
        kept={label.encode(): key for label, key in read.kept.items()},
    )


def _write(state: RingState) -> bytes:
    assert state.changed_at is not None  # noqa: S101 - a ring that changed has a moment
    content = _File(
        v=1,
        keys=tuple(_Key(number=number, key=key) for number, key in sorted(state.keys.items())),
        target=state.target,
        is_turned=state.is_turned,
        changed_at=state.changed_at.replace(microsecond=0),
        kept={label.decode(): key for label, key in state.kept.items()},
    )
    return content.model_dump_json().encode()
