"""An officer at the command line of a served broker: what waits, answering, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datwat.cli import run as run_datwat
from datwat.protocol.acts import Objection, Question, Wish
from datwat.protocol.own_affairs import OwnWishes
from tests.api.conftest import Served
from tests.exchange.world import bsns, by_bsn, by_handle, now
from tests.parties import run_command

NUMBERS = bsns()
OFFICER = ("--by", "m.jansen", "--role", "privacyfunctionaris")
TEXT = "Wij hebben ernaar gekeken en het klopt."


def test_an_officer_lists_and_answers_what_residents_said(served: Served) -> None:
    home = ("--home", str(served.world.home))
    person = by_bsn(next(NUMBERS), identity="document")
    session: Any = served.ask("portal", "open_session", [person])
    handle = session.persons[0].part.handle
    said = {
        "objections": Wish(objection=Objection(reason="Liever niet.", made_at=now())),
        "questions": Wish(asks=Question(text="Waarom vroeg u dit?")),
    }
    for name, wish in said.items():
        made = served.ask("portal", "wish", [by_handle(handle, wish=wish)]).persons[0].index
        (waiting,) = run_command(name, "list", *home)[name]
        assert (waiting["number"], waiting["overdue"]) == (made, False)
        decided = ("--outcome", "upheld", "--controller", "other") if name == "objections" else ()
        answer = (name, "answer", str(made), *home, *OFFICER, *decided, "--text", TEXT)
        assert run_command(*answer)["number"] == made
        assert run_command(name, "list", *home)[name] == []
    status = run_command("broker", "status", *home)
    counted = [status[f"{name}_overdue"] for name in ("objections", "questions", "erasures")]
    assert counted == [0, 0, 0]
    sent = served.world.build("portal", "own_wishes", [by_handle(handle)])
    found = OwnWishes.model_validate_json(served.post(sent).content)
    assert [(one.state, one.remedy) for one in found.objections] == [("upheld", "court")]
    assert [one.answer.text for one in found.questions if one.answer] == [TEXT]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("objections", "answer", "99999999", "--outcome", "upheld"), "no objection waits"),
        (("questions", "answer", "99999999"), "no question waits"),
        (("questions", "answer", "zeven"), "valid integer"),
        (("objections", "answer", "3", "--outcome", "misschien"), "upheld"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(
    served: Served, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    controller = ("--controller", "public") if words[0] == "objections" else ()
    home = ("--home", str(served.world.home))
    assert run_datwat([*words, *controller, *home, *OFFICER, "--text", TEXT]) != 0
    printed = capsys.readouterr()
    assert told in printed.err + printed.out
    assert "Traceback" not in printed.err + printed.out


def test_an_empty_list_says_so(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_datwat(["questions", "list", "--home", str(served.world.home)]) == 0
    assert "No question waits" in capsys.readouterr().out


def test_without_a_running_broker_nothing_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_datwat(["objections", "list", "--home", str(tmp_path)]) != 0
    assert "Traceback" not in capsys.readouterr().err
