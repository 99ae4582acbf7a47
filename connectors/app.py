"""The composition of a connector's process: what it opens, its three listeners, its commands.

Rule: the gateway's routes are the broker's and lie on the public listener; the local API is the
partner's own software's and lies on loopback; the admin listener is this machine's. Nothing that is
on one of them can be reached through another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from connectors.client.applications import Applications
from connectors.client.exchange import Exchange, LogMemory
from connectors.client.figures import answer_figures
from connectors.client.held import is_client
from connectors.client.held import list_held as list_held_by_requester
from connectors.client.local_api import Health, build_local_app
from connectors.client.runs import RunStore
from connectors.client.service import ClientService
from connectors.client.store import ClientStore
from connectors.client.sync import Sync
from connectors.ends import Housekeeper
from connectors.errors import ClientUnknownError
from connectors.gateway.coverage import Coverage
from connectors.gateway.evidence import list_held as list_held_by_source
from connectors.gateway.gateway import Gateway, build_gateway_operations
from connectors.identity_key import build_signer, open_signing_keys
from connectors.own_source import OwnSource
from connectors.pages.app import open_pages
from connectors.policy import PolicyKeeper
from connectors.settings import ConnectorSettings
from connectors.sources.checking import Finding, check_declaration, check_queries
from connectors.sources.declaration import load_declaration
from connectors.sources.opening import Sources
from connectors.tables import MIGRATIONS
from connectors.watching import Watched, derive_parts
from datwat.party import clock
from datwat.party.admin import Command, build_admin_listener
from datwat.party.background import start
from datwat.party.database import migrate, open_engine
from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.http_out import HttpOut
from datwat.party.metrics_http import build_metrics_listeners, build_metrics_route
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.parts import describe_parts
from datwat.party.serve import Listener
from datwat.party.settings import read_secret
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.protocol import blinding
from datwat.protocol.acts import Professional
from datwat.protocol.bundle import Bundle
from datwat.protocol.held_entries import HeldEntries
from datwat.protocol.values import derive_function, derive_staff_id, encode_moment

INFO = ApiInfo(
    title="datwat gateway",
    description="Takes orders that were written down, and answers with sealed fields.",
)


@dataclass(frozen=True)
class Connector:
    """Everything that a running connector holds."""

    settings: ConnectorSettings
    engine: Engine
    keeper: TrustKeeper
    policy: PolicyKeeper
    gateway: Gateway
    coverage: Coverage
    housekeeper: Housekeeper
    service: ClientService
    sync: Sync
    applications: Applications

    @property
    def watched(self) -> Watched:
        """What is looked at of it."""
        return Watched(
            self.engine,
            self.keeper,
            self.policy,
            self.gateway,
            self.coverage,
            self.housekeeper,
        )


@asynccontextmanager
async def open_party(settings: ConnectorSettings) -> AsyncIterator[Sequence[Listener]]:
    """Open everything the connector needs, in order, and close it in reverse.

    Raises SelfTestError, SecretError, DatabaseError, RatchetError, TrustListError.
    """
    blinding.run_self_test()
    async with AsyncExitStack() as stack:
        connector = await _open(settings, stack)
        limits = Limits(
            max_body_bytes=settings.max_body_bytes,
            read_timeout=timedelta(seconds=settings.read_timeout_seconds),
            max_requests=settings.max_requests,
        )
        local = build_local_app(connector.service, connector.sync, connector.applications, limits)
        pages = open_pages(settings, connector.service, limits, stack)
        figures = build_metrics_route(settings, connector.watched.read_figures)
        yield (
            Listener(
                "api",
                build_app(
                    INFO,
                    build_operations(connector.gateway),
                    limits=limits,
                    on_unknown_key=connector.keeper.ask,
                    listener="gateway",
                    is_traced=True,
                ),
                settings.host,
                settings.port,
            ),
            Listener("local", local, settings.local_host, settings.local_port),
            *pages,
            *build_metrics_listeners(settings, figures),
            build_admin_listener(settings.home, build_commands(connector), routes=(figures,)),
        )


def build_operations(gateway: Gateway) -> tuple[Operation, ...]:
    """Return the routes of the public listener."""

    async def health(_request: Request) -> Response:
        return build_json_response(Health(status="ok"))

    return (
        *build_gateway_operations(gateway),
        Operation(
            path="/v1/health",
            operation_id="getHealth",
            summary="Tell that the process answers.",
            endpoint=health,
            answer=Health,
            method="GET",
            tag="health",
            statuses=(),
        ),
    )


def build_commands(connector: Connector) -> dict[str, Command]:
    """Return what the partner's own administrator can do while it runs."""

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_build_status, connector)

    async def sync_start(members: dict[str, Any]) -> dict[str, Any]:
        by = Professional(
            id=derive_staff_id(str(members.get("by", "administrator"))), role="administrator"
        )
        allowed = members.get("allow_ending") is True
        return connector.sync.start(by, allow_ending=allowed).model_dump(mode="json")

    async def sync_status(_members: dict[str, Any]) -> dict[str, Any]:
        state = connector.sync.find_state()
        return {"run": state.model_dump(mode="json") if state else None}

    async def token(members: dict[str, Any]) -> dict[str, Any]:
        name = str(members.get("name"))
        return {"name": name, "token": connector.applications.add(name, clock.now())}

    async def revoke(members: dict[str, Any]) -> dict[str, Any]:
        name = str(members.get("name"))
        return {"name": name, "revoked": connector.applications.revoke(name)}

    async def check(_members: dict[str, Any]) -> dict[str, Any]:
        bundle = await connector.policy.require_bundle()
        findings = await asyncio.to_thread(_check, connector.settings, bundle)
        return {"findings": [finding.model_dump(mode="json") for finding in findings]}

    async def entries(members: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_list_entries, connector, str(members.get("person")))

    async def figures(members: dict[str, Any]) -> dict[str, Any]:
        return await answer_figures(connector.service, members)

    async def clear_alarm(members: dict[str, Any]) -> dict[str, Any]:
        number, by = int(members["number"]), str(members["by"])
        await asyncio.to_thread(connector.gateway.clear_alarm, number, by)
        connector.coverage.begin_anew(clock.now())
        return {"cleared": number, "by": by}

    return {
        "status": status,
        "clear_alarm": clear_alarm,
        "check": check,
        "entries": entries,
        "figures": figures,
        "sync_start": sync_start,
        "sync_status": sync_status,
        "token": token,
        "revoke": revoke,
    }


