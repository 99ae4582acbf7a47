"""The work that is measured, one function each: prepare, run, read CPU, check the answers.

Rule: a figure counts only if its work was done: every answer is 200, and of some the whole proof is
verified and the decision looked at, so that no refusal is measured in place of an answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.figures import Figure
from bench.load import Run, run_closed, run_open
from bench.meter import Usage, measure
from bench.partner import PURPOSE, Case, Partner, build_requests
from bench.profiles import Profiler
from bench.world import World
from connectors.client.outgoing import Sent
from connectors.client.verification import VerifiedAnswer
from datwat.protocol.answers import ActPart, InquiryPart

# How many messages are prepared at once, and how many answers of a run are verified.
_AT_ONCE = 8
_CHECKED = 10
_POINTERS = 3
# Of the broker's CPU; to a database on a server each statement is a way there and back.
_INQUIRY_MS, _INQUIRY_MS_ON_A_SERVER = 0.9, 1.2
_THIRD = 1 / 3
_TRIES = 5
_FEW = 0.01
_KILOBYTE = 1_024
T = TypeVar("T")


@dataclass
class Bench:
    """What the works share, and the figures so far; `scale` makes every run longer or shorter.

    `rate` is how many questions come a second in the open loop; None: a third of capacity.
    """

    world: World
    team: Partner
    income: Partner
    wmo: Partner
    bsns: tuple[str, ...]
    scale: float = 1.0
    rate: float | None = None
    figures: list[Figure] = field(default_factory=list)
    hello_rate: float = 0.0
    hello_cpu: float = 0.0
    inquiry_cpu: float = 0.0
    sent: int = 0
    denied: int = 0

    def add(self, figure: Figure) -> None:
        """Add a row to the table."""
        self.figures.append(figure)

    def add_denied(self) -> None:
        """Add how many questions got no decision in time: on a machine of one's own, none."""
        share = self.denied * 100 / max(self.sent, 1)
        self.add(Figure("all of these", "denied, as OPA was too slow", share, "%", 0))

    def count(self, number: int) -> int:
        """Return how often to do something, by the size of this bench."""
        return max(_CHECKED, int(number * self.scale))


async def prepare_all(made: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await them in order, a few at once."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Coroutine[Any, Any, T]) -> T:
        async with slots:
            return await work

    return list(await asyncio.gather(*map(one, made)))


async def send(
    bench: Bench, messages: Sequence[Sent], *, rate: float | None = None
) -> tuple[Run, Usage]:
    """Send prepared messages to the broker, at a rate or as fast as it goes.

    On a machine that others use, OPA may not decide within its 250 ms: that is a denial, noted as
    such. What was denied is sent again, as it was, after the measurement.
    """
    requests, port = build_requests(messages), bench.world.broker_ports
    with measure(bench.world.pids) as usage:
        if rate is None:
            run = await run_closed(port, requests)
        else:
            run = await run_open(port, requests, rate)
    bench.sent += len(requests)
    bench.denied += len(run.refused)
    if len(run.refused) > _FEW * len(requests):
        # A denial is cheaper than an answer: this says nothing of what an answer costs.
        usage.cpu = dict.fromkeys(usage.cpu, math.nan)
    for _ in range(_TRIES):
        refused = run.refused
        if not refused:
            break
        again = await run_closed(port, [requests[place] for place in refused], 2)
        for place, status, answer in zip(refused, again.statuses, again.answers, strict=True):
            run.statuses[place], run.answers[place] = status, answer
    return run.require_ok(), usage


def check(
    partner: Partner, messages: Sequence[Sent], run: Run, fits: Callable[[VerifiedAnswer], bool]
) -> None:
    """Verify some answers whole; raise RuntimeError where one is not what was meant."""
    step = max(1, len(messages) // _CHECKED)
    for number in range(0, len(messages), step):
        answer = partner.verify(run.answers[number], messages[number])
        if not fits(answer):
            part = answer.persons[0].part
            unmet = [finding.code for finding in part.weighing.findings if not finding.satisfied]
            failure = getattr(part, "failure", None)
            message = f"{messages[number].act} did not do its work: unmet {unmet}, {failure}"
            raise RuntimeError(message)


def add_others_cpu(  # noqa: PLR0917 - what a row of the table is made from
    bench: Bench, name: str, usage: Usage, count: int, unit: str = "", target: float | None = None
) -> None:
    """Add what OPA used for each of `count`, and what the database did where it is a process."""
    cpu, gate = usage.per("opa", count), target is not None
    bench.add(Figure(name, f"OPA CPU{unit}", cpu, "ms", target, gate=gate))
    if "database" in usage.cpu:
        bench.add(Figure(name, f"database CPU{unit}", usage.per("database", count), "ms"))


async def measure_registrations(bench: Bench) -> None:
    """Register one person per message, then many in one message, then by a connector's sync."""
    messages = await prepare_all(
        [bench.income.prepare_registration([bsn], "income_support") for bsn in bench.bsns]
    )
    run, usage = await send(bench, messages)
    check(bench.income, messages, run, _is_registered)
    name = "register"
    bench.add(Figure(name, "broker CPU", usage.per("broker", len(messages)), "ms", 0.8, gate=True))
    add_others_cpu(bench, name, usage, len(messages))
    bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))
    batch = [await bench.wmo.prepare_registration(bench.bsns, "wmo_support")]
    run, usage = await send(bench, batch)
    check(bench.wmo, batch, run, _is_registered)
    name, rows = "register, a batch", len(bench.bsns)
    bench.add(Figure(name, "broker CPU per row", usage.per("broker", rows), "ms", 0.35, gate=True))
    add_others_cpu(bench, name, usage, rows, " per row")
    bench.add(Figure(name, "rows", rows / usage.seconds, "/s"))


