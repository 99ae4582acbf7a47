"""Partners who go on through anything: acts of all kinds, and each receipt that they were given.

An act whose answer did not come is sent again, the same bytes, to another process, as a
client does. `kept.py` holds it all against the log afterwards.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from connectors.client.outgoing import ROUTES, Person, Sent
from connectors.client.verification import VerifiedAnswer, verify_answer
from datwat.protocol.acts import CloseOccasion, Statement
from tests.connectors.client.bsns import BSNS
from tests.faults.world import (
    NOOR,
    Seen,
    build_member,
    build_registers,
    build_release,
    opens,
)
from tests.party.covenant import now
from tests.several.told import Told, read_entries
from tests.several.world import Asking, BrokerProcess, SeveralCovenant

WRITERS = 4
CHILDREN = 6
_PATIENCE_SECONDS = 55.0
# Longer than any party waits for its server, also on a busy machine.
_TRY_SECONDS = 25.0
_REST_SECONDS = 0.03
_BY_HANDLE = 0.8
# Theirs are registered and ended by two writers at once, so that pointers could be made twice.
_REGISTERED = BSNS[100:112]
_OPENED = BSNS[200:260]


class Partner(Asking):
    """A partner that sends to whichever process answers."""

    def __init__(
        self, covenant: SeveralCovenant, function: str, told: Told, rng: random.Random
    ) -> None:
        super().__init__(covenant, function)
        self.function, self.told, self.rng = function, told, rng
        self.log_entry = covenant.trust_list.log
        # Read while all run: one that is dead has no address.
        self.urls = {broker.number: broker.url() for broker in covenant.brokers}
        self.http.timeout = httpx.Timeout(_TRY_SECONDS)

    def try_once(self, number: int, path: str, body: bytes) -> httpx.Response | None:
        """Return the answer of a process, or None where none came."""
        headers = {"Content-Type": "application/json"}
        try:
            answer = self.http.post(self.urls[number] + path, content=body, headers=headers)
        except httpx.TransportError:
            return None
        if answer.status_code < 500:
            self.told.hear(number)
        return answer

    def carry_out(self, sent: Sent, *, is_over: Callable[[], bool]) -> VerifiedAnswer | None:
        """Send until somebody answers; return what was done, None where it was not."""
        began = time.monotonic()
        while time.monotonic() < began + _PATIENCE_SECONDS:
            number = self.rng.choice(list(self.urls))
            answer = self.try_once(number, ROUTES[sent.act], sent.wire)
            if answer is not None and answer.status_code < 500:
                return self.take(answer, sent)
            code = "no_answer" if answer is None else answer.json()["code"]
            assert answer is None or answer.status_code == 503, f"{answer.status_code} {code}"
            self.told.count(self.told.tried_again, code)
            if is_over() and time.monotonic() > began + 5:
                break
            time.sleep(0.05)
        self.told.count(self.told.unanswered, sent.act)
        return None

    def take(self, answer: httpx.Response, sent: Sent) -> VerifiedAnswer | None:
        """Keep what an answer proves; return it, None where it is a refusal."""
        if answer.status_code != 200:
            self.told.count(self.told.refused, f"{sent.act} {answer.json()['code']}")
            return None
        verified = verify_answer(answer.content, sent, self.log_entry)
        found = read_entries(answer.content)
        checkpoint, head = verified.checkpoint, None
        if checkpoint is not None:
            head = (checkpoint.size, checkpoint.root)
        self.told.take(found, head)
        self.told.remember(self.function, sent, tuple(found))
        weighing = verified.persons[0].part.weighing
        failure = getattr(verified.persons[0].part, "failure", None)
        if weighing.permitted and failure is None:
            self.told.count(self.told.done, sent.act)
        else:
            self.told.count(self.told.refused, f"{sent.act} {failure or 'weighed'}")
        return verified


class Load:
    """So many writers at all processes, until it ends; use it as a context manager."""

    def __init__(self, covenant: SeveralCovenant, children: Sequence[Seen], seed: int) -> None:
        self.covenant, self.children, self.seed = covenant, children, seed
        self.told = Told()
        self.is_over = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(place,), name=f"writer-{place}")
            for place in range(WRITERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_over = True
        for thread in self._threads:
            thread.join()
        if error is None:
            self.require_well()

    def require_well(self) -> None:
        """Raise what a writer found wrong."""
        if self._failure is not None:
            raise self._failure

    def await_each(self, brokers: Sequence[BrokerProcess], seconds: float) -> float:
        """Wait until each process answered since now, and something new was done at all."""
        began, done = time.monotonic(), sum(self.told.done.values())
        while True:
            self.require_well()
            heard = self.told.heard_at
            silent = [one.number for one in brokers if heard.get(one.number, 0.0) < began]
            if not silent and sum(self.told.done.values()) > done + 2 * WRITERS:
                return time.monotonic() - began
            assert time.monotonic() < began + seconds, f"no answer within {seconds} s: {silent}"
            time.sleep(0.02)

    def _run(self, place: int) -> None:
        rng = random.Random(f"{self.seed} {place}")  # noqa: S311 - a test's order, no secret
        try:
            with (
                Partner(self.covenant, "social-team", self.told, rng) as team,
                Partner(self.covenant, "youth-help", self.told, rng) as source,
            ):
                writer = _Writer(self, rng, team, source)
                while not self.is_over:
                    writer.act()
                    time.sleep(_REST_SECONDS)
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self._failure = error


class _Writer:
    """One after the other: registrations, inquiries, releases, withdrawals, occasions."""

    def __init__(self, load: Load, rng: random.Random, team: Partner, source: Partner) -> None:
        self.load, self.rng, self.team, self.source = load, rng, team, source
        self._held: list[tuple[bytes, bytes]] = []
        self._occasions: list[tuple[bytes, bytes]] = []

    def act(self) -> None:
        """Do one act; a key holder that does not answer just now is asked another time."""
        chosen = self.rng.choices(
            [self._register, self._inquire, self._release, self._end, self._open, self._close],
            weights=[4, 5, 4, 3, 1, 1],
        )[0]
        try:
            chosen()
        except httpx.TransportError:
            self.load.told.count(self.load.told.unanswered, "look_up")

    def _carry_out(self, partner: Partner, sent: Sent) -> Any:  # noqa: ANN401 - a part of any act
        verified = partner.carry_out(sent, is_over=lambda: self.load.is_over)
        return None if verified is None else verified.persons[0].part

    def _register(self) -> None:
        bsn = self.rng.choice(_REGISTERED)
        members = {"identity": "document", "told_at": now(), "registers": build_registers()}
        # Looked up again now and then: it must come to the same person.
        known = self.load.told.handles.get(("youth-help", bsn))
        handle = known if self.rng.random() < _BY_HANDLE else None
        person = Person(bsn=None if handle else bsn, handle=handle, members=members)
        sent = self.source.build("register", [person], Statement(professional=NOOR))
        part = self._carry_out(self.source, sent)
        if part is not None and part.handle is not None:
            self.load.told.know("youth-help", bsn, part.handle)
            if part.involvement is not None:
                self._held.append((part.handle, part.involvement))

    def _end(self) -> None:
        if not self._held:
            return
        handle, involvement = self._held.pop(self.rng.randrange(len(self._held)))
        members = {"involvement": involvement, "ends": "ended"}
        person = Person(handle=handle, members=members)
        self._carry_out(
            self.source, self.source.build("end", [person], Statement(professional=NOOR))
        )

    def _inquire(self) -> None:
        child = self.rng.choice(self.load.children)
        statement = Statement(professional=NOOR, occasion=child.occasion)
        extra: dict[str, Any] = {"purpose": self.team.purpose(), "rung": "dat"}
        sent = self.team.build("inquire", [Person(handle=child.handle)], statement, **extra)
        self._carry_out(self.team, sent)

    def _release(self) -> None:
        child = self.rng.choice(self.load.children)
        self._carry_out(self.team, build_release(self.team, child, self.source.id))

    def _open(self) -> None:
        statement = Statement(professional=NOOR, opens=opens())
        bsn = self.rng.choice(_OPENED)
        person = build_member(bsn)
        part = self._carry_out(self.team, self.team.build("open_occasion", [person], statement))
        if part is not None and part.occasion is not None:
            self.load.told.know("social-team", bsn, part.handle)
            self._occasions.append((part.handle, part.occasion))

    def _close(self) -> None:
        if not self._occasions:
            return
        handle, occasion = self._occasions.pop()
        closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
        statement = Statement(professional=NOOR, occasion=occasion, closes=closes)
        self._carry_out(
            self.team, self.team.build("close_occasion", [Person(handle=handle)], statement)
        )
