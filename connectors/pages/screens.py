"""Which pages the staff have: the menu, and the screens in its order.

A screen is a module with `build_routes(site, desk)`; its templates and catalogue lie beside it. To
add one: a line in `SCREENS`, and one in `NAV` where it has a place in the menu.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages import (
    asked,
    contact,
    contacts,
    conversation,
    home,
    household,
    introductions,
    involved,
    known,
    ladder,
    occasion,
    overview,
    person,
    purpose,
    record_authority,
    record_consent,
    redeeming,
    sending,
    team,
    to_tell,
    urgent,
    work_occasion,
)
from connectors.pages.desk import StaffDesk
from connectors.pages.staff import Staff
from connectors.settings import ConnectorSettings
from datwat.web.assets import load_assets
from datwat.web.forms import PLAIN_LIMITS, Form, FormLimits
from datwat.web.i18n import mark
from datwat.web.pages import NavItem, Pages, SiteInfo
from datwat.web.sessions import Cookies, Sessions
from datwat.web.site import Act, Site, Visit
from datwat.web.staff_login import build_options
from datwat.web.theme import load_theme

_HERE: Final = Path(__file__).parent
NAV: Final = (
    NavItem("/", mark("Start"), needs_login=False),
    NavItem("/ask", mark("Ask a question"), hint=mark("First the purpose, then the person.")),
    NavItem(
        "/overview",
        mark("Overview of the client"),
        hint=mark("Put together from what you asked since you logged in. It is kept nowhere."),
    ),
    NavItem("/own", mark("Your occasions")),
    NavItem("/contacts", mark("Calls to make")),
    NavItem("/asked", mark("What you asked")),
)
SCREENS: Final[tuple[Callable[[Site[Staff], StaffDesk], tuple[Route, ...]], ...]] = (
    home.build_routes,
    purpose.build_routes,
    occasion.build_routes,
    household.build_routes,
    person.build_routes,
    ladder.build_routes,
    contact.build_routes,
    involved.build_routes,
    known.build_routes,
    sending.build_routes,
    overview.build_routes,
    work_occasion.build_routes,
    conversation.build_routes,
    team.build_routes,
    introductions.build_routes,
    redeeming.build_routes,
    contacts.build_routes,
    urgent.build_routes,
    asked.build_routes,
    to_tell.build_routes,
    record_consent.build_routes,
    record_authority.build_routes,
)


class StaffSite(Site[Staff]):
    """The site of the staff: a form that is sent again sends the message that waits again."""

    def post(self, path: str, act: Act[Staff], *, limits: FormLimits = PLAIN_LIMITS) -> Route:
        """Return the route of a form, of which what it sends is known by the form's id."""

        async def send(visit: Visit[Staff], form: Form) -> Response:
            with visit.session.held.attempts.sending(form.id, form.values):
                return await act(visit, form)

        return super().post(path, send, limits=limits)


def build_site(settings: ConnectorSettings) -> Site[Staff]:
    """Return the site of the staff, without a route yet; raise ThemeError, PartsMissingError."""
    theme = load_theme(Path(settings.theme) if settings.theme else None)
    info = SiteInfo(
        title=mark("Working together"),
        organisation=settings.name,
        nav=NAV,
        is_secure=settings.is_secure,
        exit_url="/",
        is_for_residents=False,
        form_targets=(build_options(settings).origin,),
    )
    pages = Pages(info, theme, load_assets(theme), [_HERE / "templates"], [_HERE / "locale"])
    cookies = Cookies(settings.is_secure, prefix="datwat-staff")
    return StaffSite(pages, Sessions(), cookies, settings.pages_url.rstrip("/"))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of every screen, and of the static files."""
    screens = tuple(route for build in SCREENS for route in build(site, desk))
    return (*screens, *site.pages.assets.build_routes())
