"""The mutation check of a draft: what nothing notices is found, and what is proposed notices it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
import yaml

from broker.adapters.opa_process import find_opa
from broker.adapters.trial_opa import TrialOpa
from broker.policy.mutating import MutationGround, check_mutants
from broker.policy.proposing import derive_given
from broker.policy.trial import build_trial_archive, find_failures
from broker.purposes.cases import Case, merge
from broker.purposes.index import build_index
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.mutation import Mutant, build_mutated, build_purpose_mutants
from datwat.protocol.texts import Texts
from tests.trial.world import (
    build_archive,
    build_bundle,
    find_purpose,
    read_bases,
    read_cases,
    read_catalogue,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "debt_counselling"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[TrialOpa]:
    archive = build_trial_archive(build_archive(), dict(build_bundle().catalogue))
    async with TrialOpa(await find_opa(), archive) as trial:
        yield trial


def build_ground(purpose: Purpose, cases: tuple[Case, ...]) -> MutationGround:
    return MutationGround(
        purpose=purpose,
        catalogue=read_catalogue(),
        data=read_catalogue().to_data(),
        cases=cases,
        bases=read_bases(),
        texts=Texts(build_bundle().texts),
    )


@pytest.mark.parametrize("name", sorted(read_catalogue().purposes))
async def test_nothing_of_the_projects_purposes_goes_unnoticed(engine: TrialOpa, name: str) -> None:
    result = await check_mutants(engine, build_ground(find_purpose(name), read_cases()))
    assert [one.member for one in result.unnoticed] == []
    assert result.failing == ()
    assert result.total == result.noticed + result.refused > 10


async def test_what_no_case_notices_is_shown_with_its_sentence(engine: TrialOpa) -> None:
    purpose = find_purpose(NAME)
    kept = tuple(case for case in read_cases() if case.purpose != NAME or "income" in case.name)
    told: list[tuple[int, int]] = []
    ground = build_ground(purpose, kept)
    result = await check_mutants(engine, ground, lambda *one: told.append(one))
    members = {one.member for one in result.unnoticed}
    assert "not_for.0" in members
    enforcement = next(one for one in result.unnoticed if one.member == "not_for.0")
    assert enforcement.sentence is not None
    assert "handhaaft" in enforcement.sentence.nl.lower()
    assert enforcement.kind == "removed"
    assert told[-1] == (result.total, result.total)
    assert all(one.sentence is not None for one in result.unnoticed)


async def test_a_proposed_case_passes_and_notices(engine: TrialOpa) -> None:
    purpose = find_purpose(NAME)
    kept = tuple(case for case in read_cases() if case.purpose != NAME or "income" in case.name)
    ground = build_ground(purpose, kept)
    result = await check_mutants(engine, ground)
    proposed = [one for one in result.unnoticed if one.proposal is not None]
    assert len(proposed) >= len(result.unnoticed) * 0.8, [
        one.member for one in result.unnoticed if one.proposal is None
    ]
    mutants = {
        (one.member, one.kind, str(one.after)): one for one in build_purpose_mutants(purpose)
    }
    for one in proposed:
        assert one.proposal is not None
        (written,) = yaml.safe_load(one.proposal.yaml)
        case = _read_case(written, purpose)
        mutant = mutants[(one.member, one.kind, one.after or "None")]
        await _require_notices(engine, ground, case, mutant)


def _read_case(written: dict[str, object], purpose: Purpose) -> Case:
    """Read a pasted case as the loader does: base, purpose, given."""
    named = {"purpose": purpose.id, "purpose_digest": derive_digest(purpose)}
    question = merge(merge(read_bases()[str(written["base"])], named), written.get("given", {}))  # type: ignore[arg-type]
    members = {"file": "pasted", "purpose": purpose.id, "question": question}
    return Case.model_validate_json(
        json.dumps({**members, "name": written["name"], "expect": written["expect"]})
    )


async def _require_notices(
    engine: TrialOpa, ground: MutationGround, case: Case, mutant: Mutant
) -> None:
    (decision,) = await engine.weigh([case.question])
    assert find_failures(case, decision) == (), mutant.place
    mutated = build_mutated(mutant, ground.purpose, ground.catalogue)
    assert mutated is not None
    (changed,) = await engine.weigh([case.question], ground.build_data(mutated))
    assert find_failures(case, changed), mutant.place


async def test_the_data_of_a_mutant_keeps_the_digest() -> None:
    purpose = find_purpose(NAME)
    ground = build_ground(purpose, ())
    mutant = next(one for one in build_purpose_mutants(purpose) if one.member == "retention_days")
    mutated = build_mutated(mutant, purpose, ground.catalogue)
    assert mutated is not None
    (revision,) = ground.build_data(mutated)["revisions"]
    assert revision["digest"] == derive_digest(purpose) != derive_digest(mutated)
    assert revision["retention_days"] == mutated.retention_days
    covenant = ground.catalogue.covenant
    assert revision["index"] == build_index(mutated, ground.catalogue.kinds, covenant)


async def test_what_a_file_may_change_in_all_its_cases_is_written_out() -> None:
    bases = {"ask": {"act": "inquire", "requester": {"id": "a", "function": "f"}, "now": "x"}}
    own = [{"act": "inquire", "requester": {"id": "b", "function": "f"}, "now": "x"}]
    question = {"act": "inquire", "requester": {"id": "a", "function": "g"}, "now": "x"}
    base, given = derive_given(question, bases, own)
    assert base == "ask"
    assert given == {"requester": {"id": "a", "function": "g"}}


async def test_a_member_named_purpose_inside_a_question_is_given() -> None:
    bases = {
        "ask": {"act": "release", "ask": {"motivation_length": {"purpose": 0, "efficiency": 0}}}
    }
    asked = {"motivation_length": {"purpose": 20, "efficiency": 20}}
    question = {"act": "release", "ask": asked, "purpose": "p", "purpose_digest": "d"}
    own = [{"purpose": "p", "purpose_digest": "d"}]
    assert derive_given(question, bases, own) == ("ask", {"ask": asked})


async def test_a_purpose_without_cases_is_asked_at_moments_at_which_it_is_in_force() -> None:
    held, by = find_purpose("youth_help_access"), timedelta(days=300)
    later = held.model_copy(update={"valid_from": held.valid_from + by})
    catalogue = read_catalogue().with_revision(later, now=held.valid_from)
    data = catalogue.to_data()
    ground = MutationGround(
        purpose=later,
        catalogue=catalogue,
        data=data,
        cases=(),
        bases=read_bases(),
        texts=Texts(build_bundle().texts),
        moved_by=by,
    )
    async with TrialOpa(await find_opa(), build_trial_archive(build_archive(), data)) as trial:
        result = await check_mutants(trial, ground)
    proposed = [yaml.safe_load(one.proposal.yaml)[0] for one in result.unnoticed if one.proposal]
    assert any(one["expect"]["permit"] for one in proposed)
    # They are written at the moments of the bases: nothing of them is given for its moment alone.
    plain = [one for one in proposed if one["expect"]["permit"]]
    assert all("now" not in one.get("given", {}) for one in plain)
