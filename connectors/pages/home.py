"""The first page: the way in; for who is logged in, their own occasions and questions."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk
from connectors.pages.own import derive_path
from connectors.pages.staff import Staff
from datwat.web.site import Site, Visit


@dataclass(frozen=True)
class QuestionView:
    """A question of this session, in a list."""

    path: str
    purpose: str
    persons: str
    answers: int


@dataclass(frozen=True)
class OccasionView:
    """An open occasion of somebody's own, in a list."""

    path: str
    number: str
    kind: str
    team: str
    role: str
    members: str


class _Home:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show the way in, or the own work."""
        if visit.found is None:
            return visit.render("welcome.html")
        staff, words = visit.session.held, await self._desk.find_words(visit)
        occasions = [
            OccasionView(
                path=derive_path(one.number),
                number=one.number,
                kind=words.name(one.kind),
                team=one.team,
                role=words.say(one.role),
                members=", ".join(one.members),
            )
            for one in self._desk.list_occasions(staff, visit.now)
        ]
        questions = [
            QuestionView(
                path=f"{one.path}/ladder" if one.persons else f"{one.path}/occasion",
                purpose=words.title(one.purpose),
                persons=", ".join(person.called for person in one.persons),
                answers=len(one.shown) + sum(w.result is not None for w in one.wanted.values()),
            )
            for one in reversed(staff.questions.values())
        ]
        context = {
            "role": staff.professional.role,
            "occasions": occasions,
            "questions": questions,
            "calls": len(self._desk.service.list_contacts().contacts),
        }
        return visit.render("home.html", context)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get("/", _Home(desk).show, needs_login=False),)
