"""Which pages residents have: the menu, and the screens in its order.

A screen is a module with `build_routes(site, desk)`; its templates and catalogue lie beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.login import build_options
from connectors.portal.pages import (
    about,
    blocks,
    check,
    consents,
    downloads,
    entry,
    erasing,
    home,
    involved,
    log,
    objections,
    persons,
    questions,
    receipts,
    shield,
    wishes,
)
from connectors.portal.resident import Resident
from connectors.portal.settings import PortalSettings
from datwat.web.assets import load_assets
from datwat.web.i18n import mark
from datwat.web.pages import NavItem, Pages, SiteInfo
from datwat.web.sessions import Cookies, Sessions
from datwat.web.site import Site, list_routes
from datwat.web.theme import load_theme

_HERE: Final = Path(__file__).parent
# Who is involved, and what somebody can say about it.
_SAYING: Final = (involved, wishes, consents, objections, questions, blocks, shield, receipts)
NAV: Final = (
    NavItem("/", mark("Start"), needs_login=False),
    NavItem(
        "/log",
        mark("Who asked"),
        hint=mark("Every question about you: who, why, and what they got."),
    ),
    NavItem(
        "/involved",
        mark("Who is involved"),
        hint=mark("Which organisations help you, and whom you can call there."),
    ),
    NavItem(
        "/wishes",
        mark("What you can say"),
        hint=mark("Ask, say yes or no, and see the answers."),
    ),
    NavItem(
        "/about",
        mark("What this is"),
        needs_login=False,
        hint=mark("How this works, and why organisations ask."),
        in_menu=False,
    ),
    NavItem(
        "/about/rights",
        mark("Your rights"),
        needs_login=False,
        hint=mark("What you may see, and how you can say no."),
        in_menu=False,
    ),
    NavItem(
        "/downloads",
        mark("Download"),
        hint=mark("Your log on paper or as a file, and a copy for your family."),
    ),
    NavItem(
        "/help",
        mark("Help"),
        needs_login=False,
        hint=mark("Whom you can call, also in the night."),
    ),
)


def build_site(settings: PortalSettings) -> Site[Resident]:
    """Return the site of residents, without a route yet; raise ThemeError, PartsMissingError."""
    theme = load_theme(Path(settings.theme) if settings.theme else None)
    info = SiteInfo(
        title=mark("My data"),
        organisation=settings.name,
        nav=NAV,
        is_secure=settings.is_secure,
        exit_url=settings.exit_url,
        form_targets=(build_options(settings).origin,),
    )
    assets = load_assets(theme, check.load_files())
    pages = Pages(info, theme, assets, [_HERE / "templates"], [_HERE / "locale"])
    origin = settings.url.rstrip("/")
    return Site(pages, Sessions(), Cookies(settings.is_secure), origin)


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of every screen, and of the static files."""
    return (
        *home.build_routes(site, desk),
        *log.build_routes(site, desk),
        *entry.build_routes(site, desk),
        *erasing.build_routes(site, desk),
        *downloads.build_routes(site, desk),
        *check.build_routes(site, desk),
        *persons.build_routes(site),
        *list_routes(*(screen.build_routes(site, desk) for screen in _SAYING)),
        *about.build_routes(site),
        *site.pages.assets.build_routes(),
    )
