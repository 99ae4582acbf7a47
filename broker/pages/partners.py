"""Who takes part, until when, and which laws let them use the BSN: from the trust list in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.pages.purpose_words import bare
from broker.purposes.naming import Namer
from datwat.protocol.trust import Partner
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/partners"
_SOON: Final = timedelta(days=30)
_USES: Final = {
    "register": mark("to register"),
    "inquire": mark("to ask"),
    "self": mark("for the person's own login"),
}


@dataclass(frozen=True)
class PartnerView:
    """A partner: its function, its covenant's end, its rights, and its purposes."""

    name: str
    function: str
    kind: str
    state: str
    until: datetime
    rights: tuple[str, ...]
    asks: tuple[str, ...]
    gives: tuple[str, ...]
    is_enforcement: bool


class _Partners:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show every partner, whose covenant ends first at the top."""
        await self._desk.roles.require_role(visit, *READERS)
        ground = await self._desk.grounds.fetch()
        namer = Namer(ground.catalogue, ground.texts, visit.speech.code)
        directory = self._desk.read_directory()
        partners = sorted(directory.trust.partners, key=lambda one: (one.covenant_until, one.name))
        context = {
            "partners": [
                build_partner(one, namer, visit, is_closed=one.id in directory.closed)
                for one in partners
            ],
            "seq": directory.trust.seq,
            "until": directory.trust.valid_until,
        }
        return visit.render("partners.html", context)


def build_partner(
    partner: Partner,
    namer: Namer,
    visit: Visit[Officer],
    *,
    is_closed: bool,
) -> PartnerView:
    """Return a partner as a card."""
    function = partner.id.partition(":")[2]
    newest = [one for one in namer.catalogue.list_newest() if one.valid_from <= visit.now]
    kind, word = "done", visit.say(mark("Takes part"))
    if is_closed:
        kind, word = "refused", visit.say(mark("Closed here"))
    elif partner.covenant_until <= visit.now:
        kind, word = "refused", visit.say(mark("Covenant is over"))
    elif partner.covenant_until - visit.now < _SOON:
        kind, word = "warning", visit.say(mark("Covenant ends soon"))
    return PartnerView(
        name=partner.name,
        function=bare(namer.function(function)),
        kind=kind,
        state=word,
        until=partner.covenant_until,
        rights=tuple(
            f"{right.law} ({', '.join(visit.say(_USES[use]) for use in right.uses)})"
            for right in partner.bsn_rights
        ),
        asks=tuple(
            namer.choose(one.title)
            for one in newest
            if any(asker.function == function for asker in one.requesters)
        ),
        gives=tuple(
            namer.choose(one.title)
            for one in newest
            if any(edge.source == function for edge in one.edges)
        ),
        is_enforcement=partner.enforcement,
    )


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get(PATH, _Partners(desk).show),)