async def register_all(bench: Bench, bsns: Sequence[str]) -> None:
    """Have two partners register these persons, each in one message."""
    for partner, kind in ((bench.income, "income_support"), (bench.wmo, "wmo_support")):
        messages = [await partner.prepare_registration(bsns, kind)]
        run, _ = await send(bench, messages)
        check(partner, messages, run, _is_registered)


async def open_cases(bench: Bench, households: Sequence[Sequence[str]]) -> list[Case]:
    """Open an occasion for each household, and measure that too."""
    messages = await prepare_all([bench.team.prepare_occasion(bsns) for bsns in households])
    run, usage = await send(bench, messages)
    if len(households[0]) == 1:
        cpu = usage.per("broker", len(messages))
        bench.add(Figure("open an occasion", "broker CPU", cpu, "ms"))
    return [
        bench.team.read_case(bsns, answer, sent)
        for bsns, answer, sent in zip(households, run.answers, messages, strict=True)
    ]


async def measure_inquiry(
    bench: Bench, cases: Sequence[Case], profiler: Profiler | None = None
) -> None:
    """Ask who is involved with one person: by ticket and by handle, at capacity and at a third."""
    name = "inquiry, 3 pointers"
    messages = await prepare_inquiries(bench.team, cases, bench.count(1_200))
    size = bench.world.measure_database()
    run, usage = await send(bench, messages)
    grown = (bench.world.measure_database() - size) / len(messages) / _KILOBYTE
    check(bench.team, messages, run, shows_all)
    bench.inquiry_cpu = usage.per("broker", len(messages))
    target = _INQUIRY_MS if bench.world.server is None else _INQUIRY_MS_ON_A_SERVER
    bench.add(Figure(name, "broker CPU", bench.inquiry_cpu, "ms", target, gate=True))
    add_others_cpu(bench, name, usage, len(messages), target=0.5)
    bench.add(Figure("database", "for each inquiry, its recorded answer too", grown, "kB"))
    kept = bench.world.measure_entries() / _KILOBYTE
    bench.add(Figure("database", "an entry with its contents", kept, "kB"))
    times = bench.inquiry_cpu / bench.hello_cpu
    bench.add(Figure(name, "broker CPU / plain FastAPI's", times, "×", 10, gate=True))
    bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))
    bench.add(Figure(name, "load generator CPU", usage.per("load", len(messages)), "ms"))
    ratio = run.rate / bench.hello_rate
    bench.add(Figure(name, "capacity / plain FastAPI", ratio, "×", 0.2, at_least=True, gate=True))
    handles = await prepare_inquiries(bench.team, cases, bench.count(600), by_handle=True)
    by_handle, usage = await send(bench, handles)
    check(bench.team, handles, by_handle, shows_all)
    cpu = usage.per("broker", len(handles))
    bench.add(Figure(name, "broker CPU, by handle", cpu, "ms"))
    if profiler is not None:
        messages = await prepare_inquiries(bench.team, cases, bench.count(600))
        with profiler.watch(bench.world.covenant.broker.running.pid, len(messages)):
            await send(bench, messages)
    await measure_steady(bench, name, cases, run.rate * _THIRD, 10.0)


async def measure_steady(
    bench: Bench, name: str, cases: Sequence[Case], rate: float, target: float | None = None
) -> None:
    """Ask at a steady rate, at random moments: how long an answer takes from when it was due."""
    rate = bench.rate or rate
    number = bench.count(min(1_200, int(rate * 20)))
    messages = await prepare_inquiries(bench.team, cases, number)
    steady, _ = await send(bench, messages, rate=rate)
    at = "at a third of capacity" if bench.rate is None else f"at {bench.rate:g}/s"
    bench.add(Figure(name, f"p50 {at}", steady.median, "ms"))
    bench.add(Figure(name, f"p99 {at}", steady.quantile(0.99), "ms", target))


async def measure_household(bench: Bench, cases: Sequence[Case]) -> None:
    """Ask who is involved with a household of four, in one message."""
    messages = await prepare_inquiries(bench.team, cases, bench.count(300))
    run, usage = await send(bench, messages)
    check(bench.team, messages, run, shows_all)
    cpu = usage.per("broker", len(messages))
    name = "household of four"
    bench.add(Figure(name, "broker CPU", cpu, "ms"))
    ratio = cpu / bench.inquiry_cpu
    bench.add(Figure(name, "broker CPU / one person", ratio, "×", 2.5, gate=True))
    add_others_cpu(bench, name, usage, len(messages))
    bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))
    await measure_steady(bench, name, cases, run.rate * _THIRD)


async def prepare_inquiries(
    partner: Partner,
    cases: Sequence[Case],
    number: int,
    *,
    by_handle: bool = False,
    purpose: str = PURPOSE,
) -> list[Sent]:
    """Return so many questions of a partner, about its cases in turn."""
    asked = [cases[place % len(cases)] for place in range(number)]
    return await prepare_all(
        [partner.prepare_inquiry(case, by_handle=by_handle, purpose=purpose) for case in asked]
    )


def _is_registered(answer: VerifiedAnswer) -> bool:
    parts = [person.part for person in answer.persons]
    return all(isinstance(part, ActPart) and part.involvement for part in parts)


def shows_all(answer: VerifiedAnswer) -> bool:
    """Tell whether an inquiry showed the three pointers of each person."""
    parts = [person.part for person in answer.persons]
    return all(isinstance(part, InquiryPart) and len(part.pointers) == _POINTERS for part in parts)
