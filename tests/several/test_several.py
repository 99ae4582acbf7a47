"""Four processes of a broker behave as one: one log, one answer, one housekeeper, one policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client.outgoing import Person, Sent
from datwat.protocol.acts import Statement
from datwat.protocol.checkpoint import verify_checkpoint
from tests.connectors.client.bsns import BSNS
from tests.faults.conftest import write_policies
from tests.faults.world import NOOR, Seen, build_release, open_child
from tests.parties import run_command
from tests.postgres import OwnServer
from tests.several.world import (
    Asking,
    BrokerProcess,
    SeveralCovenant,
    await_true,
    is_alive,
    keeps_house,
    require_contiguous,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several"),
    pytest.mark.timeout(600),  # ten processes start
]

# A second, and as long as it takes to tell the others, which nobody waits for.
_COUNTS_WITHIN = 1.5


@pytest.fixture
def team(four: SeveralCovenant) -> Iterator[Asking]:
    with Asking(four, "social-team") as asking:
        yield asking


@pytest.fixture(scope="module")
def children(four: SeveralCovenant) -> list[Seen]:
    with Asking(four, "social-team") as team:
        return [open_child(team, bsn) for bsn in BSNS[:4]]


def build_inquiry(team: Asking, child: Seen) -> Sent:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    return team.build("inquire", [Person(handle=child.handle)], statement, **extra)


def test_all_answer_at_once_and_the_log_has_no_gap(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    messages = [build_inquiry(team, children[at % 4]) for at in range(48)]
    size = four.log_size
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda at: team.send_to(four.brokers[at % 4], messages[at]), range(len(messages))
            )
        )
    for answer, sent in zip(answers, messages, strict=True):
        assert len(team.verify(answer, sent).persons[0].part.pointers) == 1  # type: ignore[union-attr]
    assert require_contiguous(four) >= size + len(messages)
    assert four.read("SELECT count(*), count(DISTINCT tag) FROM log_tags")[0][0] >= 0


def test_no_pointer_is_made_twice(four: SeveralCovenant) -> None:
    doubles = four.read(
        "SELECT subject_id FROM involvements WHERE ended_at IS NULL GROUP BY subject_id, source,"
        " kind HAVING count(*) > 1"
    )
    assert doubles == []


def test_a_spent_id_is_refused_and_a_recorded_answer_given_by_every_process(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    sent = build_inquiry(team, children[0])
    first = team.verify(team.send_to(four.brokers[0], sent), sent)
    size = four.log_size
    for broker in four.brokers[1:]:
        again = team.verify(team.send_to(broker, sent), sent)
        assert again.persons == first.persons
    statement = Statement(professional=NOOR, occasion=children[1].occasion)
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    other = team.build(
        "inquire", [Person(handle=children[1].handle)], statement, rid=sent.rid, **extra
    )
    for broker in four.brokers:
        answer = team.send_to(broker, other)
        assert (answer.status_code, answer.json()["code"]) == (409, "rid_reused")
    persons = "SELECT count(*) FROM log_entries WHERE subject_id IS NOT NULL AND idx >= "
    assert four.read(f"{persons}{size}") == [(0,)]


def test_the_same_bytes_at_the_same_moment_at_all_are_lived_once(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    for _ in range(5):
        sent, size = build_inquiry(team, children[2]), four.log_size
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(partial(team.send_to, sent=sent), four.brokers))
        given = [team.verify(answer, sent).persons for answer in answers]
        assert all(one == given[0] for one in given)
        persons = "SELECT count(*) FROM log_entries WHERE subject_id IS NOT NULL AND idx >= "
        assert four.read(f"{persons}{size}") == [(1,)]


def test_a_release_by_any_process_is_ordered_under_a_head_the_source_accepts(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    source = four.partners["youth-help"].id
    messages = [build_release(team, children[at % 4], source) for at in range(12)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda at: team.send_to(four.brokers[at % 4], messages[at]), range(12))
        )
    for answer, sent in zip(answers, messages, strict=True):
        verified = team.verify(answer, sent)
        assert verified.envelope is not None, verified.persons[0].core
    require_contiguous(four)


def test_the_checkpoint_never_goes_back_whoever_shows_it(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    log, largest = four.trust_list.log, 0
    with httpx.Client(trust_env=False) as http:
        for at in range(24):
            sent = build_inquiry(team, children[at % 4])
            team.verify(team.send_to(four.brokers[at % 4], sent), sent)
            shown = http.get(four.brokers[(at + 1) % 4].url() + "/v1/log/checkpoint").content
            found = verify_checkpoint(shown, log.origin, log.vkeys)
            assert found.size >= largest
            largest = found.size
    assert largest > 0


def test_a_suspension_counts_everywhere_within_a_second(four: SeveralCovenant) -> None:
    first, last = four.brokers[0], four.brokers[-1]
    with Asking(four, "debt-counselling") as partner:

        def ask() -> str:
            return ask_code(partner, last)

        assert ask() == "handle_unknown"
        first.call("suspend", partner=partner.id)
        assert measure_old(ask, "partner_suspended") <= _COUNTS_WITHIN
        await_true(
            lambda: all(partner.id in one.status["suspended"] for one in four.brokers),
            20.0,
            "not suspended everywhere",
        )
        four.brokers[1].call("resume", partner=partner.id)
        assert measure_old(ask, "handle_unknown") <= _COUNTS_WITHIN


def measure_old(ask: Callable[[], str], wanted: str) -> float:
    """Ask until this comes; return when the last question was sent that got something else."""
    began, last = time.monotonic(), 0.0
    while True:
        sent = time.monotonic() - began
        if ask() == wanted:
            return last
        last = sent
        assert sent < 20.0, wanted


def ask_code(partner: Asking, broker: BrokerProcess) -> str:
    """Return how a question about nobody is refused."""
    extra: dict[str, Any] = {"purpose": partner.purpose(), "rung": "dat"}
    statement = Statement(professional=NOOR)
    sent = partner.build("inquire", [Person(handle=bytes(16))], statement, **extra)
    return str(partner.send_to(broker, sent).json()["code"])


def test_a_trust_list_counts_everywhere_a_second_after_it_counts_anywhere(
    four: SeveralCovenant,
) -> None:
    """The first process reads the list every second here, the others once a minute."""
    with Asking(four, "youth-help") as partner:
        assert ask_code(partner, four.brokers[3]) == "handle_unknown"
        seq = four.brokers[0].status["list_seq"]
        run_command("trust", "sign", "--folder", str(four.trust))
        await_true(lambda: four.brokers[0].status["list_seq"] > seq, 30.0, "not read")
        time.sleep(_COUNTS_WITHIN)
        for broker in four.brokers:
            health = httpx.get(broker.url() + "/v1/health", trust_env=False).json()["status"]
            assert health == "waiting" or broker.status["list_seq"] == seq + 1
        await_true(
            lambda: {one.status["list_seq"] for one in four.brokers} == {seq + 1}, 20.0, "not all"
        )


def test_who_cannot_read_what_changed_answers_nobody_until_it_can(four: SeveralCovenant) -> None:
    broker = four.brokers[2]
    url = broker.url()

    def send() -> httpx.Response:
        return httpx.post(url + "/v1/inquiries", json={}, trust_env=False, timeout=10)

    four.change("ALTER TABLE shared_changes RENAME TO away")
    try:
        time.sleep(1.5)
        refused = send()
        assert refused.status_code == 503, refused.text
        assert refused.json()["code"] == "process_not_current"
        assert httpx.get(url + "/v1/health", trust_env=False).json()["status"] == "waiting"
        await_true(lambda: not any(map(keeps_house, four.brokers)), 10.0, "one keeps house")
    finally:
        four.change("ALTER TABLE away RENAME TO shared_changes")
    await_true(lambda: send().status_code == 400, 10.0, "it does not answer")
    await_true(lambda: four.housekeeper is not None, 10.0, "nobody keeps house")


def test_a_new_policy_counts_everywhere_a_second_after_it_counts_anywhere(
    four: SeveralCovenant, tmp_path: Path
) -> None:
    """Each has an OPA of its own to start: until it has the bundle it answers nobody."""
    wanted = four.brokers[0].status["policy_seq"] + 1
    policies = write_policies(tmp_path / "policies")
    run_command("purpose", "sign", "--folder", str(four.policy), "--policies", str(policies))

    def has_it(broker: BrokerProcess) -> bool:
        return bool(broker.status["policy_seq"] == wanted)

    await_true(lambda: any(map(has_it, four.brokers)), 60.0, "nobody looked")
    time.sleep(_COUNTS_WITHIN)
    for broker in four.brokers:
        health = httpx.get(broker.url() + "/v1/health", trust_env=False)
        assert health.json()["policy_seq"] == wanted or health.status_code == 503
    await_true(lambda: all(map(has_it, four.brokers)), 30.0, "not everywhere")


def test_status_says_which_process_it_is_and_who_keeps_house(four: SeveralCovenant) -> None:
    await_true(lambda: four.housekeeper is not None, 10.0, "nobody keeps house")
    keeper = four.housekeeper
    assert keeper is not None
    for broker in four.brokers:
        await_true(lambda one=broker: one.status["processes"] == [1, 2, 3, 4], 10.0, "not all")  # type: ignore[misc]
        found = broker.status
        assert found["process"] == broker.number
        assert found["housekeeper"] == keeper.number
        if broker is not keeper:
            with pytest.raises(Exception, match="keeps house"):
                broker.call("housekeep")
    shown = run_command("broker", "status", "--home", str(four.broker.home))
    assert shown["process"] == keeper.number


def test_all_prove_under_the_newest_tag_root(
    four: SeveralCovenant, team: Asking, children: list[Seen]
) -> None:
    """One process states it, the others take it in."""
    sent = build_inquiry(team, children[0])
    team.verify(team.send_to(four.brokers[0], sent), sent)
    size = four.log_size

    def is_everywhere() -> bool:
        found = [one.status for one in four.brokers]
        assert [one["tag_root_failure"] for one in found] == [None] * 4
        return all((one["tag_root_size"] or 0) >= size for one in found)

    await_true(is_everywhere, 20.0, "not everywhere")


def test_a_number_that_runs_is_refused(four: SeveralCovenant, tmp_path: Path) -> None:
    second = type(four.brokers[1])("broker", four.broker.home, four.broker.id, number=2)
    second.begin()
    assert second.process is not None
    assert second.process.wait(timeout=60) != 0
    assert "already running" in second.log.read_text()
    assert is_alive(four.brokers[1])


def test_how_far_a_key_is_says_the_one_that_keeps_house(four: SeveralCovenant) -> None:
    """Also where another one is the first that runs: the others know nothing of the rows."""
    first = four.brokers[0]
    await_true(lambda: four.housekeeper is not None, 10.0, "nobody keeps house")
    if keeps_house(first):
        first.kill()
        await_true(lambda: four.housekeeper is not None, 10.0, "nobody took over")
        first.restart()
    home = ("--home", str(four.broker.home))
    begun = run_command("broker", "keys", "rotate", "row", *home)
    assert begun["row_key_step"] == "preparing"
    assert run_command("broker", "keys", "status", *home)["row_key_step"] in {"preparing", "moving"}
    assert run_command("broker", "keys", "abort", "row", *home)["row_key_step"] != "elsewhere"


def test_figures_are_told_while_a_server_is_away(
    four: SeveralCovenant, ratchet_server: OwnServer
) -> None:
    """They come from memory: a figure that waits for what is away tells nobody that it is."""
    token = (four.broker.home / "secrets" / "metrics.token").read_text()
    ratchet_server.stop("fast")
    try:
        for broker in four.brokers:
            url = f"http://127.0.0.1:{broker.running.ports['admin']}/metrics"
            headers = {"Authorization": f"Bearer {token}"}
            shown = httpx.get(url, headers=headers, timeout=3.0, trust_env=False)
            assert "datwat_database_up 1.0" in shown.text
            assert broker.status["log_size"] > 0  # as far as it knows
    finally:
        ratchet_server.start()
    await_true(lambda: four.housekeeper is not None, 15.0, "nobody keeps house")
