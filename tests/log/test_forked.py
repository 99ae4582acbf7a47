"""A database put back, and two histories of one log shown to two sources: who notices, and when.

The witness is kept from the broker where that is what a dishonest broker would do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.databases import read_rows
from tests.log.world import Resident, Team, WatchedCovenant, ask_outside, restart_all, wait_until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("watched-log"),
    pytest.mark.timeout(600),
]

FORKED = "The database does not hold the log that was signed before"
BEHIND = "The database is behind what the log signed before"
YOUTH, DEBT = "youth-help", "debt-counselling"


def find_alarm(covenant: WatchedCovenant, source: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = covenant.gateway_status(source)["gateway_alarm"]
    return found


def grow(covenant: WatchedCovenant, team: Team, size: int) -> None:
    """Have the log written on until it is larger than another history of it."""
    while covenant.log_size <= size:
        team.inquire()


@pytest.mark.long
def test_a_log_that_goes_on_after_a_restart_is_taken_by_all(
    watched: WatchedCovenant, asked: Team, whole: bool
) -> None:
    """The control of this module: stopped and started with nothing put back."""
    if not whole:
        pytest.skip("done by make test-long; test_tampered has a control of its own")
    restart_all(watched.broker, watched.witness, *watched.gateways)
    assert [asked.order(source).failure for source in (YOUTH, DEBT)] == [None, None]
    watched.broker.stop()
    watched.broker.restart()
    assert [asked.order(source).failure for source in (YOUTH, DEBT)] == [None, None]
    wait_until(watched.is_covered)
    assert [find_alarm(watched, source) for source in (YOUTH, DEBT)] == [None, None]
    assert watched.witness_status()["alarms"] == []


def test_a_database_put_back_is_refused_at_the_start(watched: WatchedCovenant, asked: Team) -> None:
    watched.broker.restart()
    asked.inquire()
    watched.broker.stop()
    newest = watched.log_size
    watched.put_back("base", watched.broker, without=("ratchet",))
    assert watched.log_size < newest
    assert BEHIND in watched.try_to_serve()


def test_entries_taken_back_are_missed_by_everybody_who_saw_them(
    watched: WatchedCovenant, asked: Team, tmp_path: Path
) -> None:
    """Database and ratchet are put back together, the witness is away, and the log goes on."""
    broker, witness = watched.broker, watched.witness
    restart_all(broker, witness, watched.partners[YOUTH])
    assert asked.order(YOUTH).failure is None
    wait_until(watched.is_covered)
    state, first = ("--state", str(tmp_path / "state")), watched.log_size
    assert ask_outside("log", "verify", watched.prefix, *watched.keys, *state)[0] == 0
    with Resident(watched) as resident:
        earlier = str(resident.download(tmp_path / "earlier.json"))
    for party in (broker, witness):
        party.stop()
    watched.put_back("base", broker)
    broker.restart()
    grow(watched, asked, first)
    code, said, _ = ask_outside("log", "verify", watched.prefix, *watched.keys, *state)
    assert (code, said["code"]) == (1, "follow_shrunk")
    with Resident(watched) as resident:
        now = str(resident.download(tmp_path / "now.json"))
    assert ask_outside("log", "check-mine", now, *watched.keys)[0] == 0  # alone it says nothing
    code, said, _ = ask_outside("log", "check-mine", now, *watched.keys, "--earlier", earlier)
    assert (code, said["code"]) == (1, "completeness_older")
    assert asked.order(YOUTH).failure == "source_refused_order"
    assert (find_alarm(watched, YOUTH) or {})["reason"] == "log_forked"
    # The witness comes back: it vouches for nothing of this, and the broker hears of it and stops.
    witness.restart()
    vouched = watched.witness_status()["vouched_size"]
    wait_until(lambda: watched.witness_status()["last_refusal"] is not None or has_stopped(watched))
    assert watched.witness_status()["vouched_size"] == vouched >= first
    if not has_stopped(watched):
        broker.stop()
    assert FORKED in watched.try_to_serve()


@pytest.mark.long
def test_two_histories_shown_to_two_sources_stop_orders(
    watched: WatchedCovenant, asked: Team, whole: bool
) -> None:
    """Both begin with what the witness vouched for; it is kept away while the second is made.

    In part: the source that saw the one history notices the other. Whole: the witness comes back,
    and the other source notices too.
    """
    broker = watched.broker
    restart_all(broker, *watched.gateways)
    assert asked.order(YOUTH).failure is None
    broker.stop()
    first = watched.log_size
    watched.keep("first", broker)
    watched.put_back("base", broker)  # with its ratchet: nobody here remembers
    broker.restart()
    assert asked.order(DEBT).failure is None
    grow(watched, asked, first)
    assert find_alarm(watched, YOUTH) is None  # it was not asked meanwhile
    assert asked.order(YOUTH).failure == "source_refused_order"
    alarm = find_alarm(watched, YOUTH)
    assert alarm is not None
    assert (alarm["reason"], find_alarm(watched, DEBT)) == ("log_forked", None)
    taken = count_taken(watched)
    assert asked.order(YOUTH).failure == "source_refused_order"
    assert count_taken(watched) == taken
    if whole:
        show_first_to_the_other(watched, asked, first)


def show_first_to_the_other(watched: WatchedCovenant, asked: Team, first: int) -> None:
    """Have the witness vouch for the second history, and show the first to who saw the second."""
    broker, witness = watched.broker, watched.witness
    # The witness comes back: it vouches for the one, and never for the other.
    witness.restart()
    wait_until(lambda: bool(watched.witness_status()["vouched_size"] > first))
    assert asked.order(DEBT).failure is None
    broker.stop()
    watched.put_back("first", broker)
    assert BEHIND in watched.try_to_serve()
    # Kept from the witness at its start, it shows the first history until they meet.
    witness.stop()
    broker.restart()
    grow(watched, asked, int(watched.gateway_status(DEBT)["gateway_log_size"]))
    assert asked.order(DEBT).failure == "source_refused_order"
    assert (find_alarm(watched, DEBT) or {})["reason"] == "log_forked"
    witness.restart()
    vouched = watched.witness_status()["vouched_size"]
    wait_until(lambda: watched.witness_status()["last_refusal"] is not None or has_stopped(watched))
    assert watched.witness_status()["vouched_size"] == vouched


def has_stopped(covenant: WatchedCovenant) -> bool:
    process = covenant.broker.process
    return process is not None and process.poll() is not None


def count_taken(covenant: WatchedCovenant) -> int:
    """Return how many orders the youth help took, by its own database."""
    home = covenant.partners[YOUTH].home
    return int(read_rows(home, "SELECT count(*) FROM gateway_orders")[0][0])
