"""Who the staff's own provider lets in: a function at this very partner, an id in one spelling."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.client.requests import BsnRecord
from connectors.client.results import ReleaseResult, ShownPointer
from connectors.pages.drafts import Drafts
from connectors.pages.question import Person, Wanted
from connectors.pages.staff import Staff, build_entrance, read_professional
from connectors.settings import ConnectorSettings
from datwat.party.problems import NotFoundError
from datwat.party.settings import SettingsError, load_settings, write_settings
from datwat.protocol.acts import Contact
from datwat.protocol.answers import Weighing
from datwat.protocol.catalogue import EdgeView
from datwat.web.problems import LoginRefusedError
from datwat.web.sessions import Sessions
from datwat.web.staff_login import build_options

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ID = "00000099000000001000:social-team"
PAGES: dict[str, str] = {
    "pages_url": "http://127.0.0.1:8095/",
    "staff_issuer": "https://staff.example",
    "staff_client_id": "team",
    "staff_role_claim": "social-team/role",
}


def load(home: Path, **values: str) -> ConnectorSettings:
    write_settings(home, {"party": "connector", "id": ID, "name": "Team", "url": "", **values})
    return load_settings(ConnectorSettings, home)


@pytest.fixture
def settings(tmp_path: Path) -> ConnectorSettings:
    return load(tmp_path / "home", **PAGES)


def test_a_function_at_this_partner_lets_in(settings: ConnectorSettings) -> None:
    found = read_professional({"sub": " Noor ", "social-team/role": " regisseur "}, settings)
    assert (found.id, found.role) == ("noor", "regisseur")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "noor"},
        {"sub": "noor", "school/role": "leerkracht"},
        {"sub": "noor", "social-team/role": "  "},
        {"sub": "noor", "social-team/role": ["regisseur"]},
        {"sub": "noor", "social-team/role": "x" * 201},
        {"sub": "noor", "social-team/role": "regis\nseur"},
        {"sub": "<script>", "social-team/role": "regisseur"},
        {"sub": "x" * 65, "social-team/role": "regisseur"},
        {"sub": 7, "social-team/role": "regisseur"},
        {"social-team/role": "regisseur"},
    ],
)
def test_whoever_has_none_stays_out(settings: ConnectorSettings, claims: dict[str, Any]) -> None:
    with pytest.raises(LoginRefusedError):
        read_professional(claims, settings)


def test_the_staff_have_a_provider_of_their_own(settings: ConnectorSettings) -> None:
    options = build_options(settings)
    assert options.issuer == "https://staff.example"
    assert options.callback_url == "http://127.0.0.1:8095/login/callback"


@pytest.mark.parametrize("left_out", ["pages_url", "staff_issuer", "staff_client_id"])
def test_half_of_the_settings_is_refused_by_name(tmp_path: Path, left_out: str) -> None:
    with pytest.raises(SettingsError, match="pages_url, staff_issuer, staff_client_id"):
        load(
            tmp_path / "home", **{name: value for name, value in PAGES.items() if name != left_out}
        )


def test_without_them_there_are_no_pages(tmp_path: Path) -> None:
    assert not load(tmp_path / "home").has_pages


async def test_what_was_released_goes_with_the_session(settings: ConnectorSettings) -> None:
    drafts, sessions = Drafts(), Sessions[Staff]()
    enter, leave = build_entrance(settings, drafts).enter, build_entrance(settings, drafts).leave
    staff, who = await enter({"sub": "noor", "social-team/role": "r"}, NOW)
    token = sessions.open(staff, who, NOW)
    question = staff.begin("coordinate_family_help")
    question.want(build_wanted(result=build_released()))
    released = weakref.ref(question.wanted[1].result)
    del question
    await leave(staff)
    sessions.end(token)
    del staff
    gc.collect()
    assert released() is None


async def test_what_was_filled_in_waits_without_answer_and_bsn(settings: ConnectorSettings) -> None:
    drafts = Drafts()
    enter = build_entrance(settings, drafts).enter
    claims = {"sub": "noor", "social-team/role": "r"}
    staff, _ = await enter(claims, NOW)
    question = staff.begin("coordinate_family_help")
    record = BsnRecord(bsn="999990019", family_name="Vis", birth_date=date(1980, 1, 2))
    question.persons = [Person("N-1", "Vis", record=record)]
    question.want(build_wanted(result=build_released()))
    asked = question.want(build_wanted(fields=("status",)))
    released = weakref.ref(question.wanted[1].result)
    del question, staff
    other, _ = await enter(claims, NOW + timedelta(minutes=1))
    assert not other.questions, "a session that has not ended keeps its own"
    later = NOW + timedelta(minutes=17)
    drafts.purge(later)
    gc.collect()
    assert released() is None
    back, _ = await enter(claims, later)
    assert back.questions == {}, "the newest session had nothing"
    begun = back.begin("coordinate_family_help")
    begun.persons = [Person("N-1", "Vis", record=record)]
    begun.want(build_wanted(fields=("status",)))
    again, _ = await enter(claims, later + timedelta(minutes=20))
    [waits] = again.questions.values()
    assert waits.number == begun.number
    [person] = waits.persons
    assert person.record is None
    assert person.needs_record
    assert waits.wanted[1].fields == ("status",)
    assert "010 555" not in repr(waits.wanted[1].pointer.contact)
    assert asked == 2
    gone, _ = await enter(claims, later + timedelta(minutes=60))
    assert not gone.questions


def build_wanted(**members: Any) -> Wanted:  # noqa: ANN401 - of the dataclass
    shown = ShownPointer(
        pointer=1,
        rung="dat",
        contact=Contact(role="Desk", phone="010 555 01 10"),
        domain=None,
        source=ID,
        source_name="Team",
        kind="youth_help",
        since_at=None,
        as_of=None,
    )
    edge = EdgeView(
        source="youth-help",
        requester="social-team",
        product="jeugdhulp",
        giver_article="a",
        taker_article="b",
        mode="may",
        fields=(),
    )
    return Wanted(shown, Person("N-1"), edge, **members)


def build_released() -> ReleaseResult:
    weighing = Weighing(
        permitted=True,
        rung="wat",
        open_rung="wat",
        findings=(),
        remedies=(),
        alternatives=(),
        obligations=(),
    )
    return ReleaseResult(
        client="N-1",
        weighing=weighing,
        entry=None,
        rid=bytes(16),
        fields=("contact",),
        withheld=(),
        legal_basis=None,
        values={"contact": "P. Vos"},
        failure=None,
        identity_checked=False,
    )


def test_a_session_finds_its_own_questions_only(settings: ConnectorSettings) -> None:
    professional = read_professional({"sub": "noor", "social-team/role": "r"}, settings)
    mine, other = Staff(professional), Staff(professional)
    number = mine.begin("coordinate_family_help").number
    # What waits at an address of one session waits at no question of another.
    assert other.begin("coordinate_family_help").number != number
    assert mine.require(number).purpose == "coordinate_family_help"
    with pytest.raises(NotFoundError):
        other.require(number)
    mine.forget()
    with pytest.raises(NotFoundError):
        mine.require(number)
