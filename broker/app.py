"""The composition of the broker's process: routes, commands, and what runs beside them.

Rules: a round that failed is tried again and never stops the routes; the trust list and the bundle
in force are stated in the log; a command answers in plain members, never anything of a person.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import broker.problems  # noqa: F401 - gives every error of the broker its place in HTTP
from broker.adapters.generation_rows import SqlGenerationNotices
from broker.adapters.opa_files import read_opa_key, read_opa_token
from broker.api.bundle_server import BundleServer, build_bundle_listener
from broker.api.officers import OfficersApi
from broker.api.public_figures import PublicFigures
from broker.api.routes import Wake, build_operations
from broker.api.table import INFO
from broker.api_wiring import (
    build_api,
    build_proof_bundles,
    build_public_log,
)
from broker.audit.generation_notice import GenerationNotice
from broker.audit.payloads import Organisation
from broker.audit.proofs import Proofs, SignedHead
from broker.commands.authoring_commands import build_authoring_commands
from broker.commands.ends_commands import build_ends_commands, build_ends_status
from broker.commands.keys_commands import build_keys_commands
from broker.commands.others_commands import build_others_commands
from broker.commands.oversight_commands import build_oversight_commands
from broker.commands.roles_commands import build_find_holder, build_roles_commands
from broker.commands.said_commands import build_said_commands, count_overdue
from broker.commands.special_commands import build_special_commands
from broker.commands.trial_commands import build_trial_commands
from broker.metering import read_figures
from broker.others_wiring import open_others
from broker.pages.app import open_pages
from broker.pages.desk import OfficerDesk
from broker.pages_wiring import build_desk
from broker.rotating import build_rotating
from broker.settings import BrokerSettings
from broker.sharing_wiring import build_wake, follow_others, gate
from broker.transparency.processing_register import derive_activity_id
from broker.watching import Watch
from broker.wiring import Broker, open_broker
from datwat.party.admin import Command, build_admin_listener
from datwat.party.background import Work, start
from datwat.party.check_page import derive_check_page_hash
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.metrics_http import build_metrics_listeners, build_metrics_route
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.party.serve import Listener
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol import blinding

_OUTBOX_SECONDS = 5.0
_ROUND_SECONDS = 2.0
_SOON_SECONDS = 0.05
_COVER_SECONDS = 5.0
_log = get_logger("broker")


@asynccontextmanager
async def open_party(settings: BrokerSettings) -> AsyncIterator[Sequence[Listener]]:
    """Open everything the broker needs, in order, and close it in reverse.

    Raises SelfTestError, SecretError, DatabaseError, RatchetError, TrustListError, NotListedError,
    PublicationError, BundleError, ThresholdError, OpaMissingError, OpaStartError, LogError.
    """
    blinding.run_self_test()
    async with AsyncExitStack() as stack:
        broker = await open_broker(settings, stack)
        woken, watch = asyncio.Event(), Watch(broker)
        wake = build_wake(broker, woken)
        follow_others(broker, woken.set)
        await broker.following.state_documents()
        broker.read_parts = watch.build_status
        rotating = build_rotating(broker)
        broker.read_rotation = rotating.build_status
        limits = Limits(
            max_body_bytes=settings.max_body_bytes,
            read_timeout=timedelta(seconds=settings.read_timeout_seconds),
            max_requests=settings.max_requests,
        )
        answering = build_api(broker, wake)
        others = open_others(broker, answering, derive_activity_id)
        keep_house = partial(
            broker.sharing.keep_house,
            lambda: _deliver_for_ever(broker, woken),
            lambda: _keep_house(broker),
            broker.authoring.approving.run,
            broker.oversight.months.run,
            lambda: broker.publishing.run_tag_roots(settings.tag_root_seconds),
            build_generation_notice(broker).run,
            lambda: broker.publishing.cosigning.run(settings.witness_seconds),
            others.run,
        )
        start(stack, watch.run, rotating.run, *_list_tasks(broker), keep_house)
        commands, find_holder = build_commands(broker, wake), build_find_holder(broker)
        officers = OfficersApi(commands, find_holder, broker.rooms.clock)
        operations = (
            *build_operations(answering),
            *others.operations,
            *officers.build_operations(),
            *PublicFigures(broker.oversight, broker.rooms.clock).build_operations(),
        )
        api = build_app(
            INFO,
            gate(operations, broker.sharing),
            limits=limits,
            on_unknown_key=broker.keeper.ask,
            is_traced=True,
        )
        api.router.routes.extend(build_public_log(broker).build_routes())
        api.router.routes.extend(others.build_routes())
        figures = build_metrics_route(settings, lambda: read_figures(broker, watch))
        yield (
            Listener("api", api, settings.host, settings.port),
            *build_metrics_listeners(settings, figures),
            build_admin_listener(settings.home, commands, find_holder, routes=(figures,)),
            *build_bundle_listeners(broker),
            *_open_pages(settings, lambda: build_desk(broker, watch), limits, stack),
        )


def _list_tasks(broker: Broker) -> Iterator[Work]:
    """Yield what every process does beside its answers."""
    yield broker.keeper.run
    yield partial(_state_overload, broker)
    yield partial(broker.publishing.cover, _COVER_SECONDS)
    yield broker.following.run
    yield broker.secrets.row_file.follow
    for keys in broker.secrets.own_keys:
        yield keys.follow


def _open_pages(
    settings: BrokerSettings,
    build: Callable[[], OfficerDesk],
    limits: Limits,
    stack: AsyncExitStack,
) -> tuple[Listener, ...]:
    """Return the pages' listener; of several processes the first one has it: it holds sessions."""
    return open_pages(settings, build, limits, stack) if settings.process == 1 else ()


