"""One question, two ways: AuthZEN says what a signed question says on the same facts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.client.verification import VerifiedAnswer
from datwat.protocol.answers import ActPart, InquiryPart, ReleasePart
from datwat.protocol.values import encode_bytes
from tests.exchange.world import (
    MOTIVATION,
    act_part,
    bsns,
    by_bsn,
    inquiry_part,
    now,
    registers,
    say,
)
from tests.exchange.world import by_handle as signed_by_handle
from tests.others.world import Json, Others, by_handle, spell

pytestmark = pytest.mark.processes
NUMBERS = bsns()
_KEY = "A" * 43
CALL = {"role": "regisseur", "phone": "020 123 4567"}
FIELDS = ["regeling.status", "totaal_schuld"]
PURPOSES = (
    "coordinate_family_help",
    "debt_counselling",
    "school_attendance",
    "wmo_intake",
    "income_support",
)
ASKED = st.fixed_dictionaries(
    {
        "rung": st.sampled_from(["contact", "category", "dat", "wat"]),
        "purpose": st.sampled_from(PURPOSES),
        "source": st.sampled_from(["debt-counselling", "income", "youth-help"]),
        "fields": st.sampled_from([["regeling.status"], FIELDS]),
        "product": st.sampled_from(["schuldregeling", "inkomenssituatie"]),
        "cites": st.booleans(),
        "motivated": st.booleans(),
        "shown": st.booleans(),
        "identity": st.none() | st.sampled_from(["document", "stated"]),
        "opens": st.sampled_from(
            [{}, {"kind": "crisis"}, {"kind": "signal"}, {"kind": "statutory_task"}]
        ),
        "objects": st.booleans(),
    }
)
BEST = {
    "rung": "wat",
    "purpose": "coordinate_family_help",
    "source": "debt-counselling",
    "fields": ["regeling.status"],
    "product": "schuldregeling",
    "cites": True,
    "motivated": True,
    "shown": True,
    "identity": None,
    "opens": {},
    "objects": False,
}


class Case:
    """A person with debt counselling, in an occasion of the social team."""

    def __init__(self, others: Others, asked: Json) -> None:
        self.others, self.asked = others, asked
        bsn = next(NUMBERS)
        person = by_bsn(
            bsn, registers=registers("debt_counselling"), identity="document", told_at=now()
        )
        act_part(others.served.ask("debt-counselling", "register", [person], say()))
        opens = dict(asked["opens"])
        if opens:  # where no help request leads, somebody says until when the person is told
            opens["inform_by"] = now() + timedelta(days=10)
        self.handle, self.occasion = others.open_home(bsn, **opens)
        self.involvement = self._show() if asked["shown"] else None
        if asked["objects"]:
            self._object()

    def _show(self) -> bytes | None:
        """Return the reference to what was shown, as a first inquiry gives it."""
        answer = self.others.served.ask(
            "social-team",
            "inquire",
            [signed_by_handle(self.handle)],
            say(occasion=self.occasion),
            purpose=self.build_purpose("coordinate_family_help"),
            rung="dat",
        )
        pointers = inquiry_part(answer).pointers
        return pointers[0].involvement if pointers else None

    def _object(self) -> None:
        objection = {"purpose": None, "reason": "Liever niet.", "made_at": _moment()}
        self.others.served.ask(
            "social-team",
            "record_objection",
            [signed_by_handle(self.handle, objection=objection)],
            say(occasion=self.occasion),
        )

    def build_purpose(self, name: str) -> Json:
        return {"id": name, "digest": self.others.find_digest(name)}

    def build_statement(self) -> Any:  # noqa: ANN401 - a statement
        members: Json = {"occasion": self.occasion} if self.asked["cites"] else {}
        members |= {"motivation": MOTIVATION} if self.asked["motivated"] else {}
        members |= {"call_back": CALL} if self.asked["rung"] == "contact" else {}
        return type(say()).model_validate({**say().model_dump(), **members})

    def build_person(self) -> Json:
        rung = self.asked["rung"]
        found: Json = {}
        if rung in ("category", "dat") and self.asked["identity"]:
            found["identity"] = self.asked["identity"]
        if rung == "wat" and self.involvement is not None:
            found["involvement"] = self.involvement
        return found

    def build_properties(self) -> Json:
        rung, source = self.asked["rung"], self.others.find_id(self.asked["source"])
        if rung == "wat":
            named = {"product": self.asked["product"], "fields": self.asked["fields"]}
            return {"source": source, **named}
        return {"source": source} if rung == "contact" else {}

    def ask_signed(self) -> ActPart | InquiryPart | ReleasePart:
        rung = self.asked["rung"]
        act = {"contact": "request_contact", "wat": "release"}.get(rung, "inquire")
        extra = self.build_properties()
        extra |= {"rung": rung} if act == "inquire" else {}
        extra |= {"reply_key": _KEY} if act == "release" else {}
        answer: VerifiedAnswer = self.others.served.ask(
            "social-team",
            act,
            [signed_by_handle(self.handle, **self.build_person())],
            self.build_statement(),
            purpose=self.build_purpose(self.asked["purpose"]),
            **extra,
        )
        return answer.persons[0].part

    def ask_here(self) -> Json:
        person = self.build_person()
        if "involvement" in person:
            person["involvement"] = encode_bytes(person["involvement"])
        context = {
            "statement": spell(self.build_statement()),
            "person": by_handle(self.handle, **person),
        }
        body = self.others.build(
            context,
            rung=self.asked["rung"],
            purpose=self.asked["purpose"],
            **self.build_properties(),
        )
        return self.others.evaluate(body)


def _moment() -> str:
    return now().isoformat().replace("+00:00", "Z")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(asked=BEST)
@example(asked={**BEST, "rung": "dat", "identity": "document"})
@example(asked={**BEST, "objects": True})
@given(asked=ASKED)
def test_the_same_facts_get_the_same_verdict(others: Others, asked: Json) -> None:
    case = Case(others, asked)
    # First the one that leaves nothing behind but its entry: a contact request weighs on the next.
    here, signed = case.ask_here(), case.ask_signed()
    told, weighing = here["context"], signed.weighing
    assert here["decision"] == weighing.permitted
    assert (told["rung"], told["open_rung"]) == (weighing.rung, weighing.open_rung)
    found = [(one["blade"], one["code"], one["satisfied"]) for one in told["findings"]]
    assert found == [(one.blade, one.code, one.satisfied) for one in weighing.findings]
    assert [one["id"] for one in told["obligations"]] == [one.code for one in weighing.obligations]
    assert [one["code"] for one in told["remedies"]] == list(weighing.remedies)
    if isinstance(signed, ReleasePart):
        # No gateway is named in this world, so that nothing is delivered: what was permitted stays.
        assert told["legal_basis"] == (
            signed.legal_basis.model_dump() if signed.legal_basis else None
        )
        assert [one["code"] for one in told["withheld"]] == [one.code for one in signed.withheld]


def test_the_best_case_is_permitted_and_the_worst_is_not(others: Others) -> None:
    """Else the property above would compare denials with denials."""
    assert Case(others, BEST).ask_here()["decision"]
    assert not Case(others, {**BEST, "purpose": "school_attendance"}).ask_here()["decision"]
    assert not Case(others, {**BEST, "objects": True}).ask_here()["decision"]


def test_a_weighed_question_gives_nothing(others: Others) -> None:
    """What is permitted is still not given: no pointer, no order, no contact request."""
    for rung in ("contact", "dat", "wat"):
        case = Case(others, {**BEST, "rung": rung})
        text = json.dumps(case.ask_here())
        assert "involvement" not in text
        assert "020 123 4567" not in text
        assert encode_bytes(case.handle) not in text
