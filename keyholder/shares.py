"""Shares of the scalar in files: three are written, any two bring it back, one says nothing.

Rules: everything that can be wrong is found before anything changes; a home that has served keeps
the scalars that it has, for pointers rest on them. Source: house reference "cryptography",
"2-of-3 backup"; `datwat/protocol/shares.py` has the arithmetic; docs/decisions/0026.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from datwat.party.database import find_sqlite_file, open_engine
from datwat.party.files import describe_obstacle
from datwat.party.own_keys import OwnKeys, parse_exchange
from datwat.party.running import has_served
from datwat.party.settings import make_private_folder
from datwat.protocol import group
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import EpochNumber
from datwat.protocol.shares import THRESHOLD, Share, ShareError, join_shares, require_share
from datwat.protocol.shares import split_scalar as split
from datwat.protocol.values import Bytes32, Moment, PartyId, Value
from keyholder.advice import advise_too_many, name_epochs
from keyholder.card import renew_card
from keyholder.errors import SharesError
from keyholder.rotation import MOST_SCALARS
from keyholder.secrets import (
    EXCHANGE_NAME,
    destroy_scalar,
    find_scalars,
    list_scalars,
    load_secrets,
    write_scalar,
)
from keyholder.settings import KeyHolderSettings

_LEFT_BY_SERVING = ("database", "ratchet", "trust")
_MAX_BYTES = 65_536


class ScalarShare(Value):
    """A share of the scalar of one epoch, with what it is checked against (s·G and a·G)."""

    epoch: EpochNumber
    pk: Bytes32
    slope: Bytes32
    value: Bytes32 = Field(repr=False)


class ShareFile(Value):
    """One of three files: whose scalars, when it was made, and a share of each."""

    v: Literal[1]
    type: Literal["scalar-share"]
    key_holder: PartyId
    made_at: Moment
    number: int = Field(ge=1, le=3)
    scalars: tuple[ScalarShare, ...] = Field(min_length=1, max_length=4)


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that was read, and its shares by epoch; each was checked by itself."""

    path: Path
    content: ShareFile = field(repr=False)
    shares: Mapping[int, Share] = field(repr=False)


def write_shares(settings: KeyHolderSettings, folder: Path, now: datetime) -> list[Path]:
    """Write three share files into a folder that is new or empty; return their paths.

    Raises SharesError (nothing is left behind), SecretError, ScalarMissingError.
    """
    secrets = load_secrets(settings.home)
    if len(secrets.scalars) > MOST_SCALARS:  # no home could take them back
        raise SharesError(advise_too_many(secrets.scalars))
    made = {epoch: split(scalar) for epoch, scalar in sorted(secrets.scalars.items())}
    try:
        make_private_folder(folder)
        if any(folder.iterdir()):
            raise SharesError(f"{folder} is not empty: name a new folder.")
    except OSError as error:
        raise SharesError(describe_obstacle(error, folder)) from None
    paths: list[Path] = []
    try:
        for index, number in enumerate((1, 2, 3)):
            scalars = tuple(_build_share(epoch, shares[index]) for epoch, shares in made.items())
            content = ShareFile(
                v=1,
                type="scalar-share",
                key_holder=settings.id,
                made_at=now,
                number=number,
                scalars=scalars,
            )
            paths.append(folder / f"share-{number}.json")
            _write_new(paths[-1], content.model_dump_json(indent=2).encode())
    except OSError as error:
        for path in paths:
            path.unlink(missing_ok=True)
        raise SharesError(describe_obstacle(error, folder)) from None
    return paths


def restore_scalars(settings: KeyHolderSettings, paths: Sequence[Path]) -> list[int]:
    """Bring back the scalars of two or three share files; return their epochs.

    A home that never served takes them in place of what `init` drew. Raises SharesError: nothing
    changed. Raises SecretError or KeyFormError where the exchange key is missing or damaged.
    """
    joined = _join([_read(path, settings.id) for path in paths])
    home = settings.home
    OwnKeys(home, EXCHANGE_NAME, parse_exchange)  # without it nothing can be served
    is_used, own = _is_used(settings), find_scalars(home)
    if is_used:
        _require_room(joined, own, list_scalars(home))
    elif len(joined) > MOST_SCALARS:
        raise SharesError(
            f"These shares are of epochs {name_epochs(joined)}, and a home has two at most."
        )
    for epoch in list_scalars(home):
        if not is_used and (epoch not in own or joined.get(epoch) != own[epoch]):
            destroy_scalar(home, epoch)
    kept = find_scalars(home)
    for epoch, scalar in joined.items():
        if kept.get(epoch) != scalar:
            destroy_scalar(home, epoch)  # one that is there and cannot be read
            write_scalar(home, epoch, scalar)
    renew_card(settings, load_secrets(home))
    return sorted(joined)


