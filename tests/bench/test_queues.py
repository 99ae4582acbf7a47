"""The queueing model against what is known of queues, each within a few per cent."""

from __future__ import annotations

import math

import pytest

from bench.queues import Station, Visit, Work, derive_use, simulate


def derive_wait(rate: float, service: float, servers: int) -> float:
    """Return the mean wait in M/M/c (Erlang C; Kleinrock I, 3.5)."""
    load = rate * service
    each = [load**n / math.factorial(n) for n in range(servers)]
    full = load**servers / math.factorial(servers) / (1 - load / servers)
    return full / (sum(each) + full) * service / (servers - load)


@pytest.mark.parametrize(("servers", "use"), [(1, 0.5), (1, 0.8), (2, 0.7), (4, 0.85)])
def test_it_waits_as_long_as_m_m_c(servers: int, use: float) -> None:
    service, rate = 0.004, use * servers / 0.004
    work = Work("ask", rate, (Visit("broker", service),))
    found = simulate([Station("broker", servers)], [work], seconds=120_000 / rate)
    expected = derive_wait(rate, service, servers) + service
    assert found.mean("ask") == pytest.approx(expected, rel=0.05)
    assert found.busy["broker"] == pytest.approx(use, rel=0.03)


def test_the_quantiles_of_m_m_1_are_exponential() -> None:
    work = Work("ask", 150, (Visit("broker", 0.004),))
    found = simulate([Station("broker")], [work], seconds=1_000)
    for share in (0.5, 0.99):
        expected = -math.log(1 - share) * 0.004 / (1 - 0.6)
        assert found.quantile("ask", share) == pytest.approx(expected, rel=0.08)


def test_what_takes_always_the_same_waits_half_as_long() -> None:
    work = Work("ask", 175, (Visit("broker", 0.004, is_random=False),))
    found = simulate([Station("broker")], [work], seconds=700)
    use = 175 * 0.004  # M/D/1: half of the wait of M/M/1 (Pollaczek-Khinchine)
    assert found.mean("ask") == pytest.approx(0.004 + use / (2 * (1 - use)) * 0.004, rel=0.05)


def test_one_after_another_is_the_sum_of_each() -> None:
    """Two stations behind each other are independent (Jackson)."""
    work = Work("ask", 100, (Visit("broker", 0.004), Visit("opa", 0.006)), delay=0.5)
    found = simulate([Station("broker"), Station("opa")], [work], seconds=1_500)
    expected = sum(derive_wait(100, service, 1) + service for service in (0.004, 0.006)) + 0.5
    assert found.mean("ask") == pytest.approx(expected, rel=0.05)


def test_a_shared_commit_carries_what_single_ones_could_not() -> None:
    """At 2,000 a second single commits of 2 ms need four times the time there is."""
    shared = Station("log", most_at_once=64)
    work = Work("ask", 2_000, (Visit("log", each=0.0001, once=0.002, is_random=False),))
    assert derive_use([Station("log")], [work])["log"] > 4
    assert derive_use([shared], [work])["log"] == pytest.approx(2_000 * (0.0001 + 0.002 / 64))
    found = simulate([shared], [work], seconds=30)
    # Each waits for the commit under way, half of it on average, and then for its own.
    assert 0.002 < found.mean("ask") < 0.006
    assert found.quantile("ask", 0.99) < 0.008


def test_what_is_too_much_grows_without_end() -> None:
    work = Work("ask", 300, (Visit("broker", 0.004),))
    assert derive_use([Station("broker")], [work])["broker"] == pytest.approx(1.2)
    short, long = (
        simulate([Station("broker")], [work], seconds=seconds).quantile("ask", 0.9)
        for seconds in (20, 80)
    )
    assert long > 3 * short > 1


def test_works_share_a_station_and_keep_their_own_figures() -> None:
    works = [Work("one", 50, (Visit("it", 0.002),)), Work("other", 20, (Visit("it", 0.010),))]
    found = simulate([Station("it")], works, seconds=400)
    assert derive_use([Station("it")], works)["it"] == pytest.approx(0.3)
    assert found.busy["it"] == pytest.approx(0.3, rel=0.05)
    assert found.mean("other") - found.mean("one") == pytest.approx(0.008, rel=0.1)


def test_the_same_seed_gives_the_same_figures() -> None:
    works = [Work("ask", 100, (Visit("it", 0.004),)), Work("none", 0, (Visit("it", 1),))]
    first, again = (simulate([Station("it")], works, seconds=20) for _ in range(2))
    assert first.taken == again.taken
    assert first.taken["none"] == []
    assert first.quantile("none", 0.99) == 0


def test_a_visit_to_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError):
        simulate([Station("it")], [Work("ask", 1, (Visit("nowhere", 1),))], seconds=5)
