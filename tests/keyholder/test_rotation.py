"""Under which epoch is evaluated, and what a running key holder says of a rotation to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine

from datwat.party.admin import CommandRefusedError
from datwat.protocol import group
from datwat.protocol.keys import ExchangePublicKey
from datwat.protocol.rotation import (
    Progress,
    Rotation,
    RotationAnswer,
    derive_rotation_key,
    open_rotation,
)
from datwat.protocol.signing import SignedMessage
from datwat.protocol.trust import Card
from keyholder.rotating import Rotations
from keyholder.rotation import SPREAD, choose_epoch, find_rotation, save_rotation
from keyholder.rotation import Rotation as Held
from keyholder.secrets import create_secrets, write_scalar
from keyholder.settings import KeyHolderSettings
from tests.keyholder.world import World, look_up, problem, read, run
from tests.party.covenant import BROKER_ID, KEY_HOLDER_ID, Member, now

NOW = now()
BEGUN = Held("begun", 1, 2, 2, NOW)
DONE = Progress(leaving=1, current=2, permille=1_000, done=True)
HALF = Progress(leaving=1, current=2, permille=500, done=False)
TURNED = BEGUN.told(None, NOW).told(DONE, NOW)
LATER = NOW + SPREAD
NOT_TURNED = "not told since this start|has turned 90 %"


def test_the_old_epoch_is_used_until_all_is_turned_and_everybody_can_know() -> None:
    for rotation in (BEGUN, BEGUN.told(HALF, NOW), TURNED):
        assert choose_epoch((1, 2), (1, 2), rotation, NOW) == 1
    assert choose_epoch((1, 2), (1, 2), BEGUN.told(HALF, NOW), LATER) == 1
    assert choose_epoch((1, 2), (1, 2), TURNED, LATER) == 2


@pytest.mark.parametrize("rotation", [None, BEGUN, TURNED, TURNED.aborted([1, 2])])
def test_only_an_epoch_that_both_lists_name_is_used(rotation: Held | None) -> None:
    shares: list[tuple[int, ...]] = [(1,), (2,), (1, 2)]
    for shared, known in product(shares, shares):
        chosen = choose_epoch(shared, known, rotation, LATER)
        assert (chosen is None) == (not set(shared) & set(known))
        assert chosen is None or (chosen in shared and chosen in known)
    # Who says none has one in its list: the older, for the newer list comes to all.
    assert choose_epoch((1, 2), (), rotation, LATER) == 1
    assert choose_epoch((2,), (), rotation, LATER) == 2
    assert choose_epoch((), (), rotation, LATER) is None


def test_what_the_broker_tells_counts_for_its_own_direction_only() -> None:
    assert TURNED.state == "turned"
    assert TURNED.told(HALF, LATER).state == "begun"  # its database was put back
    back = TURNED.aborted([1, 2])
    assert (back.state, back.leaving, back.current) == ("begun", 2, 1)
    assert back.told(DONE, LATER).state == "begun"
    other = Progress(leaving=2, current=1, permille=1_000, done=True)
    assert back.told(other, LATER).state == "turned"
    assert replace(BEGUN, is_drawn=True).aborted([1]).state == "ended"  # nobody had δ
    assert BEGUN.aborted([1]).state == "begun"  # whether rows lie under it is not known


def test_whoever_is_killed_before_the_scalar_is_destroyed_destroys_it_at_the_start(
    own_engine: Engine, tmp_path: Path
) -> None:
    create_secrets(tmp_path)
    write_scalar(tmp_path, 2, group.random_scalar())
    with own_engine.begin() as connection:
        save_rotation(connection, replace(TURNED, state="ended"))
    settings = KeyHolderSettings(home=tmp_path, id=KEY_HOLDER_ID, name="KH", url="http://-")
    rotations = Rotations(settings, own_engine, NOW)
    assert [path.name for path in (tmp_path / "secrets").glob("scalar-*")] == ["scalar-2"]
    assert list(rotations.secrets.scalars) == [2]
    assert '"epoch":2' in (tmp_path / "card.json").read_text().replace(" ", "")
    with own_engine.connect() as connection:
        assert find_rotation(connection) == replace(TURNED, state="ended", is_destroyed=True)
    # Brought back on purpose, it stays: an old backup of the broker may need it.
    write_scalar(tmp_path, 1, group.random_scalar())
    assert sorted(Rotations(settings, own_engine, NOW).secrets.scalars) == [1, 2]


def ask(world: World, signer: Member, **members: object) -> SignedMessage:
    return signer.sign(
        {"type": "rotation", "iss": BROKER_ID, "aud": KEY_HOLDER_ID, "progress": None, **members}
    )


def open_answer(world: World, message: SignedMessage) -> Rotation:
    response = world.post(message, path="/v1/rotations")
    assert response.status_code == 200, response.text
    answer = RotationAnswer.model_validate_json(response.content)
    holder = world.covenant.key_holder
    assert holder is not None
    broker = world.covenant.broker_exchange
    key = derive_rotation_key(
        broker, holder=ExchangePublicKey(holder.x25519[0]), broker=broker.public
    )
    return open_rotation(answer.sealed, answer.rid, key)


@pytest.mark.xdist_group("keyholder")
def test_the_broker_alone_is_told(world: World, members: dict[str, Member]) -> None:
    broker = Member(members["helper"].partner, world.covenant.broker_key)
    assert open_answer(world, ask(world, broker)) == Rotation(v=1, state="none")
    refused = world.post(
        ask(world, members["helper"], iss=members["helper"].id), path="/v1/rotations"
    )
    assert (refused.status_code, problem(refused)["code"]) == (403, "not_the_broker")
    again = ask(world, broker)
    assert world.post(again, path="/v1/rotations").status_code == 200
    assert problem(world.post(again, path="/v1/rotations"))["code"] == "rid_reused"
    stale = ask(world, broker, iat=(now() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert problem(world.post(stale, path="/v1/rotations"))["code"] == "message_expired"


@pytest.mark.xdist_group("keyholder")
def test_who_knows_no_epoch_of_ours_is_refused(world: World, members: dict[str, Member]) -> None:
    for epochs, status in (([1], 200), ([1, 2], 200), ([7], 503), ([], 200), ([0], 400)):
        message, _, _ = look_up(members["helper"], epochs=epochs)
        assert world.post(message).status_code == status, epochs


@pytest.mark.xdist_group("keyholder")
def test_a_rotation_is_begun_kept_over_a_restart_and_aborted(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, Member]
) -> None:
    world = World(tmp_path_factory.mktemp("rotating"), (members["helper"],)).start()
    home = ("--home", str(world.home))
    try:
        world.enable(members["helper"])
        assert run("rotate", "status", *home)["rotation"] == "none"
        begun = run("rotate", "begin", *home)
        assert (begun["rotation"], begun["epochs"]) == ("begun", [1, 2])
        card = Card.model_validate_json((world.home / "card.json").read_bytes())
        assert card.key_holder is not None
        assert [epoch.epoch for epoch in card.key_holder.epochs] == [1, 2]
        world.stop()
        world.start()
        found = run("status", *home)
        assert (found["rotation"], found["leaving"], found["current"]) == ("begun", 1, 2)
        (part,) = (one for one in found["parts"] if one["part"] == "scalar")
        assert (part["state"], part["what_to_do"]) == ("attention", found["what_to_do"])
        message, _, _ = look_up(members["helper"])  # the list names epoch 1 alone
        assert read(world.post(message)).epoch == 1
        broker = Member(members["helper"].partner, world.covenant.broker_key)
        said = open_answer(world, ask(world, broker))
        assert (said.state, said.leaving, said.current) == ("turn", 1, 2)
        back = run("rotate", "abort", *home)
        assert (back["rotation"], back["leaving"], back["current"]) == ("begun", 2, 1)
        over = Progress(leaving=2, current=1, permille=1_000, done=True)
        all_is_turned = {"progress": over.model_dump(mode="json")}
        open_answer(world, ask(world, broker, **all_is_turned))
        assert run("rotate", "status", *home)["rotation"] == "turned"
        world.stop()  # and its database may be put back from an old copy
        world.start()
        for word in (None, DONE, over.model_copy(update={"done": False, "permille": 900})):
            told = word.model_dump(mode="json") if word else None
            open_answer(world, ask(world, broker, progress=told))
            with pytest.raises(CommandRefusedError, match=NOT_TURNED):
                run("rotate", "finish", *home, "--at-once")
            assert (world.home / "secrets" / "scalar-2").exists()
        open_answer(world, ask(world, broker, **all_is_turned))
        ended = run("rotate", "finish", *home, "--at-once")
        assert (ended["rotation"], ended["epochs"]) == ("ended", [1])
        assert not (world.home / "secrets" / "scalar-2").exists()
        assert open_answer(world, ask(world, broker)) == Rotation(v=1, state="ended", current=1)
    finally:
        world.close()
