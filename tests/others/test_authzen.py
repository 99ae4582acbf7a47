"""Decisions over AuthZEN: form, batches, what is told, and what is written down before it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.adapters.decision_log import SqlDecisionLog
from broker.adapters.secrets import load_secrets
from datwat.protocol.values import encode_bytes
from tests.api.conftest import start, stop
from tests.databases import opened, read_url, read_whole
from tests.exchange import world as exchange_world
from tests.exchange.world import MOTIVATION, World, bsns, now, say
from tests.others.world import PURPOSE, Json, Others, build_facts, by_handle, spell
from tests.parties import run_command

pytestmark = pytest.mark.processes
NUMBERS = bsns()
BLADES = {"purpose", "subsidiarity", "proportionality", "efficiency", "transparency"}


def build_stated(others: Others, rung: str = "dat", **changes: Any) -> Json:  # noqa: ANN401
    context = {"statement": spell(say()), "facts": build_facts(others, **changes)}
    return others.build(context, rung=rung)


def find_unmet(answer: Json) -> set[str]:
    return {one["code"] for one in answer["context"]["findings"] if not one["satisfied"]}


def read_decisions(others: Others) -> list[Json]:
    """Return the log of decisions as an auditor with the broker's key reads it."""
    home = others.served.world.home
    log = SqlDecisionLog(load_secrets(home).row_key)
    with opened(home) as engine, engine.connect() as conn:
        return [json.loads(record) for record in log.read(conn)]


def count_entries(others: Others) -> int:
    home = ["--home", str(others.served.world.home)]
    return int(run_command("broker", "status", *home)["log_size"])


def test_stated_facts_are_weighed_and_explained(others: Others) -> None:
    answer = others.evaluate(build_stated(others))
    context = answer["context"]
    assert answer["decision"], find_unmet(answer)
    assert (context["facts"], context["rung"]) == ("stated", "dat")
    assert {one["blade"] for one in context["findings"]} == BLADES
    for one in (*context["findings"], *context["obligations"]):
        assert one["text"]["nl"]
        assert one["text"]["en"]
        assert one["text"]["nl"] != one["text"]["en"]
    assert context["policies"] == others.bundle.revision
    assert "reason_user" not in context


def test_a_denial_is_an_answer_with_its_reasons(others: Others) -> None:
    answer = others.evaluate(build_stated(others, told_at=None, member=None, occasion=None))
    assert not answer["decision"]
    unmet = find_unmet(answer)
    assert unmet
    assert set(answer["context"]["reason_admin"]["en"].split(", ")) == unmet
    assert answer["context"]["rung"] == "none"
    assert answer["context"]["reason_user"]["nl"]


def test_a_release_on_stated_facts_names_fields_and_articles(others: Others) -> None:
    moment = now().isoformat().replace("+00:00", "Z")
    source = others.find_id("debt-counselling")
    involvement = {
        "source": source,
        "function": "debt-counselling",
        "kind": "debt_counselling",
        "shielded": False,
        "since_at": moment,
        "expires_at": "2099-01-01T00:00:00Z",
        "ended_at": None,
        "shown_at": moment,
    }
    context = {
        "statement": spell(say(motivation=MOTIVATION)),
        "facts": build_facts(others, involvement=involvement),
    }
    fields = ["regeling.status", "totaal_schuld"]
    body = others.build(context, rung="wat", source=source, product="schuldregeling", fields=fields)
    answer = others.evaluate(body)
    told = answer["context"]
    accounted = sorted([*told["fields"], *(one["field"] for one in told["withheld"])])
    assert accounted == sorted(fields)
    assert answer["decision"], find_unmet(answer)
    assert told["fields"] == ["regeling.status"]
    assert told["legal_basis"]["giver_article"] == "Wgs 8d"
    assert told["withheld"][0]["text"]["nl"]


