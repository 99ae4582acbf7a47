"""The counter and the downloads, as people meet them: at a terminal, and at a browser."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest

from demo.covenant import build_login
from demo.resident import Resident, read_pinned_log
from tests.demo.world import World
from tests.parties import START
from tests.portal.log_world import read_form

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
FAMILY = "/downloads/family"
REASON = "Kwam zonder inlog en liet een paspoort zien"
BORN = "17-03-1980"
_SECONDS = 60


class Terminal:
    """A command at a terminal of its own: what is typed, and all that is shown."""

    def __init__(self, *arguments: str) -> None:
        self._mine, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self.shown = ""

    def type(self, question: str, answer: str) -> None:
        """Wait for a question and answer it."""
        self.read_until(question)
        os.write(self._mine, f"{answer}\n".encode())

    def read_until(self, text: str) -> None:
        until = time.monotonic() + _SECONDS
        start = len(self.shown)
        while text not in self.shown[start:]:
            assert time.monotonic() < until, self.shown
            if not self._read():
                message = f"{text!r} was never shown: {self.shown}"
                raise AssertionError(message)

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        os.close(self._mine)
        return self.process.wait(_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._mine], [], [], _SECONDS)
        try:
            piece = os.read(self._mine, 65_536) if ready else b""
        except OSError:  # the other side is closed
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


def work(home: Path, *arguments: str, typed: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Run a desk command and return its exit code and everything that was shown."""
    terminal = Terminal("portal", "desk", *arguments, "--home", str(home), "--json")
    for question, answer in typed:
        terminal.type(question, answer)
    code = terminal.finish()
    return code, terminal.shown


def show(bsn: str, surname: str, born: str = BORN) -> list[tuple[str, str]]:
    """Return what an employee types from a document."""
    return [("BSN", bsn), ("Surname", surname), ("Date of birth", born)]


def read_answer(shown: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown[shown.index("{") :])
    return found


FIRST = ("--by", "M.Jansen", "--role", "baliemedewerker")
SECOND = ("--by", "p.smit", "--role", "teamleider")


def begin(world: World, who: str, *more: str, extra: Sequence[tuple[str, str]] = ()) -> str:
    person = world.cases[1].people[who]
    code, shown = work(
        world.covenant.home("portal"),
        *("begin", *FIRST, "--reason", REASON, *more),
        typed=[*extra, *show(person.bsn, person.family_name)],
    )
    assert code == 0, shown
    assert person.bsn not in shown
    number = read_answer(shown)["number"]
    assert isinstance(number, str)
    return number


def test_two_employees_print_a_log_and_it_is_in_the_log(world: World, tmp_path: Path) -> None:
    world.play(world.cases[1])
    home, person = world.covenant.home("portal"), world.cases[1].people["father"]
    number = begin(world, "father")
    out = tmp_path / "print.pdf"
    code, shown = work(
        home,
        *("confirm", number, *SECOND, "--out", str(out)),
        typed=show(person.bsn, f" {person.family_name.upper()} ", "1980-03-17"),
    )
    assert code == 0, shown
    assert person.bsn not in shown
    answer = read_answer(shown)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pikepdf.open(out) as pdf:
        assert pdf.Root.Lang == "nl"
    with Resident(
        world.covenant.url("portal"),
        build_login(world.cases[1], "father"),
        read_pinned_log(world.covenant.home("trust") / "trust-list.json"),
    ) as resident:
        card = next(one for one in resident.read_log().cards if one.number == answer["entry"])
    assert card.details["helped_by"] == "baliemedewerker, teamleider"
    assert card.details["helped_because"] == REASON
    assert card.details["copy_given"] is True
    assert "afdruk" in card.summary.nl
    assert "jansen" not in card.model_dump_json().casefold()
    # What is done is over: the number opens nothing again.
    code, shown = work(
        home,
        *("confirm", number, *SECOND, "--out", str(tmp_path / "again.pdf")),
        typed=show(person.bsn, person.family_name),
    )
    assert code != 0
    assert "No visit waits" in " ".join(shown.split())
    assert not (tmp_path / "again.pdf").exists()


