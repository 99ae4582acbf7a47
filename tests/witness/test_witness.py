"""The witness as a process: what it vouches for, what it refuses, and that it never goes back."""

from __future__ import annotations

import hashlib
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from datwat.protocol.checkpoint import verify_checkpoint, verify_cosignatures
from datwat.protocol.cosigning import AddCheckpoint, derive_origin_hash
from datwat.protocol.notes import parse_note
from tests.databases import copy_database, lose_database, read_url
from tests.witness.conftest import ON_EACH_DATABASE
from tests.witness.log_maker import LogMaker
from tests.witness.world import World
from witness.tables import METADATA

EVIDENCE = "SELECT held, shown FROM alarms WHERE number = 1"

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("witness")]


@ON_EACH_DATABASE
def test_it_vouches_for_what_it_followed_and_goes_on_from_there(world: World) -> None:
    first = world.maker.request(0)
    world.require_cosigned(world.post(first), first)
    for step in (1, 300, 0, 2_000):
        before = world.maker.size
        if step:
            world.maker.add_persons(step).add_root()
            world.show()
        request = world.maker.request(before)
        world.require_cosigned(world.post(request), request)
    said = world.status()
    size = world.maker.size
    assert (said["followed_size"], said["vouched_size"], said["alarms"]) == (size, size, [])
    assert said["vouched_seconds_ago"] < 60
    assert said["tag_roots"] == sum(entry[1] == 2 for entry in world.maker.entries)
    shown = world.client.get(f"{world.url}/{derive_origin_hash(world.maker.origin)}/checkpoint")
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    held = verify_checkpoint(shown.content, world.maker.origin, [world.maker.signer.vkey])
    assert held.size == size
    assert len(verify_cosignatures(parse_note(shown.content), [world.witness.vkey])) == 1
    health = world.client.get(f"{world.url}/v1/health").json()
    assert health == {
        "status": "ok",
        "vouched_size": size,
        "vouched_seconds_ago": health["vouched_seconds_ago"],
    }


