"""How the scalars are, and what the key holder's staff are to do about them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from datwat.party.parts import Part
from datwat.protocol.values import encode_moment
from keyholder.rotation import MOST_SCALARS, Rotation

_SIGN = "take up this home's card (`datwat trust add`) and sign the list (`trust sign`)"


def name_epochs(epochs: Iterable[int]) -> str:
    """Return "1", "1 and 2" or "1, 3 and 4"."""
    *others, last = sorted(epochs)
    return f"{', '.join(map(str, others))} and {last}" if others else str(last)


def advise_too_many(epochs: Iterable[int]) -> str:
    """Return what to do where there are more scalars than a card can name."""
    return (
        f"There are scalars of epochs {name_epochs(epochs)} here, and two are the most: stop the "
        "key holder and move `secrets/scalar-N` of the one that neither the trust list nor the "
        "broker (`pseudonym_epoch` of its status) names to an offline place."
    )


def advise(
    rotation: Rotation | None,
    epochs: Iterable[int],
    listed: set[int],
    possible_at: datetime | None,
    now: datetime,
) -> str:
    """Return what to do next; `possible_at` is when a rotation that is turned may be finished."""
    if rotation is None or not rotation.runs:
        return _advise_idle(rotation, sorted(epochs), listed)
    if not {rotation.leaving, rotation.current} <= listed:
        return f"Keep shares of both (`backup`). Then have the covenant {_SIGN}."
    if possible_at is None:
        return "Wait: the broker reads the list within a minute, and turns its pseudonyms."
    until = f" from {encode_moment(possible_at)}" if now < possible_at else ""
    return f"Finish{until}: `datwat keyholder rotate finish`."


def _advise_idle(rotation: Rotation | None, epochs: list[int], listed: set[int]) -> str:
    if len(epochs) > MOST_SCALARS:
        return advise_too_many(epochs)
    if len(epochs) == MOST_SCALARS:
        return (
            f"There are scalars of epochs {name_epochs(epochs)} here, and no rotation runs: "
            "`datwat keyholder rotate begin` takes both up, and the broker turns its pseudonyms."
        )
    if rotation is None:
        return "-"
    if listed == {rotation.current}:
        return "Nothing, but for new shares in their time (docs/how-to/keys.md)."
    return f"Have the covenant {_SIGN}: it names an epoch that is no more."


def build_part(rotation: Rotation | None, said: Mapping[str, Any]) -> Part:
    """Return how the scalar is, as a part of the key holder, from what the status says of it."""
    epochs, what_to_do = said["epochs"], said["what_to_do"]
    if rotation is not None and rotation.runs:
        return Part(
            "scalar",
            "attention",
            "scalar_rotates",
            f"It rotates from epoch {rotation.leaving} to {rotation.current}: "
            f"{said['percent']} % of the pseudonyms are turned.",
            what_to_do,
            rotation.begun_at,
        )
    named = name_epochs(epochs)
    if len(epochs) == 1:
        return Part("scalar", "ok", "scalar_holds", f"There is a scalar of epoch {named}.")
    what = f"There are scalars of epochs {named}, and no rotation runs between them."
    return Part("scalar", "attention", "scalar_spare", what, what_to_do)
