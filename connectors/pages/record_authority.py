"""Recording who decides for somebody, that telling waits, and that it was the wrong person.

Rules (domain.md 7, 10, 11): authority is checked, and ends; telling later has a ground, somebody
else who decided, and a term; the wrong person is annulled, and forgotten here.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import (
    DeclareSpecialSituation,
    RecordAuthority,
    ReportWrongPerson,
)
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.moments import build_end, build_past, read_date
from connectors.pages.own import (
    Work,
    attempt,
    build_form,
    build_head,
    go_on,
    list_people,
    read_mate,
    require_work,
)
from connectors.pages.staff import Staff
from connectors.pages.typed import read_line, read_text
from datwat.protocol.acts import Authority, Professional, SpecialSituation
from datwat.protocol.values import STAFF_ID_PATTERN, derive_staff_id
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

AUTHORITIES: Final = (
    "both_parents",
    "one_parent",
    "parent_without",
    "guardian",
    "curator",
    "mentor",
    "disagreement",
)
SOURCES: Final = (
    ("document", mark("I saw a document")),
    ("register", mark("From a register")),
    ("stated", mark("Somebody told me")),
)
GROUNDS: Final = ("child_safety", "adult_safety", "crime_prevention", "rights_of_others")
OPENINGS: Final = ("by_person", "automatic")
_FITS: Final = re.compile(STAFF_ID_PATTERN)


class _Authority:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask who decides for whom."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, build_form(visit))

    async def record(self, visit: Visit[Staff], form: Form) -> Response:
        """Record it."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        authority = _read_authority(visit, form)
        if mate is None or authority is None or form.errors:
            return self._show(visit, work, words, form)
        request = RecordAuthority(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            client=mate.person.number,
            authority=authority,
        )
        results = await attempt(form, visit, self._desk.service.record_authority(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("It is recorded who decides for this person.")
        return go_on(visit, results, work.occasion, words, notice)

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "kinds": [(code, words.name(f"authority_kind_{code}")) for code in AUTHORITIES],
            "sources": [(code, visit.say(text)) for code, text in SOURCES],
        }
        if form.errors:
            return visit.render_refused("own_authority.html", context)
        return visit.render("own_authority.html", context)


class _Later:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask why telling waits, who decided, and until when."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, visit.new_form())

    async def declare(self, visit: Visit[Staff], form: Form) -> Response:
        """Declare it."""
        work, words = await require_work(visit, self._desk)
        situation = _read_situation(visit, form)
        if situation is None or form.errors:
            return self._show(visit, work, words, form)
        request = DeclareSpecialSituation(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            special_situation=situation,
        )
        results = await attempt(form, visit, self._desk.service.declare_special_situation(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("From now on the persons of this occasion are told later.")
        return go_on(visit, results, work.occasion, words, notice)

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "grounds": [(code, words.name(code)) for code in GROUNDS],
            "openings": [(code, words.say(f"opening_{code}")) for code in OPENINGS],
        }
        if form.errors:
            return visit.render_refused("own_later.html", context)
        return visit.render("own_later.html", context)


class _Wrong:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask who it is not."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, build_form(visit))

    async def report(self, visit: Visit[Staff], form: Form) -> Response:
        """Report it, and forget here what was held of them."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        missing = visit.say(mark("Compare the name and date of birth first."))
        form.choice("compared", ("yes",), missing=missing)
        kinds = {code for code, _ in self._list_kinds(words)}
        kind = form.value("kind") if form.value("kind") in kinds else None
        if mate is None or form.errors:
            return self._show(visit, work, words, form)
        request = ReportWrongPerson(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            clients=(mate.person.number,),
            kind=kind,
        )
        results = await attempt(form, visit, self._desk.service.report_wrong_person(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("It is reported. What was asked about this person does not count.")
        return go_on(visit, results, work.occasion, words, notice, then="/own")

    def _list_kinds(self, words: Words) -> list[tuple[str, str]]:
        """Return the kinds of help that this partner registers, as the bundle says it."""
        kinds = words.bundle.view.kinds.items()
        own = [name for name, kind in kinds if self._desk.function in kind.functions]
        return [(name, words.name(name)) for name in sorted(own)]

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        nothing = ("", visit.say(mark("None was registered")))
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "kinds": [nothing, *self._list_kinds(words)],
        }
        if form.errors:
            return visit.render_refused("own_wrong.html", context)
        return visit.render("own_wrong.html", context)


def _read_authority(visit: Visit[Staff], form: Form) -> Authority | None:
    kind = form.choice("kind", AUTHORITIES, missing=visit.say(mark("Choose who decides.")))
    missing = visit.say(mark("Write what they decide about."))
    scope = read_text(form, visit, "scope", missing)
    sources = [code for code, _ in SOURCES]
    source = form.choice("source", sources, missing=visit.say(mark("Choose how you know this.")))
    checked = read_date(form, "checked", visit, is_past=True)
    until = read_date(form, "until", visit)
    if form.errors or checked is None or until is None:
        return None
    return Authority.model_validate(
        {
            "kind": kind,
            "scope": scope,
            "source": source,
            "checked_at": build_past(checked, visit.now),
            "until_at": build_end(until),
        }
    )


def _read_situation(visit: Visit[Staff], form: Form) -> SpecialSituation | None:
    ground = form.choice("ground", GROUNDS, missing=visit.say(mark("Choose why telling waits.")))
    reason = read_text(form, visit, "reason", visit.say(mark("Write why telling waits.")))
    decider = derive_staff_id(form.value("decider"))
    if not _FITS.fullmatch(decider):
        form.refuse("decider", visit.say(mark("Write the name that the colleague logs in with.")))
    missing = visit.say(mark("Write the function of who decided."))
    role = read_line(form, visit, "role", missing)
    until = read_date(form, "until", visit)
    opening = form.choice("opening", OPENINGS, missing=visit.say(mark("Choose how it ends.")))
    if form.errors or until is None:
        return None
    return SpecialSituation.model_validate(
        {
            "ground": ground,
            "decider": Professional(id=decider, role=role),
            "until_at": build_end(until),
            "opening": opening,
            "reason": reason,
        }
    )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    authority, later, wrong = _Authority(desk), _Later(desk), _Wrong(desk)
    return (
        site.get("/own/{occasion}/authority", authority.show),
        site.post("/own/{occasion}/authority", authority.record),
        site.get("/own/{occasion}/later", later.show),
        site.post("/own/{occasion}/later", later.declare),
        site.get("/own/{occasion}/wrong", wrong.show),
        site.post("/own/{occasion}/wrong", wrong.report),
    )