def test_each_refusal_has_the_status_of_the_specification(world: World) -> None:
    hashed = derive_origin_hash(world.maker.origin)
    assert world.client.get(f"{world.url}/{hashed}/checkpoint").status_code == 404
    assert world.ask(0).status_code == 200
    maker = world.maker
    conflict = world.post(AddCheckpoint(old_size=0, proof=(), checkpoint=maker.note()))
    assert (conflict.status_code, conflict.content) == (409, b"700\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    maker.add_persons(50).add_root()
    world.show()
    good = maker.request(700)
    other = LogMaker("other.example/log/1", maker.key, maker.entries)
    stranger = LogMaker(entries=maker.entries)
    fork = LogMaker(maker.origin, maker.key, maker.entries[:690]).add_persons(100, "fork")
    name = maker.note().replace(maker.origin.encode(), b"n" * 10_240)
    spoilt = good.checkpoint.replace(b"\n751\n", b"\n752\n")
    refused: list[tuple[AddCheckpoint | bytes, int]] = [
        (b"", 400),
        (b"old 700\n\n" + b"x" * 60_000, 400),
        (good.serialise().replace(b"old 700", b"old 0700"), 400),
        (good.model_copy(update={"old_size": 752}), 400),
        (good.model_copy(update={"checkpoint": name}), 400),
        (stranger.request(700), 403),
        (good.model_copy(update={"checkpoint": spoilt}), 403),
        (other.request(700), 404),
        (good.model_copy(update={"old_size": 699}), 409),
        (good.model_copy(update={"proof": good.proof[1:]}), 422),
        (fork.request(700), 422),
    ]
    for request, status in refused:
        response = world.post(request)
        assert response.status_code == status, (status, response.text)
        assert world.maker.origin.encode() not in response.content
    assert world.client.get(f"{world.url}/add-checkpoint").status_code == 405
    assert world.client.get(f"{world.url}/{'0' * 64}/checkpoint").status_code == 404
    assert world.post(b"x" * 100_000).status_code == 413
    assert world.status()["vouched_size"] == 700
    assert world.status()["alarms"] == []
    world.require_cosigned(world.post(good), good)


@ON_EACH_DATABASE
def test_two_trees_of_one_size_raise_an_alarm_that_stops_everything(world: World) -> None:
    assert world.ask(0).status_code == 200
    assert world.command("status")[1].keys() == world.status().keys()
    fork = LogMaker(world.maker.origin, world.maker.key, world.maker.entries[:690])
    fork.add_persons(10, "fork")
    forked = AddCheckpoint(old_size=700, proof=(), checkpoint=fork.note())
    for _ in range(2):
        assert world.post(forked).status_code == 422
    said = world.status()
    (alarm,) = said["alarms"]
    assert (alarm["code"], said["last_refusal"]) == ("cosigning_fork", "cosigning_fork")
    stopped = world.grow(by=5)
    assert (stopped.status_code, stopped.json()["code"]) == (503, "witness_alarmed")
    assert world.client.get(f"{world.url}/v1/health").json()["status"] == "alarm"
    world.stop()
    world.start()
    assert world.ask(700).status_code == 503
    assert "No alarm" in world.command("clear-alarm", "7", "--by", "A. Smit")[2]
    assert "Say who" in world.command("clear-alarm", "1", "--by", " ")[2]
    assert world.command("clear-alarm", str(alarm["number"]), "--by", "A. Smit")[0] == 0
    assert world.ask(700).status_code == 200
    assert world.status()["alarms"] == []


@ON_EACH_DATABASE
def test_a_log_that_hides_an_entry_from_its_tag_root_is_not_vouched_for(world: World) -> None:
    assert world.ask(0).status_code == 200
    place = world.maker.add_persons(30).size
    world.maker.add_root(root=hashlib.sha256(b"one left out").digest())
    world.show()
    refused = world.ask(700)
    assert (refused.status_code, refused.json()["code"]) == (409, "follow_tag_root")
    assert f"Entry {place} states a root" in refused.json()["detail"]
    said = world.status()
    assert [alarm["code"] for alarm in said["alarms"]] == ["follow_tag_root"]
    assert (said["followed_size"], said["vouched_size"]) == (700, 700)
    world.clear_alarm(said["alarms"][0]["number"])
    assert world.grow(by=1, old=700).status_code == 409
    assert [alarm["code"] for alarm in world.status()["alarms"]] == ["follow_tag_root"]
    ((held, shown),) = world.execute(EVIDENCE)
    for note, size in ((held, 700), (shown, place + 1)):
        found = verify_checkpoint(note, world.maker.origin, [world.maker.signer.vkey])
        assert found.size == size


@ON_EACH_DATABASE
def test_a_tag_that_occurs_twice_is_an_alarm(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.maker.entries.append(world.maker.entries[3])
    world.show()
    assert world.ask(700).json()["code"] == "follow_tag_twice"
    assert [alarm["code"] for alarm in world.status()["alarms"]] == ["follow_tag_twice"]


def test_a_tag_that_occurs_twice_before_any_root_counts_it_is_an_alarm(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.maker.add_persons(1)
    world.maker.entries.append(world.maker.entries[-1])
    world.show()
    assert world.ask(700).json()["code"] == "follow_tag_twice"


def test_a_fork_after_what_was_followed_is_an_alarm_once_its_tiles_prove_it(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.stop()
    world.start(DATWAT_FOLLOW_SECONDS="0.1")
    common = LogMaker(world.maker.origin, world.maker.key, list(world.maker.entries))
    world.maker.add_persons(300).add_root()
    world.show()
    world.server.delay = 0.2
    assert world.ask(700).status_code == 503  # nothing is vouched for, and it goes on following
    world.server.delay = 0
    until = time.monotonic() + 20
    while world.status()["followed_size"] != world.maker.size:
        assert time.monotonic() < until
    fork = common.add_persons(500, "fork")
    world.show(fork)
    assert world.post(fork.request(700)).status_code in (409, 503)
    until = time.monotonic() + 30
    while not (said := world.status())["alarms"]:  # after a 503 it goes on following
        assert time.monotonic() < until
    assert [alarm["code"] for alarm in said["alarms"]] == ["follow_forked"]
    assert said["vouched_size"] == 700


def test_tiles_that_lie_or_are_slow_or_absent_are_refused_and_prove_nothing(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.maker.add_persons(600)
    world.show()
    prefix = "v1/log/tile"
    for name, data in (
        ("entries/003", bytes(17_408)),
        ("entries/003", b"garbage"),
        ("entries/004", b"x" * 200_000),
        ("0/005.p/20", bytes(640)),
        ("0/002", bytes(8_192)),  # in the proof alone: the root does not read it
        ("1/000.p/5", b""),
    ):
        world.server.changes = {f"{prefix}/{name}": data}
        refused = world.ask(700)
        assert refused.status_code == 502, (name, refused.text)
    world.server.changes = {}
    world.server.delay = 30
    began = time.monotonic()
    assert world.ask(700).status_code in (503, 504)
    assert time.monotonic() - began < 12
    world.server.delay = 0
    shutil.rmtree(world.shown / "v1")
    world.ask(700)  # the one that was slow may still be waited for
    absent = world.ask(700)
    assert absent.status_code == 502
    said = world.status()
    assert (said["alarms"], said["vouched_size"]) == ([], 700)
    world.show()
    assert world.ask(700).status_code == 200


def test_a_long_log_is_followed_across_requests(world: World) -> None:
    world.stop()
    world.start(DATWAT_FOLLOW_SECONDS="0.1")
    world.maker.add_persons(6_000).add_root()
    world.show()
    world.server.delay = 0.05
    answers = []
    for _ in range(100):
        answers.append(world.ask(0))
        if answers[-1].status_code == 200:
            break
        assert answers[-1].json()["code"] == "witness_still_following"
        assert answers[-1].headers["retry-after"]
    assert answers[-1].status_code == 200
    assert len(answers) > 1


@ON_EACH_DATABASE
def test_of_several_requests_at_once_one_is_first(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.maker.add_persons(400)
    world.show()
    # Partial tiles of each size that is asked for
    sizes = [720, 750, 800, 900, 1_000, 1_100]
    for size in sizes:
        for name, data in world.maker.files(size).items():
            path = world.shown / "v1" / "log" / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    requests = [world.maker.request(700, size) for size in sizes]
    with ThreadPoolExecutor(len(sizes)) as pool:
        answers = list(pool.map(world.post, requests))
    won = [size for size, answer in zip(sizes, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    for answer in answers:
        assert answer.status_code == 200 or answer.content == f"{won[0]}\n".encode()
    assert world.status()["vouched_size"] == won[0]
    larger = [size for size in sizes if size > won[0]]
    for old, size in zip([won[0], *larger], larger, strict=False):  # smaller than what was followed
        assert world.ask(old, size).status_code == 200


@pytest.mark.long
@ON_EACH_DATABASE
def test_killed_at_any_moment_it_never_vouches_for_two_trees(world: World, whole: bool) -> None:
    maker = world.maker
    assert world.ask(0).status_code == 200
    vouched = {700: maker.edge(700)[0].root}
    delays = [0.005, 0.02, 0.05, 0.1, 0.0, 0.01, 0.03, 0.2]
    for turn in range(60 if whole else 4):
        maker.add_persons(3).add_root()
        world.show()
        size = max(vouched)
        thread = threading.Timer(delays[turn % 8], world.stop, (signal.SIGKILL,))
        thread.start()
        try:
            if world.ask(size).status_code == 200:
                vouched[maker.size] = maker.edge(maker.size)[0].root
        except httpx.HTTPError:
            pass
        thread.join()
        world.start()
        # A fork from before whatever was answered: never vouched for, whatever was lost.
        fork = LogMaker(maker.origin, maker.key, maker.entries[: max(vouched) - 1])
        fork.add_persons(maker.size + 5 - fork.size, "fork")
        world.show(fork)
        assert world.post(fork.request(max(vouched))).status_code in (409, 422)
        world.show()
        held = world.status()["vouched_size"]
        assert held in (max(vouched), maker.size)
        done = world.ask(held)
        assert done.status_code == 200, done.text
        vouched[maker.size] = maker.edge(maker.size)[0].root
    assert world.status()["alarms"] == []


def test_a_database_that_was_put_back_or_lost_changes_nothing(world: World, tmp_path: Path) -> None:
    assert world.ask(0).status_code == 200
    world.stop()
    saved = tmp_path / "saved"
    copy_database(world.home, saved)
    world.start()
    assert world.grow(by=40).status_code == 200
    size = world.maker.size
    for is_lost in (False, True):
        world.stop()
        if is_lost:
            lose_database(read_url(world.home))
        else:
            copy_database(saved, world.home)
        world.start()
        fork = LogMaker(world.maker.origin, world.maker.key, world.maker.entries[:700])
        fork.add_persons(100, "fork")
        world.show(fork)
        back = world.post(fork.request(700))
        assert (back.status_code, back.content) == (409, f"{size}\n".encode())
        assert world.post(fork.request(size)).status_code == 422
        world.show()
        assert world.ask(size).status_code == 200


def test_a_ratchet_that_was_put_back_is_noticed_at_the_start(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.stop()
    shutil.rmtree(world.home / "ratchet")
    code, _, error = world.command("serve")
    assert code == 1
    assert "ahead of the ratchet" in error


@ON_EACH_DATABASE
def test_a_new_generation_is_followed_from_its_beginning(world: World) -> None:
    assert world.ask(0).status_code == 200
    world.stop()
    second = LogMaker("log.example/log/2").add_statement().add_persons(30).add_root()
    world.sign_list(second, seq=2)
    world.maker = second
    world.show()
    world.start()
    assert world.status()["followed_size"] == 0
    assert world.ask(0).status_code == 200
    assert world.status()["vouched_size"] == 32


def test_a_witness_that_is_not_listed_or_not_any_more_vouches_for_nothing(world: World) -> None:
    world.stop()
    world.sign_list(world.maker, seq=2, witnesses=(), witness_threshold=0)
    code, _, error = world.command("serve")
    assert code == 1
    assert "does not name this witness" in error
    assert world.command("status")[0] == 1


def test_what_is_wrong_in_the_home_is_said_at_the_start(world: World) -> None:
    world.stop()
    key = world.home / "secrets" / "witness.key"
    held = key.read_text()
    for damaged in (held[:-1], "zz" * 32, "00"):
        key.write_text(damaged)
        assert "witness.key is damaged" in world.command("serve")[2]
    key.write_text(held)
    key.chmod(0o644)
    assert "Others may read" in world.command("serve")[2]
    key.chmod(0o600)
    world.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer version" in world.command("serve")[2]


def test_the_migrated_schema_is_that_of_the_models(own_engine: Engine) -> None:
    with own_engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