def _list_entries(connector: Connector, number: str) -> dict[str, Any]:
    """Return what this partner holds of the log about a client, as requester and as source.

    Raises ClientUnknownError where there is nothing and nobody has this number. What is told later
    does not make a client known: that would say that there is something.
    """
    origin = connector.keeper.directory.trust.log.origin
    found = [
        *list_held_by_requester(connector.engine, number, origin),
        *list_held_by_source(connector.engine, number, origin),
    ]
    if not found and not is_client(connector.engine, number):
        raise ClientUnknownError
    held = HeldEntries(
        v=1,
        type="held_entries",
        partner=connector.settings.id,
        origin=origin,
        entries=tuple(sorted(found, key=lambda entry: entry.index, reverse=True)),
    )
    return held.model_dump(mode="json")


async def _open(settings: ConnectorSettings, stack: AsyncExitStack) -> Connector:
    keys = open_signing_keys(settings.home)
    engine = open_engine(settings.database)
    stack.callback(engine.dispose)
    await asyncio.to_thread(migrate, engine, MIGRATIONS)
    ratchet = stack.enter_context(open_ratchet(settings))
    http = await stack.enter_async_context(HttpOut())
    keeper = await TrustKeeper.open(settings, ratchet, http)
    key = build_signer(keys, settings.id, lambda: keeper.directory)
    policy = PolicyKeeper(settings.home, lambda: keeper.directory, ratchet, http)
    policy.load()
    exchange = Exchange(
        party_id=settings.id,
        key=key,
        directory=lambda: keeper.directory,
        http=http,
        memory=LogMemory(ratchet),
        patience=timedelta(seconds=settings.patience_seconds),
    )
    sources = Sources.load(settings.home, settings.declaration_paths)
    stack.callback(sources.close)
    own = OwnSource(sources) if sources.has_clients else None
    service = ClientService(exchange, ClientStore(engine), policy, own)
    gateway = Gateway.build(
        own=settings.id,
        key=key,
        directory=lambda: keeper.directory,
        policy=policy,
        engine=engine,
        ratchet=ratchet,
        sources=sources,
        withheld=settings.withheld_path,
    )
    service.contact_book = gateway.contacts
    coverage = Coverage(gateway.memory, ratchet, http, lambda: keeper.directory.trust)
    sync = Sync(service, RunStore(engine))
    stack.push_async_callback(sync.aclose)
    housekeeper = Housekeeper(engine)
    start(stack, keeper.run, keys.follow, policy.run, coverage.run, housekeeper.run)
    return Connector(
        settings=settings,
        engine=engine,
        keeper=keeper,
        policy=policy,
        gateway=gateway,
        coverage=coverage,
        housekeeper=housekeeper,
        service=service,
        sync=sync,
        applications=Applications(engine),
    )


def _check(settings: ConnectorSettings, bundle: Bundle) -> list[Finding]:
    """Hold the declarations, as their files are now, against the bundle and the own database."""
    read = partial(read_secret, settings.home)
    function = derive_function(settings.id)
    findings: list[Finding] = []
    for path in settings.declaration_paths:
        declaration = load_declaration(path)
        findings += check_declaration(declaration, bundle, function=function)
        findings += check_queries(declaration, read)
    return findings


def _build_status(connector: Connector) -> dict[str, Any]:
    directory = connector.keeper.directory
    partner = directory.partners.get(connector.settings.id)
    bundle = connector.policy.bundle
    run = connector.sync.find_state()
    return {
        "id": connector.settings.id,
        "listed": partner is not None,
        "covenant_until": encode_moment(partner.covenant_until) if partner else None,
        "list_seq": directory.trust.seq,
        "list_hash": directory.digest.hex(),
        "list_expired": clock.now() > directory.trust.valid_until,
        "policy_revision": bundle.revision if bundle else None,
        "policy_seq": bundle.seq if bundle else None,
        "applications": connector.applications.list_names(),
        "sync": run.state if run else None,
        "gateway_uncovered_since": _say(connector.coverage.waiting_since),
        **connector.housekeeper.build_status(),
        **{f"gateway_{name}": value for name, value in connector.gateway.build_status().items()},
        "parts": describe_parts(derive_parts(connector.watched.find())),
    }


def _say(moment: datetime | None) -> str | None:
    return encode_moment(moment) if moment else None
