"""Three processes of a broker ask one OPA that somebody else runs; the first serves it its bundle.

One policy at a time, for all: an answer is logged under the revision that weighed it, or there is
none. Without OPA, or with one that has no bundle, nothing is given, whichever process is asked.
"""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from connectors.client.outgoing import ROUTES, Person, Sent
from connectors.client.verification import VerifiedAnswer
from datwat.protocol.acts import Statement
from datwat.protocol.messages import Core
from tests.conftest import open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import sync
from tests.faults.world import NOOR, PURPOSE, Seen, build_release, open_child
from tests.parties import POLICIES, run_command
from tests.postgres import OwnServer
from tests.several.shared_opa import SharedCovenant, count_opas
from tests.several.world import Asking, BrokerProcess, await_true
from tests.stopping import stop_process

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several-opa"),
    pytest.mark.timeout(600),  # eight processes start
]

_SECONDS = 60.0  # what takes longer than that does not come, on a busy machine either


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    ratchet_server: OwnServer,
    own_system: OwnSystem,
) -> Iterator[SharedCovenant]:
    folder = tmp_path_factory.mktemp("shared-opa")
    with (
        open_database(postgres_url) as database,
        open_database(ratchet_server.url) as ratchet,
        SharedCovenant(folder, own_system, database=database, ratchet=ratchet, count=3) as made,
    ):
        sync(made)
        yield made


@pytest.fixture
def team(shared: SharedCovenant) -> Iterator[Asking]:
    with Asking(shared, "social-team") as asking:
        yield asking


@pytest.fixture(scope="module")
def child(shared: SharedCovenant) -> Seen:
    with Asking(shared, "social-team") as team:
        return open_child(team, BSNS[0])


def build_inquiry(team: Asking, child: Seen) -> Sent:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    return team.build("inquire", [Person(handle=child.handle)], statement, **extra)


def read_revision(answer: VerifiedAnswer) -> str:
    """Return under which revision an answer stands in the log."""
    core = answer.persons[0].core
    assert isinstance(core, Core)
    return core.revision


def require_answers(
    covenant: SharedCovenant, brokers: Sequence[BrokerProcess], team: Asking, child: Seen
) -> None:
    """Assert that each of these answers by the policy in force, which is OPA's."""
    revision = covenant.bundle.revision
    assert covenant.opa.revision == revision
    for broker in brokers:
        sent = build_inquiry(team, child)
        answer = team.verify(team.send_to(broker, sent), sent)
        assert read_revision(answer) == revision
        assert len(answer.persons[0].part.pointers) == 1  # type: ignore[union-attr]


def require_denied(
    covenant: SharedCovenant, brokers: Sequence[BrokerProcess], team: Asking, child: Seen
) -> list[tuple[BrokerProcess, Sent]]:
    """Assert that each of these gives nothing and logs that; return what it was asked.

    The covenant's log has nothing of it: the same bytes are answered once there is a policy.
    """
    source = covenant.partners["youth-help"].id
    asked = [(one, build_inquiry(team, child)) for one in brokers]
    asked += [(one, build_release(team, child, source)) for one in brokers]
    size, before = count_entries(covenant), [count_refusals(one) for one in brokers]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda each: post_when_current(team, *each), asked))
    for answer in answers:
        assert answer.status_code == 503, "it was answered"
        assert answer.json()["code"] == "policy_unavailable"
    assert [count_refusals(one) for one in brokers] == [count + 2 for count in before]
    assert count_entries(covenant) == size
    return asked


def require_recovered(team: Asking, asked: Sequence[tuple[BrokerProcess, Sent]]) -> None:
    """Assert that the same bytes are answered in the end, a release with what was asked for."""
    for broker, sent in asked:
        until = time.monotonic() + _SECONDS
        while (answer := post(team, broker, sent)).status_code == 503:
            assert time.monotonic() < until, answer.text
            time.sleep(0.1)
        verified = team.verify(answer, sent)
        assert (verified.envelope is not None) is (sent.act == "release")


def post(team: Asking, broker: BrokerProcess, sent: Sent) -> httpx.Response:
    """Send once."""
    return team.post(broker, ROUTES[sent.act], sent.wire)


def post_when_current(team: Asking, broker: BrokerProcess, sent: Sent) -> httpx.Response:
    """Send, and again while the process was too slow to look at what others changed."""
    until = time.monotonic() + _SECONDS
    while True:
        answer = post(team, broker, sent)
        late = answer.status_code == 503 and answer.json()["code"] == "process_not_current"
        if not late or time.monotonic() > until:
            return answer


def count_entries(covenant: SharedCovenant) -> int:
    """Return how many entries are about what somebody asked."""
    rows = covenant.read("SELECT count(*) FROM log_entries WHERE subject_id IS NOT NULL")
    return int(rows[0][0])


def count_refusals(broker: BrokerProcess) -> int:
    """Return how often the process wrote that it had no decision."""
    return broker.log.read_text("utf-8").count('"code":"policy_unavailable"')


class Heard(NamedTuple):
    """What one question came to; `revision` is None where nobody weighed it."""

    sent_at: float
    heard_at: float
    revision: str | None
    permitted: bool = False