def test_a_stated_objection_weighs(others: Others) -> None:
    made_at = now().isoformat().replace("+00:00", "Z")
    objection = {"purpose": None, "made_at": made_at, "state": "open"}
    assert not others.evaluate(build_stated(others, objections=[objection]))["decision"]
    rejected = {**objection, "state": "rejected"}
    assert others.evaluate(build_stated(others, objections=[rejected]))["decision"]


def test_each_decision_is_written_down_sealed(others: Others) -> None:
    before = read_decisions(others)
    answer = others.evaluate(build_stated(others))
    *kept, newest = read_decisions(others)
    assert len(kept) == len(before)
    assert newest["event_name"] == "adl.access_evaluation"
    assert newest["attributes"]["adl.core.policies"] == others.bundle.revision
    assert newest["attributes"]["adl.core.client"] == others.find_id("social-team")
    assert newest["body"]["adl.core.request"]["purpose"] == PURPOSE
    told = newest["body"]["adl.core.response"]
    assert told == {"decision": True, "id": answer["context"]["id"]}
    raw = read_whole(read_url(others.served.world.home))
    assert b"adl.access_evaluation" not in raw
    assert b"j.jansen" not in raw


def test_the_log_of_decisions_shows_what_was_changed(others: Others) -> None:
    others.evaluate_all({**build_stated(others), "evaluations": [{}, {}, {}]})
    home = ["--home", str(others.served.world.home)]
    found = run_command("broker", "clients", "check-decisions", *home)
    assert found["holds"]
    assert found["decisions"] == len(read_decisions(others))
    log = SqlDecisionLog(load_secrets(others.served.world.home).row_key)
    with opened(others.served.world.home) as engine, engine.connect() as conn:
        conn.exec_driver_sql(
            "DELETE FROM decision_log WHERE number = (SELECT max(number) - 1 FROM decision_log)"
        )
        assert log.check(conn).broken_at == found["last"]
        conn.rollback()
        conn.exec_driver_sql(
            "UPDATE decision_log SET sealed = (SELECT sealed FROM decision_log LIMIT 1) "
            "WHERE number = (SELECT max(number) FROM decision_log)"
        )
        assert log.check(conn).broken_at == found["last"]
        conn.rollback()
        assert log.check(conn).broken_at is None


def test_nothing_about_nobody_is_in_the_public_log(others: Others) -> None:
    size = count_entries(others)
    others.evaluate(build_stated(others))
    assert count_entries(others) == size


def test_a_known_person_is_weighed_by_the_registers_and_reads_of_it(others: Others) -> None:
    handle, occasion = others.open_home(next(NUMBERS))
    size, decisions = count_entries(others), len(read_decisions(others))
    context = {"statement": spell(say(occasion=occasion)), "person": by_handle(handle)}
    answer = others.evaluate(others.build(context))
    assert answer["decision"], find_unmet(answer)
    assert answer["context"]["facts"] == "registered"
    assert count_entries(others) == size + 1
    assert len(read_decisions(others)) == decisions
    text = json.dumps(answer)
    assert encode_bytes(handle) not in text
    assert "pointers" not in text


def test_anothers_handle_leads_nowhere(others: Others) -> None:
    handle, occasion = others.open_home(next(NUMBERS))
    size = count_entries(others)
    context = {"statement": spell(say(occasion=occasion)), "person": by_handle(handle)}
    body = others.build(context, function="youth-help")
    answer = others.post("/access/v1/evaluation", body, others.find_token("youth-help"))
    unknown = {**context, "person": by_handle(bytes(16))}
    other = others.post("/access/v1/evaluation", others.build(unknown))
    assert answer.status_code == other.status_code == 403
    assert answer.json() == other.json()
    assert answer.json()["code"] == "handle_unknown"
    assert count_entries(others) == size


def _without(name: str) -> Callable[[Json], Json]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def _with(path: str, value: Any) -> Callable[[Json], Json]:  # noqa: ANN401
    def change(body: Json) -> Json:
        found: Json = json.loads(json.dumps(body))
        place: Any = found
        *steps, last = path.split(".")
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = value
        return found

    return change


