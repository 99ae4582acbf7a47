"""The listener of the officers' pages: its site, its login, its screens; nothing else is on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Final

from starlette.applications import Starlette

from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer, build_entrance
from broker.pages.screens import build_routes, build_site
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.background import start
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.party.serve import Listener
from datwat.web.errors import ErrorPages
from datwat.web.login import Login
from datwat.web.provider import Provider, find_client_secret
from datwat.web.site import Site
from datwat.web.staff import STAFF_SECRET_NAME
from datwat.web.staff_login import build_options

_PURGE_EVERY: Final = timedelta(seconds=20)
_INFO: Final = ApiInfo(title="datwat broker, pages", description="For officers and operators.")


def build_pages(
    settings: BrokerSettings, site: Site[Officer], desk: OfficerDesk, limits: Limits
) -> Starlette:
    """Return the app of the listener; raise SecretError."""
    provider = Provider(
        build_options(settings), find_client_secret(settings.home, STAFF_SECRET_NAME)
    )
    login = Login(site, provider, build_entrance(settings, desk.roles))
    errors = ErrorPages(site)
    app = build_app(_INFO, (), limits=limits, build_refusal=errors.build_refusal, listener="pages")
    app.router.routes.extend((*login.build_routes(), *build_routes(site, desk)))
    errors.install(app)
    return app


def open_pages(
    settings: BrokerSettings,
    build_desk: Callable[[], OfficerDesk],
    limits: Limits,
    stack: AsyncExitStack,
) -> tuple[Listener, ...]:
    """Return the listener of the officers' pages, if the settings have it; closed with `stack`.

    Raises ThemeError, PartsMissingError, SecretError.
    """
    if not settings.has_pages:
        return ()
    site = build_site(settings)
    app = build_pages(settings, site, build_desk(), limits)
    start(stack, partial(_purge_for_ever, site))
    return (Listener("pages", app, settings.pages_host, settings.pages_port),)


async def _purge_for_ever(site: Site[Officer]) -> None:
    while True:
        await asyncio.sleep(_PURGE_EVERY.total_seconds())
        site.purge(clock.now())
