"""The whole country, calculated from what was measured: what comes, what it needs, what is full.

Rule: `Country` holds every assumption, by name; `Costs` every measured figure; what this module
gives is calculated from these two and from nothing else (docs/explanation/scale.md shows all
three apart). The queues of a step are then simulated at the peak minute (`bench/queues.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from bench.costs import Cost, Costs
from bench.queues import Outcome, Station, Visit, Work, derive_use, simulate

WORKING_DAYS = 250
_HOUR = 3_600.0
_DAY = 24 * _HOUR
_NIGHT = 8 * _HOUR
_MEMBERS = 4
_BATCH = 64
_GIGABYTE = 1e9
_JOBS = 20_000
_LOG, _KEY_HOLDER = "log", "key holder"


@dataclass(frozen=True)
class Country:
    """What is assumed of the country; shares are of 1.

    Each of `asking` professionals at each partner puts `questions_a_day` on a working day; of them
    `peak_hour` fall in its busiest hour, and its busiest minute has `peak_minute` times the mean.
    """

    people: int = 18_000_000
    partners: int = 1_000
    pointers_each: float = 3
    asking: int = 50
    questions_a_day: float = 20
    peak_hour: float = 0.2
    peak_minute: float = 2
    households: float = 0.25
    releases: float = 0.3
    new_each_year: float = 0.5
    reconfirm_days: float = 30
    readers_on_a_busy_day: float = 0.01
    pages_each: float = 5
    kept_years: float = 5


@dataclass(frozen=True)
class Load:
    """How much comes a second, by kind of work."""

    inquiries: float
    households: float
    releases: float
    registrations: float
    pages: float

    def times(self, factor: float) -> Load:
        """Return the same, so many times as much."""
        return Load(*(getattr(self, one.name) * factor for one in fields(self)))

    @property
    def entries(self) -> float:
        """Entries in the log: one for each person; a release leaves its order and its outcome."""
        return self.inquiries + _MEMBERS * self.households + 2 * self.releases + self.registrations


@dataclass(frozen=True)
class Step:
    """One way to run it.

    `origins` are logs, each with its own broker; the largest carries `largest` of the country.
    `brokers` are processes of one origin and `opas`, `database`, `key_holders` the cores that its
    OPA, its database and its key holder may use; a broker process is one core, as Python is.
    `commit` is what a durable commit takes beyond a sync of this disk: the standby's round trip.
    Of all questions `delegated` are about somebody whom another origin knows too, and are asked
    there as well, `network` seconds away.
    """

    name: str
    database_kind: str
    brokers: int
    opas: int
    database: int
    key_holders: int
    origins: int = 1
    largest: float = 1.0
    commit: float = 0.0
    delegated: float = 0.0
    network: float = 0.0


STEPS = (
    Step("one machine, SQLite", "SQLite", brokers=1, opas=2, database=0, key_holders=1),
    Step(
        "PostgreSQL with a standby",
        "PostgreSQL",
        brokers=8,
        opas=4,
        database=8,
        key_holders=2,
        commit=0.002,
    ),
    Step(
        "thirty logs, the largest with an eighth",
        "PostgreSQL",
        brokers=4,
        opas=2,
        database=4,
        key_holders=1,
        origins=30,
        largest=1 / 8,
        commit=0.002,
        delegated=0.1,
        network=0.02,
    ),
)


def derive_peak(country: Country) -> Load:
    """Return what comes a second in the busiest minute of a working day."""
    busiest = country.peak_hour * country.peak_minute / _HOUR
    questions = country.partners * country.asking * country.questions_a_day * busiest
    readers = country.people * country.readers_on_a_busy_day * busiest
    new = country.people * country.new_each_year / WORKING_DAYS * busiest
    return Load(
        inquiries=questions * (1 - country.households),
        households=questions * country.households,
        releases=questions * country.releases,
        registrations=new,
        pages=readers * country.pages_each,
    )


def derive_year(country: Country) -> Load:
    """Return what comes in a whole year."""
    per_year = WORKING_DAYS / (country.peak_hour * country.peak_minute / _HOUR)
    return derive_peak(country).times(per_year)


def derive_reconfirmed(country: Country) -> float:
    """Return the rows a second that syncs bring at night: each pointer once in so many days."""
    return country.people * country.pointers_each / country.reconfirm_days / _NIGHT


def derive_share(step: Step, load: Load) -> Load:
    """Return what the largest origin of a step gets, with what others ask it."""
    own = load.times(step.largest)
    more = 1 + step.delegated
    return Load(
        own.inquiries * more, own.households * more, own.releases, own.registrations, own.pages
    )


@dataclass(frozen=True)
class Kept:
    """What is held after `kept_years`, in the largest origin of a step."""

    pointers: float
    entries: float
    gigabytes: float
    start: float
    verify: float
    root: float


def derive_kept(country: Country, step: Step, costs: Costs) -> Kept:
    """Return how much is kept, and the seconds for what grows with it.

    `start` reads all tags once more, `verify` the whole log from a mirror; `root` is the CPU of
    the next root a minute in the busiest one, at the number of tags that was measured.
    """
    pointers = country.people * country.pointers_each * step.largest
    entries = derive_year(country).times(step.largest).entries * country.kept_years
    size = pointers * costs.pointer_bytes + entries * costs.entry_bytes
    return Kept(
        pointers=pointers,
        entries=entries,
        gigabytes=size / _GIGABYTE,
        start=entries * costs.start_each_tag,
        verify=entries * costs.verify_each,
        root=derive_share(step, derive_peak(country)).entries * 60 * costs.tag_root_each,
    )


def build_network(step: Step, costs: Costs, load: Load) -> tuple[list[Station], list[Work]]:
    """Return stations and works of the largest origin of a step, for its share of this load."""
    stations = [
        Station("broker", step.brokers),
        Station("OPA", step.opas),
        Station(_KEY_HOLDER, step.key_holders),
        Station(_LOG, most_at_once=_BATCH),
    ]
    if step.database:
        stations.append(Station("database", step.database))
    own, commit = load.times(step.largest), costs.sync + step.commit
    visits = _Visits(step, costs, commit)
    return stations, [
        Work("inquiry", own.inquiries * (1 - step.delegated), visits.of(costs.inquiry)),
        Work(
            "inquiry, asked elsewhere too",
            own.inquiries * step.delegated,
            # By symmetry the other origin is as busy as this one, and asks it as often.
            visits.of(costs.inquiry) + visits.of(costs.inquiry, evaluations=0),
            delay=step.network,
        ),
        Work(
            "household of four",
            own.households * (1 + step.delegated),
            visits.of(costs.household, entries=_MEMBERS, evaluations=_MEMBERS),
        ),
        Work("release", own.releases, visits.of(costs.release, entries=2, evaluations=0)),
        Work("registration", own.registrations, visits.of(costs.register)),
        Work("resident's page", own.pages, visits.of(costs.page, entries=0, evaluations=0)),
    ]


@dataclass(frozen=True)
class _Visits:
    """Along which stations a question goes: key holder, broker, OPA, database, log, broker."""

    step: Step
    costs: Costs
    commit: float

    def of(self, cost: Cost, *, entries: int = 1, evaluations: int = 1) -> tuple[Visit, ...]:
        visits = []
        if evaluations:
            visits.append(Visit(_KEY_HOLDER, self.costs.evaluation * evaluations))
        visits.append(Visit("broker", cost.broker / 2))
        if cost.opa:
            visits.append(Visit("OPA", cost.opa))
        if self.step.database and cost.database:
            visits.append(Visit("database", cost.database))
        if entries:
            each = self.costs.append * entries
            visits.append(Visit(_LOG, each, once=self.commit, is_random=False))
        visits.append(Visit("broker", cost.broker / 2))
        return tuple(visits)


def find_bottleneck(use: dict[str, float]) -> tuple[str, float]:
    """Return the station that is full first, and how many times this load it carries."""
    name = max(use, key=lambda station: use[station])
    return name, 1 / use[name]


def derive_step_use(step: Step, costs: Costs, load: Load) -> dict[str, float]:
    """Return the share of each station's time that the load needs."""
    return derive_use(*build_network(step, costs, load))


def simulate_step(step: Step, costs: Costs, load: Load) -> Outcome:
    """Return what the largest origin does in so many questions at this load."""
    stations, works = build_network(step, costs, load)
    return simulate(stations, works, seconds=_JOBS / sum(work.rate for work in works))