def test_the_downloads_of_somebody_who_is_logged_in(world: World) -> None:
    world.play(world.cases[1])
    portal, father = world.covenant.url("portal"), build_login(world.cases[1], "father")
    with httpx.Client(trust_env=False, timeout=_SECONDS, base_url=portal) as browser:
        away = browser.get("/login")
        chosen = browser.post(away.headers["location"], data={"sub": father})
        assert browser.get(chosen.headers["location"]).status_code == 303
        made = {}
        for path, what in (("/downloads", "pdf"), ("/downloads", "json"), (FAMILY, "json")):
            form = read_form(browser.get(path).text, path)
            answer = browser.post(path, data={**form, "what": what, "remarks": "Van ons."})
            assert answer.status_code == 200, answer.text
            assert answer.headers["cache-control"] == "no-store"
            made[path, what] = answer.content
    with pikepdf.open(io.BytesIO(made["/downloads", "pdf"])) as pdf:
        assert pdf.Root.MarkInfo.Marked
    data = json.loads(made["/downloads", "json"])
    inquiry = next(one for one in data["log"]["entries"] if one["event"] == "inquire")
    assert inquiry["requester_name"]
    assert data["involvements"]["now"] or data["involvements"]["past"]
    copy = json.loads(made[FAMILY, "json"])
    assert copy["remarks"] == "Van ons."
    assert copy["involvements"]["now"] == data["involvements"]["now"]
    bsn = world.cases[1].people["father"].bsn.encode()
    assert not any(bsn in content for content in made.values())


def test_one_employee_alone_opens_nothing(world: World, tmp_path: Path) -> None:
    number, person = begin(world, "mother"), world.cases[1].people["mother"]
    code, shown = work(
        world.covenant.home("portal"),
        *("confirm", number, *FIRST, "--out", str(tmp_path / "print.pdf")),
        typed=show(person.bsn, person.family_name),
    )
    assert code != 0
    assert "second employee" in " ".join(shown.split())


def test_what_the_second_reads_must_be_the_same(world: World, tmp_path: Path) -> None:
    number, out = begin(world, "mother"), tmp_path / "print.pdf"
    mother, father = (world.cases[1].people[who] for who in ("mother", "father"))
    wrong = [
        show(father.bsn, mother.family_name),
        show(mother.bsn, "Bakker"),
        show(mother.bsn, mother.family_name, "18-03-1980"),
    ]
    for typed in wrong:
        code, shown = work(
            world.covenant.home("portal"),
            *("confirm", number, *SECOND, "--out", str(out)),
            typed=typed,
        )
        assert code != 0
        assert "not what your colleague typed" in " ".join(shown.split())
        assert typed[0][1] not in shown
        assert not out.exists()
    code, shown = work(
        world.covenant.home("portal"),
        *("confirm", number, *SECOND, "--out", str(out)),
        typed=show(mother.bsn, mother.family_name),
    )
    assert code != 0, "three mistakes end it"
    assert "No visit waits" in " ".join(shown.split())


def test_a_number_that_is_no_bsn_is_refused_and_not_repeated(world: World) -> None:
    code, shown = work(
        world.covenant.home("portal"),
        *("begin", *FIRST, "--reason", REASON),
        typed=show("123456789", "Bakkali"),
    )
    assert code != 0
    assert "123456789" not in shown
    assert "eleven-test" in shown


def test_what_is_wrong_is_said_before_a_number_is_asked_for(world: World) -> None:
    home = world.covenant.home("portal")
    for wrong, told in ((("--reason", "pas"), "ten characters"), (
        ("--reason", REASON, "--consents", "explicit"), "--purpose"
    )):  # fmt: skip
        code, shown = work(home, "begin", *FIRST, *wrong, typed=[])
        assert code != 0
        assert told in " ".join(shown.split())
        assert "BSN" not in shown


def test_a_pipe_is_no_terminal(world: World) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", START, "portal", "desk", "begin", *FIRST, "--reason", REASON,
         "--home", str(world.covenant.home("portal"))],
        input=b"999991115\nHaddad\n17-03-1980\n",
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    assert ran.returncode != 0
    assert b"at a terminal" in ran.stderr
    assert b"999991115" not in ran.stderr + ran.stdout


def test_a_question_at_the_counter_waits_for_the_officer(world: World) -> None:
    person = world.cases[1].people["child"]
    number = begin(
        world,
        "child",
        *("--asks", "--no-print"),
        extra=[("Their question", "Wie vroeg dit over mij?")],
    )
    code, shown = work(
        world.covenant.home("portal"),
        *("confirm", number, *SECOND),
        typed=show(person.bsn, person.family_name),
    )
    assert code == 0, shown
    entry = read_answer(shown)["entry"]
    listed = world.command("questions", "list", "--home", str(world.covenant.home("broker")))
    assert entry in [one["number"] for one in listed["questions"]]
