"""Plays a case against the running processes and says what differs from its file.

Rule: everything goes through the connectors' local API, the portal, and the commands that an
officer types; nothing looks into a party.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import assert_never

from connectors.client import requests
from connectors.client.http import ConnectorClient
from connectors.client.results import ReleaseResult
from datwat.party import clock
from datwat.protocol.values import derive_function
from demo.building import Builder
from demo.checking import check_inquiry, check_log, check_release, describe_view
from demo.covenant import Covenant, build_login
from demo.events import (
    AnswerContact,
    AnyEvent,
    Ask,
    AskKnown,
    Compare,
    Introduce,
    Look,
    OfficerActs,
    OpenOccasion,
    OpenSituation,
    RecordConsent,
    Redeem,
    Register,
    RequestContact,
    Term,
    Withdraw,
)
from demo.model import Case
from demo.officer import Officer
from demo.parts import Expected
from demo.patience import try_patiently
from demo.purpose_life import PurposeLife
from demo.resident import OwnLog, Resident, read_pinned_log
from demo.steps import LogStep, Step, build_step

_LATE_SECONDS = 1.2
_DELIVERY_SECONDS = 15.0
_POLL_SECONDS = 0.1
_PERMITTED = Expected()


class Player:
    """Plays one case; each step is given on as soon as it was played."""

    def __init__(self, covenant: Covenant, case: Case) -> None:
        """Prepare; nothing is asked yet."""
        self._covenant = covenant
        self._case = case
        entitled = {name for name, partner in covenant.partners.items() if partner.rights}
        self._builder = Builder(case, covenant.partner_id, frozenset(entitled))
        self._codes: dict[str, bytes] = {}
        self._pointers: dict[tuple[str, str, str], int] = {}
        self._named: dict[str, Step] = {}
        self._officer = Officer(covenant)
        self._life = PurposeLife(covenant)

    def play(self) -> Iterator[Step]:
        """Play the events one by one."""
        for event in self._case.events:
            step = try_patiently(partial(self._play_one, event))
            if event.name is not None:
                self._named[event.name] = step
            yield step

    def read_logs(self) -> Iterator[LogStep]:
        """Read each resident's log and compare it."""
        for expected in self._case.logs:
            log = try_patiently(partial(self._read_log, expected.who, expected.through))
            differences = tuple(check_log(expected, log, self._covenant.partner_id))
            yield LogStep(expected, log, differences)

    def _play_one(self, event: AnyEvent) -> Step:  # noqa: C901, PLR0911 - one line per kind of event
        match event:
            case OpenOccasion():
                return self._open(event)
            case Ask():
                return self._ask(event)
            case AskKnown():
                return self._ask_known(event)
            case Register() | Introduce() | Redeem() | RequestContact() | RecordConsent():
                return self._act(event)
            case AnswerContact():
                return self._answer_contact(event)
            case Withdraw():
                return self._withdraw(event)
            case Look():
                return self._look(event)
            case Compare():
                return self._compare(event)
            case Term():
                return self._officer.await_term(event)
            case OpenSituation():
                return self._officer.open_situation(event)
            case OfficerActs():
                return self._life.play(event)

    def _connect(self, by: str) -> ConnectorClient:
        return self._covenant.connect(self._builder.find_function(by))

    def _open(self, event: OpenOccasion) -> Step:
        now = clock.now()
        request = self._builder.build_opening(event, event.by, now)
        situation = request.opens.special_situation
        if situation is not None:
            self._officer.until_at = situation.until_at
        results = self._connect(event.by).open_occasion(request)
        return build_step(event, tuple(event.members), results)

    def _ask(self, event: Ask) -> Step:
        function = self._builder.find_function(event.by)
        answer = self._connect(event.by).ask_who_is_involved(self._builder.build_ask(event))
        results = dict(zip(event.persons, answer.results, strict=True))
        for key, result in results.items():
            for pointer in result.pointers:
                if pointer.source is not None:
                    self._pointers[function, key, pointer.source] = pointer.pointer
        differences = [
            f"{key}: {difference}"
            for key, result in results.items()
            for difference in check_inquiry(event.expect[key], result, self._covenant.partner_id)
        ]
        return Step(event, {**results}, differences=tuple(differences))

    def _ask_known(self, event: AskKnown) -> Step:
        function = self._builder.find_function(event.by)
        source = self._covenant.partner_id(event.source)
        pointer = self._pointers.get((function, event.person, source))
        request = self._builder.build_ask_known(event, pointer)
        result = self._connect(event.by).ask_what_is_known(request)
        differences = tuple(check_release(event.expect, result))
        return Step(event, {event.person: result}, differences=differences)

    def _act(self, event: Register | Introduce | Redeem | RequestContact | RecordConsent) -> Step:
        now, connector = clock.now(), self._connect(event.by)
        match event:
            case Register():
                rows = connector.register(self._builder.build_register(event, now)).rows
                results = [row.result for row in rows if row.result is not None]
                failed = tuple(str(row.failure) for row in rows if row.failure is not None)
                return build_step(event, (event.person,), results, failed)
            case Introduce():
                answer = connector.introduce(self._build_introduction(event))
                self._codes[event.code] = answer.results[0].introduction or bytes(16)
            case Redeem():
                answer = connector.redeem_introduction(self._build_redemption(event, now))
            case RequestContact():
                answer = connector.request_contact(self._builder.build_contact(event))
                return build_step(event, (event.person,), answer, expected=event.expect)
            case RecordConsent():
                answer = connector.record_consent(self._builder.build_consent(event, now))
            case _:
                assert_never(event)
        return build_step(event, (event.person,), answer)

    def _answer_contact(self, event: AnswerContact) -> Step:
        connector = self._connect(event.by)
        number = self._case.people[event.person].numbers[self._builder.find_function(event.by)]
        until = time.monotonic() + _DELIVERY_SECONDS
        while True:
            waiting = [one for one in connector.list_contacts().contacts if one.client == number]
            if waiting or time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        if not waiting:
            return Step(event, differences=("no contact request was delivered",))
        answer = connector.answer_contact(
            requests.AnswerContact(
                professional=self._builder.build_professional(event.by),
                contact=waiting[0].number,
                state=event.state,
            )
        )
        step = build_step(event, (event.person,), answer)
        asks = self._covenant.partners[derive_function(waiting[0].requester)].name
        reach = waiting[0].call_back.phone or waiting[0].call_back.role
        return replace(step, facts=(f"{asks} asked to be called: {reach}.",))

    def _build_introduction(self, event: Introduce) -> requests.Introduce:
        function = self._builder.find_function(event.by)
        number = self._case.people[event.person].numbers[function]
        return requests.Introduce(
            professional=self._builder.build_professional(event.by),
            occasion=event.occasion,
            clients=(requests.ClientRef(client=number),),
            to=self._covenant.partner_id(event.to),
        )

    def _build_redemption(self, event: Redeem, now: datetime) -> requests.RedeemIntroduction:
        function = self._builder.find_function(event.by)
        row = opening = None
        if event.registers is not None:
            number = {"client": self._case.people[event.person].numbers[function]}
            built = self._builder.build_row(event.person, event.registers, function, now)
            nobody = {"family_name": None, "birth_date": None, "record": None, "identity": None}
            row = built.model_copy(update={**number, **nobody})
        if event.opens is not None:
            opening = self._builder.build_opening(event.opens, event.by, now)
        return requests.RedeemIntroduction(
            professional=self._builder.build_professional(event.by),
            code=self._codes[event.code],
            client=self._case.people[event.person].numbers[function],
            registers=row,
            occasion=opening,
        )

    def _withdraw(self, event: Withdraw) -> Step:
        with self._log_in(event.who, None) as resident:
            consents = [
                card
                for card in resident.read_log().cards
                if card.event == "record_consent" and card.permitted
            ]
            if not consents:
                return Step(event, differences=("no consent to take back stands in the log",))
            answer = resident.withdraw(consents[-1].number)
        permitted = answer["weighing"]["permitted"]
        facts = (f"Written down as entry {answer['entry']}.",)
        differences = () if permitted else ("the withdrawal was refused",)
        return Step(event, facts=facts, differences=differences)

    def _look(self, event: Look) -> Step:
        log = self._read_log(event.who, event.through)
        differences: tuple[str, ...] = ()
        if event.same_as is not None:
            earlier = self._named[event.same_as].log
            if earlier is None or describe_view(earlier) != describe_view(log):
                differences = (f"the view differs from that of {event.same_as}",)
        return Step(event, log=log, differences=differences)

    def _compare(self, event: Compare) -> Step:
        found = [
            result
            for name in event.steps
            for result in self._named[name].results.values()
            if isinstance(result, ReleaseResult)
        ]
        complete = len(found) == len(event.steps)
        differences = () if complete else ("there are no two answers to compare",)
        return Step(event, compared=tuple(found), differences=differences)

    def _log_in(self, who: str, through: str | None) -> Resident:
        login = build_login(self._case, who, through)
        # As the list is now: the log may have another key than when the case began.
        log = read_pinned_log(self._covenant.home("trust") / "trust-list.json")
        return Resident(self._covenant.url("portal"), login, log)

    def _read_log(self, who: str, through: str | None) -> OwnLog:
        with self._log_in(who, through) as resident:
            return resident.read_log("represented" if through else "self")


Show = Callable[[Step | LogStep], None]


def play_case(covenant: Covenant, case: Case, show: Show) -> list[str]:
    """Play a case whole and return what differs, each with its place; `show` sees every step."""
    player = Player(covenant, case)
    found: list[str] = []
    for number, step in enumerate(player.play(), 1):
        show(step)
        found += [
            f"case {case.number}, step {number} ({step.event.do}): {difference}"
            for difference in step.differences
        ]
    for part in player.read_logs():
        show(part)
        seen_by = f", seen by {part.expected.through}" if part.expected.through else ""
        found += [
            f"case {case.number}, log of {part.expected.who}{seen_by}: {difference}"
            for difference in part.differences
        ]
    return found
