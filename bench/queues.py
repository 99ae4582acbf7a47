"""A network of queues, event by event: work arrives at random, and waits for what serves it.

Rule: it knows nothing of this project. A station has servers that each do one thing at a time, in
the order of arrival; a station that serves in batches takes all that waits, up to a bound, and
gives it back together (a commit that many share). Seeded: the same figures each time.
Source: M/M/c and M/D/1 as in Kleinrock, "Queueing Systems" I (the tests hold it against these).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Station:
    """What serves: so many servers at once, each up to `most_at_once` jobs in one go."""

    name: str
    servers: int = 1
    most_at_once: int = 1


@dataclass(frozen=True)
class Visit:
    """One stay of a job at a station, in seconds of its service.

    `each` grows with the number of jobs in one go, `once` does not. `is_random`: exponential around
    that mean, else always the same.
    """

    station: str
    each: float
    once: float = 0.0
    is_random: bool = True


@dataclass(frozen=True)
class Work:
    """Jobs of one kind: so many a second at random moments, each along the same visits.

    After its visits a job has `delay` seconds behind it that nobody served (the network).
    """

    name: str
    rate: float
    visits: tuple[Visit, ...]
    delay: float = 0.0


@dataclass
class Outcome:
    """Seconds from arrival to end by work, and the share of time that each station was busy."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)

    def quantile(self, work: str, share: float) -> float:
        """Return the seconds that this share of the jobs does not pass; no job took no time."""
        ordered = sorted(self.taken[work])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def mean(self, work: str) -> float:
        """Return the mean seconds."""
        return sum(self.taken[work]) / max(1, len(self.taken[work]))


def derive_use(stations: Sequence[Station], works: Sequence[Work]) -> dict[str, float]:
    """Return by station the share of its servers that this load needs; above 1 it cannot be done.

    By the utilisation law; where a batch shares a cost, batches are taken to be full, as they are
    where there is no room left.
    """
    by_name = {station.name: station for station in stations}
    use = dict.fromkeys(by_name, 0.0)
    for work in works:
        for visit in work.visits:
            station = by_name[visit.station]
            seconds = visit.each + visit.once / station.most_at_once
            use[station.name] += work.rate * seconds / station.servers
    return use


def simulate(
    stations: Sequence[Station],
    works: Sequence[Work],
    *,
    seconds: float,
    seed: int = 18,
    warm_up: float = 0.1,
) -> Outcome:
    """Let works arrive for so many seconds and serve them to the end; the first tenth is left out.

    Raises KeyError where a visit names no station.
    """
    return _Simulation(stations, works, seconds, random.Random(seed)).run(warm_up * seconds)  # noqa: S311 - arrivals, no secret


@dataclass(slots=True)
class _Job:
    work: Work
    came_at: float
    step: int = 0

    @property
    def visit(self) -> Visit:
        return self.work.visits[self.step]


@dataclass(slots=True)
class _Place:
    station: Station
    free: int
    waiting: deque[_Job] = field(default_factory=deque)
    served: float = 0.0


class _Simulation:
    """The state of one run: who waits where, and what happens next."""

    def __init__(
        self,
        stations: Sequence[Station],
        works: Sequence[Work],
        seconds: float,
        draw: random.Random,
    ) -> None:
        self._places: Mapping[str, _Place] = {
            station.name: _Place(station, station.servers) for station in stations
        }
        self._until = seconds
        self._draw = draw
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._outcome = Outcome({work.name: [] for work in works})
        self._from = 0.0
        for work in works:
            if work.rate > 0:
                self._plan_arrival(work, 0.0)

    def run(self, warm_up: float) -> Outcome:
        self._from = warm_up
        while self._events:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
        for name, place in self._places.items():
            self._outcome.busy[name] = place.served / (self._until * place.station.servers)
        return self._outcome

    def _plan(self, at: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), happen))

    def _plan_arrival(self, work: Work, now: float) -> None:
        at = now + self._draw.expovariate(work.rate)

        def arrive(now: float) -> None:
            self._plan_arrival(work, now)
            self._queue(_Job(work, now), now)

        if at < self._until:
            self._plan(at, arrive)

    def _queue(self, job: _Job, now: float) -> None:
        place = self._places[job.visit.station]
        place.waiting.append(job)
        self._serve(place, now)

    def _serve(self, place: _Place, now: float) -> None:
        """Let a free server take what waits, as much as it does in one go."""
        while place.free and place.waiting:
            count = min(len(place.waiting), place.station.most_at_once)
            jobs = [place.waiting.popleft() for _ in range(count)]
            once = max(job.visit.once for job in jobs)
            seconds = once + sum(self._draw_seconds(job.visit) for job in jobs)
            place.free -= 1
            if now < self._until:
                place.served += min(seconds, self._until - now)

            def finish(now: float, jobs: list[_Job] = jobs) -> None:
                place.free += 1
                for job in jobs:
                    self._move_on(job, now)
                self._serve(place, now)

            self._plan(now + seconds, finish)

    def _draw_seconds(self, visit: Visit) -> float:
        if not visit.is_random or not visit.each:
            return visit.each
        return self._draw.expovariate(1 / visit.each)

    def _move_on(self, job: _Job, now: float) -> None:
        job.step += 1
        if job.step < len(job.work.visits):
            self._queue(job, now)
        elif job.came_at >= self._from:
            self._outcome.taken[job.work.name].append(now - job.came_at + job.work.delay)