BAD: dict[str, tuple[Callable[[Json], Json], str]] = {
    "no subject": (_without("subject"), "$.subject"),
    "no action": (_without("action"), "$.action"),
    "no resource": (_without("resource"), "$.resource"),
    "an unknown rung": (_with("action.name", "all"), "$.action.name"),
    "an unknown member": (_with("context.weather", "x"), "$.context"),
    "an unknown fact": (_with("context.facts.risk", 1), "$.context.facts"),
    "another kind of subject": (_with("subject.type", "user"), "$.subject.type"),
    "a time of another day": (_with("context.time", "2020-01-01T00:00:00Z"), "context.time"),
    "a product for an inquiry": (
        _with("resource.properties.product", "schuldregeling"),
        "resource.properties.product",
    ),
    "no facts at all": (_with("context", {}), "context"),
    "a person by ticket": (
        _with("context.person", {"person": {"by": "ticket", "gamma": "A" * 43}}),
        "$.context.person.person.by",
    ),
}


@pytest.mark.parametrize(("change", "place"), BAD.values(), ids=BAD.keys())
def test_what_is_not_weighed_is_refused_with_its_place(
    others: Others, change: Callable[[Json], Json], place: str
) -> None:
    count = len(read_decisions(others))
    answer = others.post("/access/v1/evaluation", change(build_stated(others)))
    found = answer.json()
    assert (answer.status_code, found["code"]) == (400, "input_invalid"), found
    assert found["place"] == place
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(read_decisions(others)) == count


def test_another_partner_cannot_be_named(others: Others) -> None:
    body = {**build_stated(others), "subject": {"type": "partner", "id": others.find_id("school")}}
    answer = others.post("/access/v1/evaluation", body)
    assert (answer.status_code, answer.json()["place"]) == (400, "subject.id")


@pytest.mark.parametrize(
    "text", ["Over 999990019, dringend.", "9999.90.019", "het nummer 9 9 9 9 9 0 0 1 9"]
)
def test_a_number_in_a_text_goes_no_further(others: Others, text: str) -> None:
    """Promise 1: whoever asks by this way has no connector that would have looked."""
    statement = spell(say(motivation=MOTIVATION))
    statement["motivation"]["purpose"] = text
    body = others.build({"statement": statement, "facts": build_facts(others)})
    answer = others.post("/access/v1/evaluation", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "input_invalid")
    assert "99999" not in answer.text.replace("00000099", "")
    held = read_whole(read_url(others.served.world.home)) + others.served.log.read_bytes()
    assert text.encode() not in held


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "json_malformed"),
        (b"[]", "input_invalid"),
        (b'{"subject":1,"subject":2}', "json_duplicate_key"),
        (b'{"subject":1.5}', "json_float"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "json_too_deep"),
    ],
)
def test_bodies_that_are_no_question(others: Others, content: bytes, code: str) -> None:
    answer = others.post("/access/v1/evaluation", content)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_the_callers_id_of_the_request_comes_back(others: Others) -> None:
    given = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    good = others.post("/access/v1/evaluation", build_stated(others), X_Request_ID=given)
    bad = others.post("/access/v1/evaluation", {}, X_Request_ID=given)
    assert (good.status_code, bad.status_code) == (200, 400)
    assert good.headers["x-request-id"] == bad.headers["x-request-id"] == given
    refused = others.post("/access/v1/evaluation", {}, X_Request_ID="x" * 129)
    assert refused.json()["code"] == "request_id_invalid"
    assert "x-request-id" not in refused.headers


