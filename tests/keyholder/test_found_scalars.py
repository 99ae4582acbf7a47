"""Scalars that were found, not drawn: rows may rest on either, so none is destroyed by guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from datwat.party.trust_list import AcceptedList, Directory
from datwat.protocol import group
from datwat.protocol.rotation import Progress
from datwat.protocol.trust import Card, Epoch
from keyholder import rotating
from keyholder.card import renew_card
from keyholder.errors import RotationError, ScalarMissingError
from keyholder.rotating import Rotations
from keyholder.rotation import Rotation as Held
from keyholder.rotation import find_rotation, save_rotation
from keyholder.secrets import (
    create_secrets,
    destroy_scalar,
    find_scalars,
    load_secrets,
    write_scalar,
)
from keyholder.settings import KeyHolderSettings
from tests.party.covenant import KEY_HOLDER_ID, TestCovenant, now

NOW = now()
ENDED = Held("ended", 1, 2, 2, NOW, is_destroyed=True)


@dataclass
class Place:
    """A home, its database, and what the trust list names."""

    settings: KeyHolderSettings
    engine: Engine

    @property
    def epochs(self) -> list[int]:
        return sorted(find_scalars(self.settings.home))

    @property
    def row(self) -> Held | None:
        with self.engine.connect() as connection:
            return find_rotation(connection)

    def save(self, rotation: Held) -> None:
        with self.engine.begin() as connection:
            save_rotation(connection, rotation)

    def hold(self, *epochs: int) -> None:
        """Put exactly these scalars here, the ones that are here already as they are."""
        for epoch in {*self.epochs} - {*epochs}:
            destroy_scalar(self.settings.home, epoch)
        for epoch in {*epochs} - {*self.epochs}:
            write_scalar(self.settings.home, epoch, group.random_scalar())
        if len(epochs) <= 2:
            renew_card(self.settings, load_secrets(self.settings.home))

    def open(self) -> Rotations:
        return Rotations(self.settings, self.engine, NOW)

    def list(self, *epochs: int) -> Directory:
        """Return a list that names these epochs."""
        trust = TestCovenant().build()
        scalars = find_scalars(self.settings.home)
        named = tuple(
            Epoch(epoch=one, pk=group.multiply_base(scalars.get(one) or group.random_scalar()))
            for one in epochs
        )
        holder = trust.key_holder.model_copy(update={"epochs": named})
        trust = trust.model_copy(update={"key_holder": holder})
        return Directory(AcceptedList(document=b"", digest=bytes(32), trust=trust))

    def read_card(self) -> Sequence[int]:
        card = Card.model_validate_json((self.settings.home / "card.json").read_bytes())
        assert card.key_holder is not None
        return [one.epoch for one in card.key_holder.epochs]


@pytest.fixture
def place(own_engine: Engine, tmp_path: Path) -> Place:
    create_secrets(tmp_path)
    settings = KeyHolderSettings(home=tmp_path, id=KEY_HOLDER_ID, name="KH", url="http://-")
    return Place(settings, own_engine)


@pytest.mark.parametrize(
    ("row", "listed"),
    [(ENDED, (2,)), (None, (1, 2)), (None, (1,))],
    ids=["restored", "database lost", "killed while it began"],
)
async def test_an_abort_destroys_no_scalar_that_was_found(
    place: Place, row: Held | None, listed: tuple[int, ...]
) -> None:
    place.hold(1, 2)
    if row is not None:
        place.save(row)
    directory, rotations = place.list(*listed), place.open()
    said = await rotations.begin(directory, NOW)
    assert (said["leaving"], said["current"]) == (1, 2)
    said = await rotations.abort(directory, NOW)
    assert (said["rotation"], said["leaving"], said["current"]) == ("begun", 2, 1)
    assert place.epochs == [1, 2]
    # Nor by another abort, nor after a restart: the broker is to say where its rows lie.
    said = await place.open().abort(directory, NOW)
    assert (said["rotation"], said["leaving"], said["current"]) == ("begun", 1, 2)
    assert place.epochs == [1, 2]


async def test_an_abort_of_a_drawn_scalar_is_over_at_once_until_the_list_names_it(
    place: Place,
) -> None:
    rotations = place.open()
    await rotations.begin(place.list(1), NOW)
    rotations = place.open()  # and is still known to be drawn after a restart
    assert (await rotations.abort(place.list(1), NOW))["rotation"] == "ended"
    assert (place.epochs, place.read_card()) == ([1], [1])
    # Where the list names it, this database may be older than what the broker was told.
    await rotations.begin(place.list(1), NOW)
    said = await rotations.abort(place.list(1, 3), NOW)
    assert (said["rotation"], said["leaving"], said["current"]) == ("begun", 3, 1)
    said = await rotations.abort(place.list(3), NOW)
    assert (said["rotation"], said["leaving"], said["current"]) == ("begun", 1, 3)
    said = await rotations.abort(place.list(1), NOW)
    assert (said["rotation"], place.epochs) == ("begun", [1, 3])


def test_what_the_broker_was_told_decides_as_before() -> None:
    done = Progress(leaving=2, current=1, permille=1_000, done=True)
    back = Held("begun", 1, 2, 2, NOW).aborted([1, 2])
    assert (back.state, back.given_at) == ("begun", None)
    assert back.told(done, NOW).state == "turned"


async def test_three_scalars_are_not_begun_with_and_nothing_changes(place: Place) -> None:
    place.hold(4)
    place.save(ENDED)
    place.hold(1, 3, 4)
    card, rotations = place.read_card(), place.open()
    with pytest.raises(RotationError, match="1, 3 and 4"):
        await rotations.begin(place.list(4), NOW)
    assert (place.epochs, place.row, place.read_card()) == ([1, 3, 4], ENDED, card)
    said = rotations.describe(place.list(4), NOW)
    assert (said["rotation"], said["epochs"]) == ("ended", [1, 3, 4])
    assert "1, 3 and 4" in said["what_to_do"]
    part = rotations.derive_part(place.list(4), NOW)
    assert (part.state, part.what_to_do) == ("attention", said["what_to_do"])


async def test_no_row_speaks_of_a_rotation_whose_card_could_not_be_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save(replace(ENDED, leaving=2, current=1))
    rotations = place.open()
    before = rotations.rotation

    def fail(*_arguments: object) -> Path:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(rotating, "renew_card", fail)
        with pytest.raises(OSError, match="no space"):
            await rotations.begin(place.list(1), NOW)
    assert place.row == rotations.rotation == before
    said = await rotations.begin(place.list(1), NOW)  # goes on with what was drawn
    assert (said["rotation"], said["current"], said["epochs"]) == ("begun", 3, [1, 3])
    assert place.read_card() == [1, 3]


@pytest.mark.parametrize("row", [ENDED, None])
def test_a_scalar_that_was_brought_back_shows_in_the_status(place: Place, row: Held | None) -> None:
    place.hold(2)
    if row is not None:
        place.save(row)
    alone = place.open().derive_part(place.list(2), NOW)
    assert (alone.state, alone.what_to_do) == ("ok", "")
    place.hold(1, 2)
    rotations = place.open()
    said = rotations.describe(place.list(2), NOW)
    assert "1 and 2" in said["what_to_do"]
    assert "rotate begin" in said["what_to_do"]
    part = rotations.derive_part(place.list(2), NOW)
    assert (part.state, part.what_to_do) == ("attention", said["what_to_do"])


def test_the_last_scalar_is_never_destroyed(place: Place) -> None:
    """The one that pointers went to was lost: whoever starts then says so, and keeps the other."""
    place.save(replace(ENDED, leaving=1, current=2, is_destroyed=False))
    with pytest.raises(ScalarMissingError):
        place.open()
    assert place.epochs == [1]


async def test_a_rotation_that_lost_what_it_leaves_is_finished_and_not_turned_round(
    place: Place,
) -> None:
    place.hold(1, 2)
    done = Progress(leaving=1, current=2, permille=1_000, done=True)
    place.save(Held("begun", 1, 2, 2, NOW).told(done, NOW))  # its database was put back
    place.hold(2)
    rotations = place.open()
    with pytest.raises(ScalarMissingError):
        await rotations.abort(place.list(2), NOW)
    ended = await rotations.finish(place.list(2), NOW, at_once=True)
    assert (ended["rotation"], ended["epochs"]) == ("ended", [2])
