"""The case files: test numbers only, no slips, and true to the partners' systems."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from demo.building import Builder
from demo.covenant import build_login, build_users
from demo.events import OpenOccasion
from demo.model import CASES, Case, CaseFileError, load_cases, load_partners
from demo.parts import Someone, parse_span
from demo.systems.fill import fill_sqlite
from tests.party.covenant import now

SYSTEMS = Path(__file__).resolve().parents[2] / "demo" / "systems"


def find_people() -> list[Someone]:
    return [person for case in load_cases() for person in case.people.values()]


def test_every_number_is_a_test_number_of_one_person() -> None:
    numbers = [person.bsn for person in find_people()]
    assert all(number.startswith("99999") for number in numbers)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("number", ["123456782", "999991104", "99999", "999990000"])
def test_a_real_or_wrong_number_is_refused(number: str) -> None:
    with pytest.raises(ValidationError):
        Someone(
            called="A", family_name="B", born=date(2000, 1, 1), bsn=number, age="18+", numbers={}
        )


def test_a_slip_in_a_case_file_is_refused() -> None:
    raw: dict[str, Any] = yaml.safe_load((CASES / "case5.yaml").read_text(encoding="utf-8"))
    raw["logs"][0]["lines"][0]["permited"] = True
    with pytest.raises(ValidationError):
        Case.model_validate(raw)


def test_there_are_seven_cases_with_a_log_of_everybody() -> None:
    cases = load_cases()
    assert [case.number for case in cases] == [1, 2, 3, 4, 5, 6, 7]
    for case in cases:
        assert {log.who for log in case.logs} == set(case.people)


def test_spans_are_read_one_way() -> None:
    assert parse_span("-7d") == timedelta(days=-7)
    assert parse_span("+15s") == timedelta(seconds=15)
    for text in ("7d", "+d", "+1y", "tomorrow", ""):
        with pytest.raises(ValueError, match="span"):
            parse_span(text)


def read_birth(text: str) -> str:
    for form in ("%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d"):
        try:
            return str(datetime.strptime(text, form).date())  # noqa: DTZ007 - a birthday
        except ValueError:
            continue
    raise AssertionError(text)


def test_the_partners_systems_know_the_same_people(tmp_path: Path) -> None:
    held: dict[str, tuple[str, str]] = {}
    for name, query in (
        ("youth_help", "SELECT sofinr, achternaam, gebdat FROM klant"),
        ("social_team", "SELECT bsn, naam, geboren FROM deelnemer"),
        ("debts", "SELECT burgerservicenr, naam, geboren FROM sh_dossier"),
    ):
        fill_sqlite(name, tmp_path / name)
        with sqlite3.connect(tmp_path / name) as connection:
            for bsn, family, birth in connection.execute(query):
                held[f"{name}:{bsn}"] = (family.lower(), read_birth(birth))
        connection.close()
    for one in json.loads((SYSTEMS / "income.json").read_text(encoding="utf-8"))["personen"]:
        held[f"income:{one['bsn']}"] = (
            one["geslachtsnaam"].lower(),
            read_birth(one["geboortedatum"]),
        )
    known = {person.bsn: (person.family_name.lower(), str(person.born)) for person in find_people()}
    assert len(held) == 8
    for key, person in held.items():
        assert known[key.partition(":")[2]] == person


def test_who_represents_somebody_has_a_login_of_their_own() -> None:
    cases = load_cases()
    users = build_users(cases)
    case = cases[3]
    own = users[build_login(case, "mother")]
    for_boy = users[build_login(case, "boy", "mother")]
    assert own["bsn"] == for_boy["bsn"] == case.people["mother"].bsn
    assert "represents" not in own
    assert for_boy["represents"] == {"bsn": case.people["boy"].bsn}


def test_nobody_represents_anybody_whom_no_case_names() -> None:
    users = build_users(load_cases())
    assert {name for name, claims in users.items() if "represents" in claims} == {
        "case1-father-for-child",
        "case2-mother-for-pupil",
        "case4-mother-for-boy",
        "case6-father-for-girl",
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (None, "", "holds no case files"),
        ("case1.yaml", "a: [", "case1.yaml, line 1, column 5: "),
        ("case1.yaml", "number: one", "case1.yaml, number: A whole number is needed"),
        ("case1.yaml", "a: \x00", "case1.yaml is not YAML"),
    ],
)
def test_a_wrong_case_file_is_named(
    tmp_path: Path, name: str | None, text: str, words: str
) -> None:
    if name is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CaseFileError) as caught:
        load_cases(tmp_path)
    assert words in caught.value.detail
    assert str(tmp_path) in caught.value.detail


def test_a_folder_of_cases_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError, match=r"nope is no folder: name one"):
        load_cases(tmp_path / "nope")


def test_a_partner_without_a_right_gets_no_number() -> None:
    case = load_cases()[1]
    entitled = {partner.function for partner in load_partners() if partner.rights}
    builder = Builder(case, lambda function: f"{'0' * 20}:{function}", frozenset(entitled))
    assert "record" in builder.build_ref("pupil", "social-team")
    assert "record" not in builder.build_ref("pupil", "school")
    opening = next(event for event in case.events if isinstance(event, OpenOccasion))
    request = builder.build_opening(opening, opening.by, now())
    assert request.opens.handlers[0].professional == opening.by
