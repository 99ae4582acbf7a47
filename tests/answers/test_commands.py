"""The commands of officers: what each gives, by whose token, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.app import build_commands
from broker.commands.answers_cli import answers
from broker.exchange.answering_lists import LISTS
from broker.exchange.answering_telling import NumberInAnswerError
from broker.involvement.special_situations import derive_number
from broker.purposes.roles import GiveAsked, RoleMissingError, RoleName
from datwat.party.admin import Holder, RoleCommand
from datwat.party.problems import InputInvalidError
from datwat.protocol.acts import Objection, Question
from datwat.protocol.values import decode_bytes
from tests.answers.world import TEXT
from tests.exchange.test_openings import open_waiting
from tests.exchange.test_wishes import log_in
from tests.exchange.world import Running, bsns, now

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
ORGANISATION = "rijnstad"
BY = {"by": "F.Gans", "role": "privacyfunctionaris"}
REMAINING = ("answers_answer", "objections_answer", "questions_answer", "special_open")


async def run(running: Running, name: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Run a command as who has the token of the home folder."""
    return await build_commands(running.broker, lambda: None)[name](members)


async def run_as(
    running: Running,
    staff: str,
    held: RoleName,
    name: str,
    **members: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Run a command as who has a named token."""
    command = build_commands(running.broker, lambda: None)[name]
    assert isinstance(command, RoleCommand)
    return await command.run_as(members, Holder(staff, ORGANISATION, held))


async def give_role(running: Running, staff: str, role: RoleName) -> None:
    asked = GiveAsked(organisation=ORGANISATION, role=role, staff=staff)
    await running.broker.role_register.give(asked)


async def object_to_all(running: Running) -> str:
    (resident,) = await log_in(running, next(NUMBERS))
    return str(await resident.record(objection=Objection(made_at=now(), reason="Liever niet.")))


async def test_the_lists_are_counted_listed_shown_answered_and_printed(broker: Running) -> None:
    number = await object_to_all(broker)
    lists = (await run(broker, "answers_lists"))["lists"]
    assert [one["list"] for one in lists] == list(LISTS)
    assert lists[0]["waiting"] >= 1
    (one,) = [
        item
        for item in (await run(broker, "answers_list", list="objections"))["list"]
        if item["number"] == number
    ]
    assert (one["reminder"], one["overdue"], one["behaviour"]) == ("none", False, "all")
    assert "text" not in one  # a list has nobody's words
    shown = await run(broker, "answers_show", list="objections", number=number)
    assert shown["text"] == "Liever niet."
    assert shown["outcomes"] == ["upheld", "rejected"]
    assert {"code", "nl", "en"} == set(shown["blocks"][0])
    given = {"outcome": "rejected", "controller": "public", "blocks": ["sorry"], "text": TEXT}
    done = await run(broker, "answers_answer", list="objections", number=number, **given, **BY)
    assert done["text"] == f"Het spijt ons dat dit zo is gegaan. {TEXT}"
    assert (done["outcome"], done["remedy"], done["hard_words"]) == (
        "rejected", "administrative", [],
    )  # fmt: skip
    letter = await run(broker, "answers_letter", list="objections", number=number)
    assert decode_bytes(letter["pdf"]).startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"list": "never", "number": "1"}, "list"),
        ({"list": "objections"}, "number"),
        ({"list": "objections", "number": "1", "extra": 1}, "$"),
    ],
)
async def test_a_wrong_member_is_named(
    broker: Running, members: dict[str, Any], place: str
) -> None:
    with pytest.raises(InputInvalidError) as caught:
        await run(broker, "answers_show", **members)
    assert place in str(caught.value.place)


async def test_an_answer_without_who_gives_it_is_refused(broker: Running) -> None:
    number = await object_to_all(broker)
    given = {"outcome": "upheld", "controller": "public", "text": TEXT}
    with pytest.raises(InputInvalidError):
        await run(broker, "answers_answer", list="objections", number=number, **given)


async def test_a_named_token_says_who_answers_and_the_register_whether_they_may(
    broker: Running,
) -> None:
    number = await object_to_all(broker)
    given = {"outcome": "upheld", "controller": "public", "text": TEXT}
    asked = {"list": "objections", "number": number, **given}
    with pytest.raises(RoleMissingError):  # the register does not know them
        await run_as(broker, "f.gans", "reviewer", "answers_answer", **asked)
    roles: tuple[RoleName, ...] = ("auditor", "data_protection_officer")
    for role in roles:
        staff = f"reads.{role}"[:20]
        await give_role(broker, staff, role)
        shown = await run_as(broker, staff, role, "answers_list", list="objections")
        assert number in {one["number"] for one in shown["list"]}
        for name in REMAINING:
            with pytest.raises(RoleMissingError):
                await run_as(broker, staff, role, name, **asked)
    await give_role(broker, "f.gans", "reviewer")
    with pytest.raises(RoleMissingError):  # what the token does not say, the register cannot give
        await run_as(broker, "f.gans", "auditor", "answers_answer", **asked)
    # Who answers is whose token it is, whatever else is stated.
    await run_as(broker, "f.gans", "reviewer", "answers_answer", **asked, by="somebody.else")
    answered = await run(broker, "answers_list", list="objections")
    assert number not in {one["number"] for one in answered["list"]}


async def test_the_older_commands_take_a_named_token_too(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = await resident.record(asks=Question(text="Waarom?"))
    await give_role(broker, "p.smit", "reviewer")
    asked = {"number": number, "text": TEXT, "role": "functionaris"}
    done = await run_as(broker, "p.smit", "reviewer", "questions_answer", **asked)
    assert done == {"number": number, "answered": True}


async def test_status_counts_every_list_and_its_reminders(broker: Running) -> None:
    await object_to_all(broker)
    status = await run(broker, "status")
    # Whoever reads `status` is an operator: that something waits is none of it (promise 5).
    assert set(status["answers"]) == set(LISTS) - {"special"}
    assert status["answers"]["objections"]["waiting"] >= 1
    assert set(status["answers"]["tell"]) == {"waiting", "half_term", "last_day", "overdue", "more"}


async def test_a_role_is_no_way_in_for_a_number(broker: Running) -> None:
    _, row = await open_waiting(broker, next(NUMBERS))
    asked = {"number": derive_number(row), "by": "d.baas", "role": "directeur 999990019"}
    with pytest.raises(NumberInAnswerError):  # the resident would read it in their log
        await run(broker, "special_open", **asked)
    assert row.id in {one.id for one in broker.broker.openings.list_waiting()}


async def test_a_command_without_a_running_broker_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(answers, ["lists", "--home", str(tmp_path)])
    assert result.exit_code != 0
    assert "Traceback" not in result.output
