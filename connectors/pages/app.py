"""The listener of the staff's pages: its site, its login, its screens; nothing else is on it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from starlette.applications import Starlette

from connectors.client.service import ClientService
from connectors.pages.desk import StaffDesk
from connectors.pages.drafts import Drafts
from connectors.pages.screens import build_routes, build_site
from connectors.pages.staff import Staff, build_entrance
from connectors.settings import ConnectorSettings
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

# Somebody waits in front of a screen.
_PATIENCE: Final = timedelta(seconds=8)
_PURGE_EVERY: Final = timedelta(seconds=20)
_INFO: Final = ApiInfo(title="datwat connector, pages", description="For the partner's own staff.")


@dataclass(frozen=True)
class StaffPages:
    """The pages of one connector process."""

    site: Site[Staff]
    login: Login[Staff]
    desk: StaffDesk
    drafts: Drafts

    @classmethod
    def build(cls, settings: ConnectorSettings, service: ClientService) -> Self:
        """Return the pages, not yet served; raise ThemeError, PartsMissingError, SecretError."""
        site = build_site(settings)
        provider = Provider(
            build_options(settings), find_client_secret(settings.home, STAFF_SECRET_NAME)
        )
        drafts = Drafts()
        login = Login(site, provider, build_entrance(settings, drafts))
        return cls(site, login, StaffDesk(service, drafts), drafts)

    def build_app(self, limits: Limits) -> Starlette:
        """Return the app of the listener."""
        errors = ErrorPages(self.site)
        app = build_app(
            _INFO, (), limits=limits, build_refusal=errors.build_refusal, listener="pages"
        )
        app.router.routes.extend((*self.login.build_routes(), *build_routes(self.site, self.desk)))
        errors.install(app)
        return app

    async def run(self) -> None:
        """Let go of sessions that came to their end, with all that was asked in them, for ever."""
        while True:
            await asyncio.sleep(_PURGE_EVERY.total_seconds())
            self.site.purge(clock.now())
            self.drafts.purge(clock.now())


def open_pages(
    settings: ConnectorSettings, service: ClientService, limits: Limits, stack: AsyncExitStack
) -> tuple[Listener, ...]:
    """Return the listener of the staff's pages, if the settings have it; closed with `stack`.

    Raises ThemeError, PartsMissingError, SecretError.
    """
    if not settings.has_pages:
        return ()
    pages = StaffPages.build(settings, service.waiting_at_most(_PATIENCE))
    start(stack, pages.run)
    app = pages.build_app(limits)
    return (Listener("pages", app, settings.pages_host, settings.pages_port),)
