"""Using the code of another partner: once, to register somebody or to open an occasion.

Rule: a code names one person, for this partner only; which of the two it is used for is chosen
before it is spent; a code that was typed wrong is told before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import Member, OpenOccasion, RedeemIntroduction, RegistrationRow
from connectors.errors import ReferenceTakenError
from connectors.pages.codes import read_code
from connectors.pages.desk import StaffDesk
from connectors.pages.household import AGES, ROLES
from connectors.pages.moments import build_end, build_past, read_date
from connectors.pages.occasion import KINDS
from connectors.pages.own import attempt, derive_path, find_refused, show_refused
from connectors.pages.staff import Staff
from connectors.pages.typed import REACTIONS, read_conversation, read_line
from datwat.party.http_out import PeerRefusedError
from datwat.protocol.acts import Contact, Handler, OccasionStatement
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

_KEPT: Final = "code"
_SPENT: Final = "introduction_unknown"
_NO_USE: Final = mark(
    "This code does not work here: it was used, is over, or is for somebody else."
)


@dataclass(frozen=True)
class Held:
    """A code that was typed, and the own number that its person gets."""

    code: bytes = field(repr=False)
    number: str = field(repr=False)


class _Redeeming:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask for the code and what it is for."""
        return self._show(visit, visit.new_form())

    async def begin(self, visit: Visit[Staff], form: Form) -> Response:
        """Take the code; nothing is sent yet."""
        code = read_code(form.value("code"))
        if code is None:
            sentence = mark("This code is not right. Look at the signs once more.")
            form.refuse("code", visit.say(sentence))
        missing = visit.say(mark("Write your own number of this person."))
        number = read_line(form, visit, "number", missing)
        missing = visit.say(mark("Choose what you use the code for."))
        use = form.choice("use", ("register", "open"), missing=missing)
        if form.errors or code is None:
            return self._show(visit, form)
        visit.session.held.kept[_KEPT] = Held(code, number)
        return visit.redirect(f"/redeem/{use}")

    async def show_register(self, visit: Visit[Staff]) -> Response:
        """Ask which help it is."""
        if self._find(visit) is None:
            return visit.redirect("/redeem")
        return await self._show_register(visit, visit.new_form())

    async def register(self, visit: Visit[Staff], form: Form) -> Response:
        """Register the person by the code."""
        held = self._find(visit)
        if held is None:
            return visit.redirect("/redeem")
        kinds = [kind for kind, _ in await self._list_kinds(visit)]
        kind = form.choice("kind", kinds, missing=visit.say(mark("Choose which help it is.")))
        since = read_date(form, "since", visit, is_past=True)
        missing = visit.say(mark("Write who can be called, by function."))
        role = read_line(form, visit, "role", missing)
        missing = visit.say(mark("Write the number at which you can be called."))
        phone = read_line(form, visit, "phone", missing)
        told = form.choice("told", ("yes", "no"), missing=visit.say(mark("Choose yes or no.")))
        if form.errors or since is None:
            return await self._show_register(visit, form)
        row = RegistrationRow(
            client=held.number,
            kind=kind,
            contact=Contact(role=role, phone=phone),
            since_at=build_past(since, visit.now),
            told_at=visit.now.replace(microsecond=0) if told == "yes" else None,
        )
        request = RedeemIntroduction(
            professional=visit.session.held.professional,
            code=held.code,
            client=held.number,
            registers=row,
        )
        done = await self._redeem(visit, form, request)
        if done is None:
            return await self._show_register(visit, form)
        if isinstance(done, Response):
            return done
        notice = visit.say(mark("It is registered that your organisation is involved."))
        return visit.redirect("/", notice=notice)

    async def show_open(self, visit: Visit[Staff]) -> Response:
        """Ask what the occasion is."""
        if self._find(visit) is None:
            return visit.redirect("/redeem")
        return await self._show_open(visit, visit.new_form())

    async def open(self, visit: Visit[Staff], form: Form) -> Response:
        """Open an occasion by the code."""
        held = self._find(visit)
        if held is None:
            return visit.redirect("/redeem")
        opening = self._read_opening(visit, form, held)
        if opening is None:
            return await self._show_open(visit, form)
        request = RedeemIntroduction(
            professional=visit.session.held.professional,
            code=held.code,
            client=held.number,
            occasion=opening,
        )
        done = await self._redeem(visit, form, request)
        if done is None:
            return await self._show_open(visit, form)
        if isinstance(done, Response):
            return done
        notice = visit.say(mark("The occasion is open. The person sees it in their own log."))
        return visit.redirect(derive_path(opening.occasion), notice=notice)

    async def _redeem(
        self, visit: Visit[Staff], form: Form, request: RedeemIntroduction
    ) -> Response | bool | None:
        """Spend the code: True, a page that says why not, or None with what is wrong noted."""
        try:
            results = await attempt(form, visit, self._desk.service.redeem_introduction(request))
        except ReferenceTakenError:
            form.refuse("occasion", visit.say(mark("This number is in use. Choose another one.")))
            return None
        except PeerRefusedError as error:
            if error.peer_code != _SPENT:
                raise
            form.refuse("code", visit.say(_NO_USE))
            return None
        if results is None:
            return None
        refused = find_refused(results.results)
        if refused is not None:
            words = await self._desk.find_words(visit)
            return show_refused(visit, refused, words, None, "/redeem")
        visit.session.held.kept.pop(_KEPT, None)
        return True

    def _read_opening(self, visit: Visit[Staff], form: Form, held: Held) -> OpenOccasion | None:
        kinds = [kind for kind, _ in KINDS]
        kind = form.choice("kind", kinds, missing=visit.say(mark("Choose what the occasion is.")))
        missing = visit.say(mark("Write your own number of this occasion."))
        number = read_line(form, visit, "occasion", missing)
        missing = visit.say(mark("Write which team works on this."))
        team = read_line(form, visit, "team", missing)
        inform_by = read_date(form, "inform_by", visit, is_optional=kind == "help_request")
        role = form.choice("role", ROLES, missing=visit.say(mark("Choose who this is.")))
        age = form.choice("age", AGES, missing=visit.say(mark("Choose how old this person is.")))
        told = form.choice("told", ("yes", "no"), missing=visit.say(mark("Choose yes or no.")))
        spoken = read_conversation(form, visit) if told == "yes" else None
        if form.errors:
            return None
        professional = visit.session.held.professional
        now = visit.now.replace(microsecond=0)
        opens = {
            "kind": kind,
            "team": team,
            "handlers": (Handler(professional=professional.id, role="coordinator", from_at=now),),
            "inform_by": build_end(inform_by) if inform_by else None,
        }
        member = {
            "client": held.number,
            "role": role,
            "source": "told",
            "age_band": age,
            "told_at": spoken.at if spoken else None,
            "conversation": spoken,
        }
        return OpenOccasion(
            professional=professional,
            occasion=number,
            opens=OccasionStatement.model_validate(opens),
            members=(Member.model_validate(member),),
        )

    def _find(self, visit: Visit[Staff]) -> Held | None:
        held = visit.session.held.kept.get(_KEPT)
        return held if isinstance(held, Held) else None

    async def _list_kinds(self, visit: Visit[Staff]) -> list[tuple[str, str]]:
        """Return the kinds of help that this partner registers, as the bundle says it."""
        words = await self._desk.find_words(visit)
        kinds = words.bundle.view.kinds.items()
        own = [name for name, kind in kinds if self._desk.function in kind.functions]
        return [(name, words.name(name)) for name in sorted(own)]

    def _show(self, visit: Visit[Staff], form: Form) -> Response:
        if form.errors:
            return visit.render_refused("own_redeem.html", {"form": form})
        return visit.render("own_redeem.html", {"form": form})

    async def _show_register(self, visit: Visit[Staff], form: Form) -> Response:
        context = {"form": form, "kinds": await self._list_kinds(visit)}
        if form.errors:
            return visit.render_refused("own_redeem_register.html", context)
        return visit.render("own_redeem_register.html", context)

    async def _show_open(self, visit: Visit[Staff], form: Form) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "kinds": [(kind, words.name(kind), visit.say(hint)) for kind, hint in KINDS],
            "roles": [
                ("", visit.say(mark("Choose …"))),
                *((one, words.name(one)) for one in ROLES),
            ],
            "ages": [(age, visit.say(mark("%(age)s years"), age=age)) for age in AGES],
            "reactions": [(code, words.say(f"reaction_{code}")) for code in REACTIONS],
        }
        if form.errors:
            return visit.render_refused("own_redeem_open.html", context)
        return visit.render("own_redeem_open.html", context)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    screen = _Redeeming(desk)
    return (
        site.get("/redeem", screen.show),
        site.post("/redeem", screen.begin),
        site.get("/redeem/register", screen.show_register),
        site.post("/redeem/register", screen.register),
        site.get("/redeem/open", screen.show_open),
        site.post("/redeem/open", screen.open),
    )
