"""The OPA of a trial: it decides as the serving one does, and lets nobody else in."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_process import OpaStartError, find_opa
from broker.adapters.trial_opa import TrialOpa
from broker.policy.decision import entry_point_of
from broker.policy.engine import PolicyUnavailableError
from broker.policy.replay import normalise
from broker.policy.trial import build_trial_archive, find_failures, read_codes, try_cases
from broker.purposes.cases import Expectation
from tests.trial.world import build_archive, build_bundle, read_cases, read_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[TrialOpa]:
    archive = build_trial_archive(build_archive(), dict(build_bundle().catalogue))
    async with TrialOpa(await find_opa(), archive) as trial:
        yield trial


async def test_it_decides_as_the_serving_one_does(engine: TrialOpa) -> None:
    some = read_cases()[::9]
    found = await engine.weigh([case.question for case in some])
    async with SupervisedOpa(await find_opa(), build_bundle(), deadline=10) as serving:
        for case, decision in zip(some, found, strict=True):
            act = entry_point_of(case.question["act"])
            expected = await serving.query(act, case.question)
            assert normalise(decision) == expected.model_dump(mode="json"), case.name


async def test_every_case_comes_out_as_it_says(engine: TrialOpa) -> None:
    results = await try_cases(engine, read_cases(), read_codes(read_catalogue()))
    assert [one.name for one in results if not one.passed] == []
    assert len(results) == len(read_cases()) > 100


async def test_a_case_that_fails_shows_found_beside_expected(engine: TrialOpa) -> None:
    case = next(one for one in read_cases() if one.name == "who is involved")
    wrong = Expectation(permit=False, unmet=("talked_first",), rung="wat")
    changed = case.model_copy(update={"expect": wrong})
    (result,) = await try_cases(engine, [changed], read_codes(read_catalogue()))
    assert not result.passed
    assert {one.member for one in result.members} == {"permit", "unmet", "rung"}
    blades = {one.blade: one for one in result.blades}
    assert blades["subsidiarity"].expected == ("talked_first",)
    assert blades["subsidiarity"].found == ()
    assert [one.blade for one in result.blades if one.differs] == ["subsidiarity"]
    assert len(blades) == 5


async def test_what_has_no_decision_gives_none(engine: TrialOpa) -> None:
    known = read_cases()[0].question
    found = await engine.weigh([{**known, "act": "steal"}, known, {}])
    assert found[0] is None
    assert found[1] is not None
    assert found[2] is None
    assert find_failures(read_cases()[0], None)[0].member == "decision"


async def test_a_purpose_put_in_its_place_decides_and_no_other_does(engine: TrialOpa) -> None:
    data = build_bundle().catalogue["purposes"]["debt_counselling"]
    (revision,) = data["revisions"]
    closed = {**data, "revisions": [{**revision, "valid_until": revision["valid_from"]}]}
    own = [one.question for one in read_cases() if one.purpose == "debt_counselling"]
    other = [one.question for one in read_cases() if one.purpose == "income_support"]
    before = await engine.weigh([*own, *other])
    after = await engine.weigh([*own, *other], closed)
    assert before[len(own) :] == after[len(own) :]
    asking = [one for one in after[: len(own)] if one is not None and one["permit"]]
    assert asking == []
    assert await engine.weigh([*own, *other]) == before  # nothing stays behind


async def test_the_token_reaches_the_harness_and_nothing_else(engine: TrialOpa) -> None:
    process = engine._process  # noqa: SLF001 - the token is for nobody else
    assert process is not None
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=5)
    bearer = {"Authorization": f"Bearer {process.token}"}
    body = {"query": "x = data.datwat.catalogue", "input": {"items": []}}

    def ask(method: str, path: str, headers: dict[str, str]) -> int:
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        return response.status

    for path in ("/v1/data/datwat/trial/results", "/v1/data/datwat/trial/changed"):
        assert ask("POST", path, bearer) == 200
        assert ask("POST", path, {}) == 401
    for method, path in (
        ("GET", "/v1/data/datwat/trial/results"),
        ("POST", "/v1/data/datwat/trial"),
        ("POST", "/v1/query"),
        ("GET", "/v1/query"),
        ("POST", "/v1/compile"),
        ("PATCH", "/v1/data/datwat"),
        ("POST", "/v1/data/datwat/ask/decision"),
        ("POST", "/v1/data/datwat/catalogue"),
        ("PUT", "/v1/data/datwat/catalogue"),
        ("PUT", "/v1/policies/x"),
        ("GET", "/v1/policies"),
        ("GET", "/v1/data"),
    ):
        assert ask(method, path, bearer) == 401, path
    connection.close()
    assert process.token not in repr(process)


async def test_a_policy_that_does_not_compile_does_not_start(tmp_path: Path) -> None:
    data = dict(build_bundle().catalogue)
    archive = build_trial_archive(build_archive(), data)
    with pytest.raises(OpaStartError):
        async with TrialOpa(tmp_path / "no-opa", archive):
            pass


async def test_one_that_is_gone_decides_nothing() -> None:
    archive = build_trial_archive(build_archive(), dict(build_bundle().catalogue))
    async with TrialOpa(await find_opa(), archive) as trial:
        process = trial._process  # noqa: SLF001 - it is ended from outside
        assert process is not None
        os.kill(process.pid, 9)
        with pytest.raises(PolicyUnavailableError):
            await trial.weigh([read_cases()[0].question])