def _is_used(settings: KeyHolderSettings) -> bool:
    """Return whether pointers may rest on the scalars of this home: by all that serving leaves.

    A backup has no `run/`, and a ratchet may lie elsewhere. What cannot be asked counts as served.
    """
    home = settings.home
    if has_served(home) or any((home / name).exists() for name in _LEFT_BY_SERVING):
        return True
    file = find_sqlite_file(settings.database)
    if file is not None:
        return file.exists()
    engine = open_engine(settings.database)
    try:
        return bool(inspect(engine).get_table_names())
    except (SQLAlchemyError, DatwatError):
        return True
    finally:
        engine.dispose()


def _require_room(joined: Mapping[int, bytes], own: Mapping[int, bytes], there: set[int]) -> None:
    """Raise SharesError unless a home that has served can be left with these beside its own."""
    for epoch, scalar in joined.items():
        if own.get(epoch, scalar) != scalar:
            raise SharesError(
                f"This home has another scalar of epoch {epoch}, and has served with it: "
                "restore into the home of a new `init`."
            )
    epochs = joined.keys() | there
    if len(epochs) > MOST_SCALARS:
        raise SharesError(
            f"This home would have scalars of epochs {name_epochs(epochs)}, and two are the most: "
            "restore into the home of a new `init`, and copy from there the one `secrets/scalar-N` "
            "that is needed here."
        )
    for epoch in there - own.keys() - joined.keys():
        raise SharesError(
            f"`secrets/scalar-{epoch}` of this home cannot be read, and these shares do not have "
            "it: name shares that do, or take the file out if its epoch is over."
        )


def _build_share(epoch: int, share: Share) -> ScalarShare:
    return ScalarShare(epoch=epoch, pk=share.public, slope=share.slope, value=share.value)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, key_holder: str) -> _Read:
    """Return a share file whose every share holds by itself; raise SharesError, which names it."""
    try:
        with path.open("rb") as file:
            content = ShareFile.model_validate_json(file.read(_MAX_BYTES))
    except OSError as error:
        raise SharesError(describe_obstacle(error, path)) from None
    except ValidationError:
        raise SharesError(
            f"{path} is no share: `datwat keyholder backup` writes three of them."
        ) from None
    if content.key_holder != key_holder:
        raise SharesError(
            f"{path} is a share of {content.key_holder}, and this home is that of {key_holder}."
        )
    shares = {
        one.epoch: Share(content.number, one.value, one.pk, one.slope) for one in content.scalars
    }
    for share in shares.values():
        try:
            require_share(share)
        except ShareError:
            raise SharesError(f"{path} is damaged: name another share.") from None
    return _Read(path, content, shares)


def _join(files: Sequence[_Read]) -> dict[int, bytes]:
    """Return the scalars by epoch; raise SharesError where the files do not give them."""
    if len({one.content.number for one in files}) < len(files):
        raise SharesError("One share was named twice: name two different ones.")
    if len(files) < THRESHOLD:
        raise SharesError("One share alone says nothing about the scalar: name two.")
    for first, second in combinations(files, 2):
        if _list_made(first) != _list_made(second):
            raise SharesError(
                f"{first.path} and {second.path} were not made together: name two of one backup."
            )
    try:
        return {
            epoch: join_shares([one.shares[epoch] for one in files]) for epoch in files[0].shares
        }
    except (ShareError, group.GroupError):
        raise SharesError("These shares do not give the scalar: name two of one backup.") from None


def _list_made(one: _Read) -> list[tuple[int, bytes, bytes]]:
    return [(epoch, share.public, share.slope) for epoch, share in sorted(one.shares.items())]
