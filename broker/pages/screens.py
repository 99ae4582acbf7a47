"""Which pages officers and operators have: the menu by role, and the screens.

A screen is a module with `build_routes(site, desk)`; its templates and catalogue lie beside it. To
add one: a line in `SCREENS`, and one in `PLACES` where it has a place of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.routing import Route

from broker.pages import (
    answers,
    calendar,
    drafts,
    guards,
    operator,
    oversight,
    oversight_figures,
    oversight_register,
    partners,
    proposals,
    purposes,
    start,
    trial,
)
from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.purposes.roles import REVIEW_READERS, RoleName
from broker.settings import BrokerSettings
from datwat.web.assets import load_assets
from datwat.web.i18n import mark
from datwat.web.pages import NavItem, Pages, SiteInfo
from datwat.web.sessions import Cookies, Sessions
from datwat.web.site import Site
from datwat.web.staff_login import build_options
from datwat.web.theme import load_theme

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """One place of the menu, and the roles that may open it."""

    item: NavItem
    roles: tuple[RoleName, ...] = READERS


PLACES: Final = (
    Place(NavItem("/", mark("Start"), needs_login=False)),
    Place(
        NavItem(
            purposes.PATH,
            mark("Purposes"),
            hint=mark("What may be asked, by whom and what for. Drafts, approval, history."),
        )
    ),
    Place(
        NavItem(
            answers.PATH,
            mark("Answers to residents"),
            hint=mark("What residents wait for, each with its term, what is overdue first."),
        ),
        REVIEW_READERS,
    ),
    Place(
        NavItem(
            oversight.PATH,
            mark("Seeing misuse"),
            hint=mark("Who stands out and why, a random sample, and what was found."),
        ),
        REVIEW_READERS,
    ),
    Place(
        NavItem(
            oversight_figures.PATH,
            mark("Figures"),
            hint=mark("The public figures of a month, and what each organisation used."),
            in_menu=False,
        )
    ),
    Place(
        NavItem(
            oversight_register.PATH,
            mark("Register of processing activities"),
            hint=mark("What is processed, on which ground, for whom, and how long."),
            in_menu=False,
        )
    ),
    Place(
        NavItem(
            calendar.PATH,
            mark("What comes into force"),
            hint=mark("What begins and ends by itself, and the way back."),
            in_menu=False,
        )
    ),
    Place(
        NavItem(
            guards.PATH,
            mark("Guard rails"),
            hint=mark("What no purpose can switch off, by which law, and why."),
            in_menu=False,
        )
    ),
    Place(
        NavItem(
            partners.PATH,
            mark("Who takes part"),
            hint=mark("Partners, their covenants and their rights, with the day they end."),
            in_menu=False,
        )
    ),
    Place(
        NavItem(
            operator.PATH, mark("System"), hint=mark("Of each part how it is, and what to do.")
        ),
        operator.ROLES,
    ),
)
SCREENS: Final[tuple[Callable[[Site[Officer], OfficerDesk], tuple[Route, ...]], ...]] = (
    start.build_routes,
    purposes.build_routes,
    drafts.build_routes,
    trial.build_routes,
    proposals.build_routes,
    answers.build_routes,
    oversight.build_routes,
    oversight_figures.build_routes,
    oversight_register.build_routes,
    calendar.build_routes,
    guards.build_routes,
    partners.build_routes,
    operator.build_routes,
)


def find_nav(officer: Officer) -> tuple[NavItem, ...]:
    """Return the menu of somebody: what their roles may open. Pure."""
    return tuple(place.item for place in PLACES if officer.has(*place.roles))


def build_site(settings: BrokerSettings) -> Site[Officer]:
    """Return the site of officers, without a route yet; raise ThemeError, PartsMissingError."""
    theme = load_theme(Path(settings.theme) if settings.theme else None)
    info = SiteInfo(
        title=mark("Rules and oversight"),
        organisation=settings.name,
        nav=tuple(place.item for place in PLACES),
        is_secure=settings.is_secure,
        exit_url="/",
        is_for_residents=False,
        form_targets=(build_options(settings).origin,),
    )
    pages = Pages(info, theme, load_assets(theme), [_HERE / "templates"], [_HERE / "locale"])
    cookies = Cookies(settings.is_secure, prefix="datwat-broker")
    return Site(pages, Sessions(), cookies, settings.pages_url.rstrip("/"), find_nav)


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of every screen, and of the static files."""
    screens = tuple(route for build in SCREENS for route in build(site, desk))
    return (*screens, *site.pages.assets.build_routes())
