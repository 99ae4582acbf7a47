"""The ratchet forgets an end only when no backup that lacks it can be opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.adapters.kek_file import FileKek, KekError
from broker.audit.forgetting import KEK_OLDEST, forget_ended, read_oldest
from broker.audit.sealing import Sealing
from broker.ending import require_kek
from datwat.party.ratchet import Ratchet
from tests.audit.conftest import AT, LogWorld

_STEPS = ("end", "backup", "turn", "destroy", "keep", "reopen")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.sampled_from(_STEPS), min_size=5, max_size=40))
def test_no_backup_that_opens_lacks_what_was_forgotten(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[str]
) -> None:
    """A backup holds every end before it; those after it must be in the ratchet while it opens."""
    folder = tmp_path_factory.mktemp("forgetting")
    kek = FileKek.create(folder / "kek")
    ratchet = Ratchet.open(folder / "ratchet")
    backups: list[tuple[bytes, int]] = []
    ends = 0
    ratchet.record("suspension", "p 1")
    forget_ended(ratchet, kek)
    for number, step in enumerate(steps):
        living = kek.list_generations()
        if step == "end":
            ends += 1
            ratchet.record("pointer", str(ends))
        elif step == "backup":
            backups.append((kek.seal(b"backup", b""), ends))
        elif step == "turn":
            kek.start_generation(AT + timedelta(days=number))
            forget_ended(ratchet, kek)  # a round of the housekeeper follows within seconds
        elif step == "destroy" and len(living) > 1:
            kek.destroy_generation(living[0].number)
        elif step == "keep":
            forget_ended(ratchet, kek)
        elif step == "reopen":
            ratchet.close()
            ratchet = Ratchet.open(folder / "ratchet")
        oldest = kek.list_generations()[0].number
        held = set(ratchet.records("pointer"))
        for sealed, before in backups:
            if kek.read_generation(sealed) >= oldest:
                assert held >= {str(end) for end in range(before + 1, ends + 1)}
        assert read_oldest(ratchet) <= oldest
    assert ratchet.records("suspension") == ("p 1",)
    ratchet.close()


def test_what_is_over_goes_and_the_file_gets_shorter(tmp_path: Path) -> None:
    kek = FileKek.create(tmp_path / "kek")
    with Ratchet.open(tmp_path / "ratchet") as ratchet:
        for number in range(1, 5):
            forget_ended(ratchet, kek)
            ratchet.record_all([("erased", f"{number} {each}") for each in range(100)])
            kek.start_generation(AT + timedelta(days=number))
        length = (tmp_path / "ratchet").stat().st_size
        assert forget_ended(ratchet, kek) == 0  # all generations live
        kek.destroy_generation(1)
        assert forget_ended(ratchet, kek) == 0  # the oldest is 2: what came before 1 was seen
        kek.destroy_generation(2)
        # What was recorded under 1, and the mark of 1; what came under 2 waits for one more.
        assert forget_ended(ratchet, kek) == 101
        assert (tmp_path / "ratchet").stat().st_size < length - 100 * 40
        assert len(ratchet.records("erased")) == 300
        mark = ratchet.value(KEK_OLDEST)
        assert mark is not None
        assert mark.number == 3
        assert forget_ended(ratchet, kek) == 0


def test_an_older_kek_that_is_put_back_moves_nothing(tmp_path: Path) -> None:
    """Also where the broker was not there to see each generation begin."""
    kek = FileKek.create(tmp_path / "kek")
    with Ratchet.open(tmp_path / "ratchet") as ratchet:
        forget_ended(ratchet, kek)
        for number in range(2, 5):
            kek.start_generation(AT + timedelta(days=number))
        kek.destroy_generation(1)
        kek.destroy_generation(2)
        copy = (tmp_path / "kek").read_bytes()
        kek.destroy_generation(3)
        forget_ended(ratchet, kek)
        assert read_oldest(ratchet) == 4
        (tmp_path / "kek").write_bytes(copy)
        assert forget_ended(ratchet, FileKek.open(tmp_path / "kek")) == 0
        assert read_oldest(ratchet) == 4


def test_generations_of_an_older_kek_do_not_make_forget(tmp_path: Path) -> None:
    """They turn until theirs are gone: the backups of the newer ones open when it comes back."""
    path = tmp_path / "kek"
    kek = FileKek.create(path)
    copy = path.read_bytes()
    with Ratchet.open(tmp_path / "ratchet") as ratchet:
        for number in range(2, 5):
            kek.start_generation(AT + timedelta(days=number))
        forget_ended(ratchet, kek)
        backup = kek.seal(b"backup", b"")
        ratchet.record("pointer", "ended since")
        newer = path.read_bytes()

        path.write_bytes(copy)
        kek = FileKek.open(path)
        for number in range(2, 4):
            forget_ended(ratchet, kek)
            kek.start_generation(AT + timedelta(days=number))
            kek.destroy_generation(number - 1)
        forget_ended(ratchet, kek)

        path.write_bytes(newer)
        assert FileKek.open(path).read_generation(backup) >= read_oldest(ratchet)
        assert ratchet.records("pointer") == ("ended since",)


def test_a_broker_does_not_start_with_a_kek_older_than_the_last_one(world: LogWorld) -> None:
    """It opens the auditor's chain, which moves later; keys under the newer one look damaged."""
    older = (world.folder / "kek").read_bytes()
    world.kek.start_generation(AT)
    forget_ended(world.ratchet, world.kek)
    require_kek(world.sealing, world.kek, world.ratchet)
    (world.folder / "kek").write_bytes(older)
    kek = FileKek.open(world.folder / "kek")
    sealing = Sealing(kek, world.store)
    sealing.open_delayed_chain_key()
    with pytest.raises(KekError, match="newest"):
        require_kek(sealing, kek, world.ratchet)