def _row(others: Others, semantic: str | None) -> list[bool]:
    """Ask four questions of which the second and fourth are denied."""
    denied = {"context": {"statement": spell(say()), "facts": {}}}
    body = {**build_stated(others), "evaluations": [{}, denied, {}, denied]}
    if semantic is not None:
        body["options"] = {"evaluations_semantic": semantic}
    return [one["decision"] for one in others.evaluate_all(body)]


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True, False]),
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_several_questions_by_each_semantic(
    others: Others, semantic: str | None, expected: list[bool]
) -> None:
    count = len(read_decisions(others))
    assert _row(others, semantic) == expected
    # What was not answered was not weighed either.
    assert len(read_decisions(others)) == count + len(expected)


def test_what_is_said_once_is_for_all_but_who_says_it_again(others: Others) -> None:
    body = {**build_stated(others), "evaluations": [{}, {"action": {"name": "category"}}]}
    found = others.evaluate_all(body)
    assert [one["context"]["rung"] for one in found] == ["dat", "category"]


def test_without_several_questions_it_is_the_one(others: Others) -> None:
    for body in (build_stated(others), {**build_stated(others), "evaluations": []}):
        answer = others.post("/access/v1/evaluations", body).json()
        assert answer["decision"] is True


def test_one_that_cannot_be_weighed_is_a_denial_that_says_why(others: Others) -> None:
    unknown = {"context": {"statement": spell(say()), "person": by_handle(bytes(16))}}
    found = others.evaluate_all({**build_stated(others), "evaluations": [unknown, {}]})
    assert [one["decision"] for one in found] == [False, True]
    assert found[0]["context"]["error"]["code"] == "handle_unknown"
    assert found[0]["context"]["error"]["status"] == 403


def test_a_bad_question_among_several_has_its_place(others: Others) -> None:
    body = {**build_stated(others), "evaluations": [{}, {"action": {"name": "all"}}]}
    answer = others.post("/access/v1/evaluations", body)
    assert (answer.status_code, answer.json()["place"]) == (400, "$.evaluations[1].action.name")


def test_too_many_questions_are_refused(others: Others) -> None:
    body = {**build_stated(others), "evaluations": [{}] * 51}
    answer = others.post("/access/v1/evaluations", body)
    assert (answer.status_code, answer.json()["place"]) == (400, "$.evaluations")


def test_a_digest_of_another_revision_is_denied(others: Others) -> None:
    body = build_stated(others)
    body["resource"]["properties"]["digest"] = "0" * 64
    answer = others.evaluate(body)
    assert not answer["decision"]
    assert "known_purpose" in find_unmet(answer)
    body["resource"]["properties"]["digest"] = others.find_digest()
    assert others.evaluate(body)["decision"]


def test_an_unknown_purpose_is_denied(others: Others) -> None:
    body = build_stated(others)
    body["resource"]["id"] = "no_such_purpose"
    assert not others.evaluate(body)["decision"]


def test_the_metadata_says_where(others: Others) -> None:
    answer = others.served.client.get(others.served.url + "/.well-known/authzen-configuration")
    found = answer.json()
    base = found["policy_decision_point"]
    assert found["access_evaluation_endpoint"] == base + "/access/v1/evaluation"
    assert found["access_evaluations_endpoint"] == base + "/access/v1/evaluations"


def test_another_policy_gives_another_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no verdict outside OPA: one word of policy changed, and yes becomes no."""
    policies = tmp_path / "policies"
    shutil.copytree(exchange_world.POLICIES, policies)
    path = policies / "purposes" / f"{PURPOSE}.yaml"
    text = path.read_text(encoding="utf-8")
    assert "{function: social-team, inquire: dat}" in text
    other_text = text.replace("social-team, inquire: dat", "social-team, inquire: none")
    path.write_text(other_text, encoding="utf-8")
    for cases in (policies / "cases").glob("*.yaml"):
        if cases.name != "bases.yaml":
            cases.unlink()  # else the broker would not put in force what its own cases refuse
    monkeypatch.setattr(exchange_world, "POLICIES", policies)
    served = start(World(tmp_path), tmp_path / "log")
    try:
        other = Others(served, tmp_path / "ldv")
        assert not other.evaluate(build_stated(other))["decision"]
    finally:
        stop(served)
