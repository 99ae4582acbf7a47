"""Taking up what the officers publish: whole, tried, once, and never a worse one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker import following
from broker.adapters.opa_process import OpaProcess, OpaStartError
from broker.policy.bundle import pack_archive, rebuild_archive, sign_archive
from broker.policy.engine import Decisions, PolicyChangedError, PolicyUnavailableError
from broker.policy.evaluation import Evaluation
from broker.policy.publication import write_publication
from broker.policy_folders import BUNDLE_RATCHET
from broker.policy_state import PolicyState
from broker.purposes.bundled_cases import read_cases
from broker.purposes.catalogue import Catalogue
from connectors.client.verification import VerifiedPerson
from datwat.protocol.bundle import (
    CATALOGUE_PATH,
    MANIFEST_PATH,
    Bundle,
    BundleStaleError,
    derive_revision,
    read_archive,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import Core
from datwat.protocol.values import decode_moment
from tests.exchange.test_acts import batch
from tests.exchange.world import Running, World, now, open_world, say

# Why a bundle was not tried to its end: that says nothing of it.
UNTRIED = {OpaStartError.code, PolicyUnavailableError.code}


class Officers:
    """Those who publish for a broker: they sign what they are given, as the next or as any."""

    def __init__(self, running: Running) -> None:
        self.world = running.world
        self.following = running.broker.following
        self.running = running

    @property
    def bundle(self) -> Bundle:
        return self.running.broker.policy.bundle

    def put(self, archive: bytes, *, seq: int | None = None, key: SigningKey | None = None) -> int:
        number = seq or self.bundle.seq + 1
        document = sign_archive(archive, [key or self.world.policy_key], seq=number).to_bytes()
        write_publication(self.world.folder / "policy", archive, document)
        return number

    def change_purpose(self, **changes: object) -> bytes:
        """Return the bundle with one purpose as it will be from tomorrow."""
        catalogue = Catalogue.from_bundle(self.bundle)
        newest = catalogue.purposes["debt_counselling"][-1]
        begin = now() + timedelta(days=1)
        later = newest.model_copy(update={"valid_from": begin, **changes})
        return rebuild_archive(self.bundle, catalogue=catalogue.with_revision(later, now=now()))

    def fail_a_case(self) -> bytes:
        first, *rest = read_cases(self.bundle.cases)
        expect = first.expect.model_copy(update={"permit": not first.expect.permit})
        return rebuild_archive(
            self.bundle, cases=[first.model_copy(update={"expect": expect}), *rest]
        )

    def break_rego(self) -> bytes:
        files = read_archive(self.bundle.archive)
        files["datwat/ask/ask.rego"] = b"package datwat.ask\n\ndecision := no_such_rule\n"
        manifest = {"revision": derive_revision(files), "roots": ["datwat"], "rego_version": 1}
        return pack_archive({**files, MANIFEST_PATH: encode_canonical(manifest)})

    def spoil_catalogue(self) -> bytes:
        files = read_archive(self.bundle.archive)
        files[CATALOGUE_PATH] = b"{}"
        manifest = {"revision": derive_revision(files), "roots": ["datwat"], "rego_version": 1}
        return pack_archive({**files, MANIFEST_PATH: encode_canonical(manifest)})

    def open_a_kind(self) -> bytes:
        """Return the bundle in which a purpose shows more than the guard rails let anybody see."""
        catalogue = Catalogue.from_bundle(self.bundle)
        (purpose,) = catalogue.purposes["income_support"]
        wide = purpose.model_copy(update={"sees": {**purpose.sees, "youth_help": "dat"}})
        return rebuild_archive(
            self.bundle,
            catalogue=catalogue.model_copy(
                update={"purposes": {**catalogue.purposes, purpose.id: (wide,)}}
            ),
        )

    async def look_until_tried(self) -> PolicyState:
        """Look until what lies ready is in force, or refused for what it is."""
        while True:
            state = await self.following.look()
            if state.refused is None or state.refused.code not in UNTRIED:
                return state

    def read_status(self) -> Mapping[str, Any]:
        return self.following.build_status(self.running.broker.rooms.clock())


@pytest.fixture
async def officers(tmp_path: Path) -> AsyncIterator[Officers]:
    async with AsyncExitStack() as stack:
        found = Officers(await open_world(World(tmp_path), stack))
        await found.following.state_documents()
        yield found


async def weigh(running: Running) -> str:
    """Ask something of everyday, and return by which revision it was weighed."""
    answer = await running.ask("debt-counselling", "register", batch(1), say())
    return read_revision(answer.persons[0])


def read_revision(person: VerifiedPerson) -> str:
    assert isinstance(person.core, Core)
    return person.core.revision


async def test_a_newer_bundle_is_in_force_everywhere_at_once(officers: Officers) -> None:
    broker, old = officers.running.broker, officers.bundle
    size = broker.log.size
    seq = officers.put(officers.change_purpose(owner="Another"))
    state = await officers.following.look()
    assert (state.seq, state.refused) == (seq, None)
    assert broker.engine.bundle is broker.policy.bundle is officers.following.offered
    assert broker.policy.bundle.digest != old.digest
    assert broker.policy.files.archive == broker.policy.bundle.archive
    assert await weigh(officers.running) == broker.policy.bundle.revision
    assert broker.log.size == size + 2  # the bundle's document, and what was asked
    mark = broker.ratchet.value(BUNDLE_RATCHET)
    assert mark is not None
    assert (mark.number, mark.digest.hex()) == (seq, broker.policy.bundle.digest)
    status = officers.read_status()
    assert (status["policy_seq"], status["policy_refused"]) == (seq, None)
    assert decode_moment(status["policy_since_at"]) == state.since_at
    assert 0 <= status["policy_seconds_ago"] < 60


REFUSED = {
    "opa_refused": lambda officers: officers.put(officers.break_rego()),
    "bundle_cases": lambda officers: officers.put(officers.fail_a_case()),
    "policy_file_invalid": lambda officers: officers.put(officers.open_a_kind()),
    "bundle_form": lambda officers: officers.put(officers.spoil_catalogue()),
    "document_threshold": lambda officers: officers.put(
        officers.change_purpose(), key=SigningKey.generate()
    ),
    "ratchet_alarm": lambda officers: officers.put(
        officers.change_purpose(), seq=officers.bundle.seq
    ),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_what_may_not_be_in_force_changes_nothing_and_status_says_so(
    officers: Officers, code: str
) -> None:
    broker, old = officers.running.broker, officers.bundle
    mark = broker.ratchet.value(BUNDLE_RATCHET)
    seq = REFUSED[code](officers)
    state = await officers.following.look()
    assert state.refused is not None
    assert (state.refused.code, state.refused.seq) == (code, seq)
    assert state.digest == old.digest == broker.engine.bundle.digest
    assert broker.policy.bundle is old
    assert officers.following.offered is old
    assert broker.ratchet.value(BUNDLE_RATCHET) == mark
    assert await weigh(officers.running) == old.revision
    told = officers.read_status()["policy_refused"]
    assert told["code"] == code
    assert told["detail"]
    # And what is right is taken up afterwards, under the number that the refused one had.
    assert (await officers.following.look()).refused == state.refused
    officers.put(officers.change_purpose())
    assert (await officers.following.look()).refused is None
    assert officers.bundle.digest != old.digest


async def test_a_bundle_that_goes_back_is_refused(officers: Officers) -> None:
    first = officers.bundle
    officers.put(officers.change_purpose())
    await officers.following.look()
    second = officers.bundle
    officers.put(first.archive, seq=first.seq)
    state = await officers.following.look()
    assert state.refused is not None
    assert state.refused.code == BundleStaleError.code
    assert officers.bundle is second
    # Going back to the older rules is a bundle of its own, with a number of its own.
    officers.put(first.archive)
    assert (await officers.following.look()).refused is None
    assert officers.bundle.digest == first.digest


async def test_a_folder_that_is_away_changes_nothing(officers: Officers) -> None:
    folder, old = officers.world.folder / "policy", officers.bundle
    folder.rename(folder.with_name("away"))
    state = await officers.following.look()
    assert state.refused is not None
    assert (state.refused.code, state.refused.seq) == ("bundle_folder", None)
    assert officers.bundle is old
    folder.with_name("away").rename(folder)
    assert (await officers.following.look()).refused is None


async def test_what_was_refused_starts_no_opa_again_and_what_could_not_be_tried_does(
    officers: Officers, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = 0
    start = OpaProcess.start

    async def count(*arguments: Any) -> OpaProcess:  # noqa: ANN401 - passed on
        nonlocal started
        started += 1
        return await start(*arguments)

    monkeypatch.setattr(OpaProcess, "start", count)
    officers.put(officers.fail_a_case())
    for _ in range(3):
        await officers.following.look()
    assert started == 1

    async def find_no_opa(*_arguments: object) -> OpaProcess:
        raise OpaStartError

    good = officers.change_purpose()
    seq = officers.put(good)
    monkeypatch.setattr(OpaProcess, "start", find_no_opa)
    state = await officers.following.look()
    assert state.refused is not None
    assert state.refused.code == "opa_start"
    monkeypatch.setattr(OpaProcess, "start", count)
    assert (await officers.following.look()).refused is not None  # not yet: it waits a while
    monkeypatch.setattr(officers.following, "_not_before", 0.0)
    state = await officers.following.look()
    assert (state.seq, state.refused, started) == (seq, None, 2)


async def test_a_restart_falls_back_on_what_was_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OPA has so many seconds to start and to be tried, and this machine other tests: what could
    # not be tried is tried again at once here.
    monkeypatch.setattr(following, "_find_pause", lambda *_: 0.0)
    world = World(tmp_path)
    async with AsyncExitStack() as stack:
        first = Officers(await open_world(world, stack))
        first.put(first.change_purpose())
        kept = await first.look_until_tried()
        assert kept.refused is None
        first.put(first.break_rego())
        assert (await first.look_until_tried()).refused is not None
    async with AsyncExitStack() as stack:
        second = Officers(await open_world(world, stack))
        assert second.following.state.digest == kept.digest
        assert second.following.state.since_at >= kept.since_at
        found = second.following.state.refused
        assert found is not None
        if found.code in UNTRIED:
            found = (await second.look_until_tried()).refused
        assert found is not None
        assert found.code == "opa_refused"
        assert await weigh(second.running) == kept.revision
        second.put(second.change_purpose(owner="Another"))
        assert (await second.look_until_tried()).refused is None


async def test_a_message_of_many_is_weighed_by_one_revision(officers: Officers) -> None:
    broker, old = officers.running.broker, officers.bundle
    archive = officers.change_purpose()
    evaluate, calls = broker.engine.evaluate, 0

    async def publish_meanwhile(evaluations: Sequence[Evaluation]) -> Decisions:
        nonlocal calls
        calls += 1
        if calls == 2:
            officers.put(archive)
            assert (await officers.following.look()).refused is None
        return await evaluate(evaluations)

    broker.engine.evaluate = publish_meanwhile  # type: ignore[method-assign] # between the parts
    answer = await officers.running.ask("debt-counselling", "register", batch(70), say())
    broker.engine.evaluate = evaluate  # type: ignore[method-assign]
    assert calls == 3
    assert officers.bundle.digest != old.digest
    seen = {read_revision(person) for person in answer.persons}
    assert seen == {old.revision}
    assert await weigh(officers.running) == officers.bundle.revision


async def test_what_was_cut_off_is_not_finished_by_other_rules(officers: Officers) -> None:
    running, engine = officers.running, officers.running.broker.engine
    sent = running.world.build("debt-counselling", "register", batch(70), say())
    evaluate, calls = engine.evaluate, 0

    async def fail_second(evaluations: Sequence[Evaluation]) -> Decisions:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise PolicyUnavailableError
        return await evaluate(evaluations)

    engine.evaluate = fail_second  # type: ignore[method-assign] # the fault under test
    with pytest.raises(PolicyUnavailableError):
        await running.send(sent)
    engine.evaluate = evaluate  # type: ignore[method-assign]
    officers.put(officers.change_purpose())
    await officers.following.look()
    size = running.broker.log.size
    with pytest.raises(PolicyChangedError):
        await running.send(sent)
    assert running.broker.log.size == size
    assert await weigh(running) == officers.bundle.revision
