"""The composition of the portal's process: what it opens, its listeners, its commands.

Rule: it has no database, because it keeps nothing about anybody: sessions live in memory, and
what must never go back (list, bundle and log accepted) lies in the ratchet. The policy bundle is
here for its texts: what a resident reads is rendered from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

from connectors.client.exchange import Exchange, LogMemory
from connectors.identity_key import build_signer, open_signing_keys
from connectors.policy import PolicyKeeper
from connectors.portal.api import PortalApi
from connectors.portal.counter_commands import build_counter_commands
from connectors.portal.desk import PATIENCE, ResidentDesk
from connectors.portal.login import build_options
from connectors.portal.pages.screens import build_routes, build_site
from connectors.portal.resident import Resident, build_entrance
from connectors.portal.settings import CLIENT_SECRET_NAME, PortalSettings
from connectors.watching import derive_portal_parts, find_portal, read_portal_figures
from datwat.party import clock
from datwat.party.admin import Command, build_admin_listener
from datwat.party.background import start
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.http_out import HttpOut
from datwat.party.metrics_http import build_metrics_listeners, build_metrics_route
from datwat.party.openapi import ApiInfo
from datwat.party.parts import describe_parts
from datwat.party.serve import Listener
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.protocol import blinding
from datwat.web.errors import ErrorPages
from datwat.web.login import Login
from datwat.web.provider import Provider, find_client_secret
from datwat.web.site import Site

INFO = ApiInfo(
    title="datwat portal",
    description="Residents see their own log, with its proofs, and say what they want.",
)
_PURGE_EVERY: Final = timedelta(minutes=1)


@asynccontextmanager
async def open_party(settings: PortalSettings) -> AsyncIterator[Sequence[Listener]]:
    """Open everything the portal needs, in order, and close it in reverse.

    Raises SelfTestError, SecretError, RatchetError, TrustListError.
    """
    blinding.run_self_test()
    keys = open_signing_keys(settings.home)
    provider = Provider(
        build_options(settings), find_client_secret(settings.home, CLIENT_SECRET_NAME)
    )
    site = build_site(settings)
    async with AsyncExitStack() as stack:
        ratchet = stack.enter_context(open_ratchet(settings))
        http = await stack.enter_async_context(HttpOut())
        keeper = await TrustKeeper.open(settings, ratchet, http)
        key = build_signer(keys, settings.id, lambda: keeper.directory)
        policy = PolicyKeeper(settings.home, lambda: keeper.directory, ratchet, http)
        policy.load()
        memory = LogMemory(ratchet)
        exchange = Exchange(
            party_id=settings.id,
            key=key,
            directory=lambda: keeper.directory,
            http=http,
            memory=memory,
            patience=PATIENCE,
        )
        desk = ResidentDesk(exchange, memory, policy)
        api = PortalApi(site, desk, settings.url)
        login = Login(site, provider, build_entrance(settings, desk))
        start(stack, keeper.run, keys.follow, policy.run, partial(_purge_for_ever, site))
        limits = Limits(
            max_body_bytes=settings.max_body_bytes,
            read_timeout=timedelta(seconds=settings.read_timeout_seconds),
            max_requests=settings.max_requests,
        )
        errors = ErrorPages(site)
        app = build_app(
            INFO, api.build_operations(), limits=limits, build_refusal=errors.build_refusal
        )
        app.router.routes.extend((*login.build_routes(), *build_routes(site, desk)))
        errors.install(app)
        commands = build_commands(settings, keeper, policy, site, desk)
        figures = build_metrics_route(settings, lambda: read_portal_figures(keeper, policy))
        yield (
            Listener("api", app, settings.host, settings.port),
            *build_metrics_listeners(settings, figures),
            build_admin_listener(settings.home, commands, routes=(figures,)),
        )


def build_commands(
    settings: PortalSettings,
    keeper: TrustKeeper,
    policy: PolicyKeeper,
    site: Site[Resident],
    desk: ResidentDesk,
) -> dict[str, Command]:
    """Return what the portal's own administrator, and employees at its counter, can ask."""

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        directory, bundle = keeper.directory, policy.bundle
        now = clock.now()
        site.purge(now)
        return {
            "id": settings.id,
            "listed": settings.id in directory.partners,
            "issuer": settings.issuer,
            "sessions": len(site.sessions),
            "list_seq": directory.trust.seq,
            "list_hash": directory.digest.hex(),
            "list_expired": now > directory.trust.valid_until,
            "policy_revision": bundle.revision if bundle else None,
            "policy_seq": bundle.seq if bundle else None,
            "parts": describe_parts(derive_portal_parts(find_portal(keeper, policy))),
        }

    return {"status": status, **build_counter_commands(site, desk)}


async def _purge_for_ever(site: Site[Resident]) -> None:
    while True:
        await asyncio.sleep(_PURGE_EVERY.total_seconds())
        site.purge(clock.now())
