"""The seven cases, played against real processes; and that a wrong expectation is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.client.results import InquiryResult, ReleaseResult
from demo.checking import check_inquiry, check_log, check_release
from demo.events import Ask, AskKnown
from demo.model import Case, Line, LogExpected, load_cases
from demo.parts import Expected
from demo.steps import LogStep, Step
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
CASES = load_cases()


def name(case: Case) -> str:
    return f"case{case.number}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_everything_comes_out_as_the_case_says(world: World, case: Case) -> None:
    differences, steps = world.play(case)
    assert differences == []
    assert len(steps) == len(case.events) + len(case.logs)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_each_resident_can_prove_every_entry(world: World, case: Case) -> None:
    _, steps = world.play(case)
    for step in steps:
        if isinstance(step, LogStep):
            assert step.log.proofs >= len(step.log.cards)


def break_line(line: Line) -> Iterator[Line]:
    """Yield the line with each of its expectations made wrong."""
    other = "school" if line.by != "school" else "income"
    yield line.model_copy(update={"by": other})
    yield line.model_copy(update={"event": "end"})
    yield line.model_copy(update={"later": not line.later})
    yield line.model_copy(update={"unmet": (*line.unmet, "no_such_code")})
    for member in ("pointers", "given", "withheld"):
        held = getattr(line, member)
        if held is not None:
            yield line.model_copy(update={member: (*held, "one_more")})


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_wrong_expectation_of_a_log_is_noticed(world: World, case: Case) -> None:
    _, steps = world.play(case)
    for step in steps:
        if not isinstance(step, LogStep):
            continue
        expected = step.expected
        wrong: list[LogExpected] = [
            expected.model_copy(update={"lines": (*expected.lines, *CASES[0].logs[0].lines[:1])}),
            *(
                expected.model_copy(
                    update={
                        "lines": (*expected.lines[:at], broken, *expected.lines[at + 1 :]),
                    }
                )
                for at, line in enumerate(expected.lines)
                for broken in break_line(line)
            ),
        ]
        if step.log.cards:
            wrong.append(expected.model_copy(update={"lines": expected.lines[1:]}))
            seen = step.log.cards[0].requester_name
            wrong.append(expected.model_copy(update={"never": (seen,)}))
        for one in wrong:
            assert list(check_log(one, step.log, world.covenant.partner_id)), one


def break_expected(expected: Expected) -> Iterator[Expected]:
    """Yield the expectation with each of its members made wrong."""
    yield expected.model_copy(update={"permitted": not expected.permitted})
    yield expected.model_copy(update={"unmet": (*expected.unmet, "no_such_code")})
    yield expected.model_copy(update={"alternatives": ("no_such_alternative",)})
    yield expected.model_copy(update={"open": "none" if expected.open != "none" else "wat"})


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_wrong_expectation_of_an_answer_is_noticed(world: World, case: Case) -> None:
    _, steps = world.play(case)
    partner_id = world.covenant.partner_id
    for step in steps:
        if isinstance(step, LogStep):
            continue
        for broken, result in find_broken(step):
            if isinstance(result, ReleaseResult):
                assert list(check_release(broken, result)), broken
            else:
                assert isinstance(result, InquiryResult)
                assert list(check_inquiry(broken, result, partner_id)), broken


def find_broken(step: Step) -> Iterator[tuple[Expected, object]]:
    match step.event:
        case AskKnown(expect=expected, person=person):
            result = step.results[person]
            for broken in break_expected(expected):
                if broken.open is None or broken.open != result.weighing.open_rung:
                    yield broken, result
            yield expected.model_copy(update={"values": {"status": "x"}}), result
            yield expected.model_copy(update={"withheld": {"status": "x"}}), result
        case Ask(expect=by_person):
            for key, expected in by_person.items():
                result = step.results[key]
                for broken in break_expected(expected):
                    if broken.open is None or broken.open != result.weighing.open_rung:
                        yield broken, result
                assert expected.pointers is not None
                more = (*expected.pointers, *expected.pointers, *expected.pointers[:0])
                if more != expected.pointers:
                    yield expected.model_copy(update={"pointers": more}), result