class Asker:
    """Asks each process all the time, with the purpose as it was when the asker began."""

    def __init__(self, covenant: SharedCovenant, child: Seen) -> None:
        self.covenant, self.child = covenant, child
        self.heard: dict[int, list[Heard]] = {one.number: [] for one in covenant.brokers}
        self._is_over = threading.Event()

    @contextmanager
    def run(self) -> Iterator[None]:
        """Ask until the block ends; raise what was answered wrongly."""
        with ThreadPoolExecutor(len(self.heard)) as pool:
            asked = [pool.submit(self._ask_on, broker) for broker in self.covenant.brokers]
            try:
                await_true(lambda: all(self.heard.values()), _SECONDS, "one is not asked")
                yield
            finally:
                self._is_over.set()
            for one in asked:
                one.result()

    def has_everywhere(self, revision: str) -> bool:
        """Whether each process answered by it."""
        return all(
            any(one.revision == revision for one in list(heard)) for heard in self.heard.values()
        )

    def _ask_on(self, broker: BrokerProcess) -> None:
        with Asking(self.covenant, "social-team") as team:
            while not self._is_over.wait(0.02):
                sent, at = build_inquiry(team, self.child), time.monotonic()
                answer = post(team, broker, sent)
                found: tuple[str | None, bool] = (None, False)
                if answer.status_code == 503:
                    code = answer.json()["code"]
                    assert code in {"policy_unavailable", "process_not_current"}, code
                else:
                    verified = team.verify(answer, sent)
                    part: Any = verified.persons[0].part
                    found = (read_revision(verified), part.weighing.permitted)
                self.heard[broker.number].append(Heard(at, time.monotonic(), *found))


def sign_changed_purpose(covenant: SharedCovenant, folder: Path) -> str:
    """Sign the purpose anew, so that its old text permits nothing; return the new revision."""
    shutil.copytree(POLICIES, folder)
    path = folder / "purposes" / f"{PURPOSE}.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("owner: Sociaal domein", "owner: Wijkteam"), encoding="utf-8")
    signed = ("--folder", str(covenant.policy), "--policies", str(folder))
    return str(run_command("purpose", "sign", *signed)["revision"])


def test_each_process_asks_the_one_opa(shared: SharedCovenant, team: Asking, child: Seen) -> None:
    require_answers(shared, shared.brokers, team, child)
    assert [count_opas(broker) for broker in shared.brokers] == [0, 0, 0]


def test_no_question_is_weighed_by_one_policy_and_logged_under_another(
    shared: SharedCovenant, child: Seen, tmp_path: Path
) -> None:
    old, asker, own = shared.bundle.revision, Asker(shared, child), 0
    with asker.run():
        new = sign_changed_purpose(shared, tmp_path / "policies")
        assert new != old
        await_true(lambda: shared.opa.revision == new, _SECONDS, "OPA does not have it")
        loaded = time.monotonic()
        while not asker.has_everywhere(new):
            assert time.monotonic() < loaded + _SECONDS, "it is not in force everywhere"
            # The first one tried it before it offered it: nobody else needs to any more.
            own += sum(map(count_opas, shared.brokers))
            time.sleep(0.02)
    assert own == 0
    for heard in asker.heard.values():
        revisions = [one.revision for one in heard if one.revision is not None]
        assert revisions == sorted(revisions, key=[old, new].index)  # raises for a third one
        for one in heard:
            assert one.permitted is (one.revision == old), one
            # OPA has one policy: none is asked after it has the new one and weighed by the old.
            assert one.revision != old or one.sent_at <= loaded


def test_while_opa_hangs_or_is_dead_nobody_is_given_anything(
    shared: SharedCovenant, team: Asking, child: Seen
) -> None:
    hanging = shared.opa.running
    stop_process(hanging.pid)
    try:
        asked = require_denied(shared, shared.brokers, team, child)
    finally:
        hanging.send_signal(signal.SIGCONT)
    require_recovered(team, asked)
    shared.opa.kill()
    asked = require_denied(shared, shared.brokers, team, child)
    shared.opa.start()
    require_recovered(team, asked)
    require_answers(shared, shared.brokers, team, child)


def test_without_the_process_that_serves_the_bundle(
    shared: SharedCovenant, team: Asking, child: Seen
) -> None:
    """OPA goes on with what it has; started again meanwhile it has nothing, and all is denied."""
    first, *others = shared.brokers
    first.kill()

    def know() -> bool:
        return all(one.status["processes"] == [2, 3] for one in others)

    await_true(know, _SECONDS, "they do not know that it is gone")
    require_answers(shared, others, team, child)
    shared.opa.kill()
    shared.opa.start()
    await_true(lambda: shared.opa.listens, _SECONDS, "OPA does not listen")
    asked = require_denied(shared, others, team, child)
    first.restart()
    require_recovered(team, asked)
    await_true(shared.are_well, _SECONDS, "not well")
    require_answers(shared, shared.brokers, team, child)
    assert [count_opas(broker) for broker in shared.brokers] == [0, 0, 0]