def build_bundle_listeners(broker: Broker) -> tuple[Listener, ...]:
    """Return the listener at which an OPA that others run fetches its bundle, if there is one."""
    home, port = broker.settings.home, broker.settings.bundles_port
    if not port or broker.settings.process != 1:
        return ()
    key, token = read_opa_key(home), read_opa_token(home)
    server = BundleServer(lambda: broker.following.offered, key, token)
    return (build_bundle_listener(server, "127.0.0.1", port),)


def build_generation_notice(broker: Broker) -> GenerationNotice:
    """Return what tells residents that the log was begun anew, if it was."""
    settings = broker.settings
    return GenerationNotice(
        broker.log,
        broker.store,
        SqlGenerationNotices(),
        broker.sealing,
        Organisation(id=settings.id, name=settings.name),
        lambda: broker.engine.retention,
        broker.rooms.clock,
    )


async def _deliver_for_ever(broker: Broker, woken: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), _OUTBOX_SECONDS)
        woken.clear()
        try:
            await broker.outbox.deliver_due()
        except Exception as error:  # noqa: BLE001 - a failed round is tried again
            _log.warning("outbox_round_failed", exception=name_failure(error))


async def _keep_house(broker: Broker) -> None:
    more = False
    while True:
        await asyncio.sleep(_SOON_SECONDS if more else _ROUND_SECONDS)
        try:
            more = await broker.housekeeper.run_round()
        except Exception as error:  # noqa: BLE001 - a failed round is tried again
            _log.warning("housekeeping_failed", exception=name_failure(error))


async def _state_overload(broker: Broker) -> None:
    """State what this very process refused; each of several counts its own."""
    while True:
        await asyncio.sleep(_ROUND_SECONDS)
        try:
            await broker.overload.state_ended(broker.rooms.clock())
        except Exception as error:  # noqa: BLE001 - a failed round is tried again
            _log.warning("housekeeping_failed", exception=name_failure(error))


def build_commands(broker: Broker, wake_outbox: Wake) -> dict[str, Command]:
    """Return what the broker's operators and officers can do while it runs."""

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        return await _build_status(broker)

    async def suspend(members: dict[str, Any]) -> dict[str, Any]:
        partner = str(members.get("partner"))
        await broker.suspensions.suspend(partner)
        return {"partner": partner, "suspended": True}

    async def resume(members: dict[str, Any]) -> dict[str, Any]:
        partner = str(members.get("partner"))
        await broker.suspensions.resume(partner)
        return {"partner": partner, "suspended": False}

    return {
        "status": status,
        "suspend": suspend,
        "resume": resume,
        **build_special_commands(broker, lambda: build_proof_bundles(broker), wake_outbox),
        **build_ends_commands(broker, wake_outbox),
        **build_keys_commands(broker),
        **build_said_commands(broker),
        **build_authoring_commands(broker),
        **build_roles_commands(broker),
        **build_others_commands(broker),
        **build_trial_commands(broker),
        **build_oversight_commands(broker),
    }


def _read_head(proofs: Proofs) -> SignedHead:
    """Return the newest head, or what this process knows: who asks for a status is told of it."""
    try:
        return proofs.read_head()
    except RatchetAwayError:
        return proofs.read_known_head()


async def _build_status(broker: Broker) -> dict[str, Any]:
    now, directory = broker.rooms.clock(), broker.keeper.directory
    waiting, special_overdue = broker.openings.count_waiting()
    head = _read_head(broker.rooms.proofs)
    with broker.rooms.reading() as conn:
        overdue = broker.rooms.registers.contacts.count_overdue(conn, now)
    return {
        "id": broker.settings.id,
        **broker.sharing.build_status(),
        "list_seq": directory.trust.seq,
        "list_expired": now > directory.trust.valid_until,
        **broker.following.build_status(now),
        "policy_ready": await broker.engine.is_ready(),
        "log_origin": broker.settings.log_origin,
        "log_size": head.size,
        "check_page_sha256": derive_check_page_hash(directory.trust),
        **broker.publishing.build_status(),
        "suspended": sorted(directory.closed),
        "special_situations": waiting,
        "special_overdue": special_overdue,
        "contact_requests_overdue": overdue,
        **await asyncio.to_thread(count_overdue, broker),
        "outbox_unreadable": broker.outbox.count_unreadable(),
        **broker.read_others(),
        **broker.read_rotation(),
        **broker.read_parts(),
        **build_ends_status(broker),
    }
