"""The composition of the key holder's process: routes, commands, and what runs beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from datwat.party import clock
from datwat.party.admin import Command, build_admin_listener
from datwat.party.background import start
from datwat.party.database import READ_ONLY, migrate, open_engine
from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.http_out import HttpOut
from datwat.party.metrics import Reading
from datwat.party.metrics_http import build_metrics_listeners, build_metrics_route
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.parts import describe_parts
from datwat.party.serve import Listener
from datwat.party.telemetry import get_logger, name_failure
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.protocol import blinding
from datwat.protocol.messages import EvaluateAnswer, EvaluateObject
from datwat.protocol.rotation import RotationAnswer, RotationObject
from keyholder import quotas
from keyholder.errors import PartnerUnlistedError
from keyholder.evaluation import Evaluator, derive_duty
from keyholder.rotating import Rotations
from keyholder.secrets import load_secrets
from keyholder.settings import KeyHolderSettings
from keyholder.tables import MIGRATIONS
from keyholder.watching import derive_parts, find, read_figures

INFO = ApiInfo(
    title="datwat key holder",
    description="Evaluates blinded points, without learning who is asked for or why.",
)
_PURGE_EVERY = timedelta(minutes=1)
_LONGEST_FIRST_LOAD = 10_000_000

_log = get_logger("keyholder")


class Health(BaseModel):
    """That the process answers."""

    status: Literal["ok"]


def build_operations(
    evaluator: Evaluator, rotations: Rotations, keeper: TrustKeeper
) -> tuple[Operation, ...]:
    """Return the routes, the hot one first."""

    async def evaluate(request: Request) -> Response:
        body = await request.body()
        return build_json_response(await evaluator.answer(body, keeper.directory, clock.now()))

    async def rotation(request: Request) -> Response:
        body = await request.body()
        return build_json_response(await rotations.answer(body, keeper.directory, clock.now()))

    async def health(_request: Request) -> Response:
        return build_json_response(Health(status="ok"))

    return (
        Operation(
            path="/v1/evaluations",
            operation_id="createEvaluation",
            summary="Evaluate blinded points under a one-time key, with a proof and a ticket.",
            endpoint=evaluate,
            answer=EvaluateAnswer,
            message=(EvaluateObject,),
            tag="evaluations",
        ),
        Operation(
            path="/v1/rotations",
            operation_id="createRotationAnswer",
            summary="Tell the broker, sealed, how a rotation of the scalar is.",
            endpoint=rotation,
            answer=RotationAnswer,
            message=(RotationObject,),
            tag="rotations",
        ),
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


def build_commands(
    settings: KeyHolderSettings, engine: Engine, keeper: TrustKeeper, rotations: Rotations
) -> dict[str, Command]:
    """Return what the key holder's staff can do while it runs."""

    async def enable(members: dict[str, Any]) -> dict[str, Any]:
        partner = str(members.get("partner"))
        if partner not in keeper.directory.partners:
            raise PartnerUnlistedError
        first_load = min(max(int(members.get("first_load", 0)), 0), _LONGEST_FIRST_LOAD)
        with engine.begin() as connection:
            quotas.open_partner(connection, partner, first_load, clock.now())
        _log.info("partner_opened", partner=partner, first_load=first_load)
        return {"partner": partner, "open": True, "first_load": first_load}

    async def disable(members: dict[str, Any]) -> dict[str, Any]:
        partner = str(members.get("partner"))
        with engine.begin() as connection:
            was_open = quotas.close_partner(connection, partner)
        _log.info("partner_closed", partner=partner if was_open else None)
        return {"partner": partner, "open": False, "was_open": was_open}

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        found = await asyncio.to_thread(_fetch_status, settings, engine, keeper)
        directory, now = keeper.directory, clock.now()
        found["parts"] += describe_parts([rotations.derive_part(directory, now)])
        return {**found, **rotations.describe(directory, now)}

    commands = {"enable": enable, "disable": disable, "status": status}
    return {**commands, **build_rotate_commands(rotations, keeper)}


def build_rotate_commands(rotations: Rotations, keeper: TrustKeeper) -> dict[str, Command]:
    """Return what rotates the scalar."""

    async def begin(_members: dict[str, Any]) -> dict[str, Any]:
        return await rotations.begin(keeper.directory, clock.now())

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        return rotations.describe(keeper.directory, clock.now())

    async def abort(_members: dict[str, Any]) -> dict[str, Any]:
        return await rotations.abort(keeper.directory, clock.now())

    async def finish(members: dict[str, Any]) -> dict[str, Any]:
        at_once = members.get("at_once") is True
        return await rotations.finish(keeper.directory, clock.now(), at_once=at_once)

    return {
        "rotate_begin": begin,
        "rotate_status": status,
        "rotate_abort": abort,
        "rotate_finish": finish,
    }


def build_api(
    settings: KeyHolderSettings, evaluator: Evaluator, rotations: Rotations, keeper: TrustKeeper
) -> FastAPI:
    """Return the public app."""
    limits = Limits(
        max_body_bytes=settings.max_body_bytes,
        read_timeout=timedelta(seconds=settings.read_timeout_seconds),
        max_requests=settings.max_requests,
    )
    operations = build_operations(evaluator, rotations, keeper)
    return build_app(INFO, operations, limits=limits, on_unknown_key=keeper.ask, is_traced=True)


@asynccontextmanager
async def open_party(settings: KeyHolderSettings) -> AsyncIterator[Sequence[Listener]]:
    """Open everything the key holder needs, in order, and close it in reverse.

    Raises SelfTestError, SecretError, DatabaseError, RatchetError, TrustListError, NotListedError.
    """
    blinding.run_self_test()
    load_secrets(settings.home)
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database)
        stack.callback(engine.dispose)
        await asyncio.to_thread(migrate, engine, MIGRATIONS)
        ratchet = stack.enter_context(open_ratchet(settings))
        http = await stack.enter_async_context(HttpOut())
        keeper = await TrustKeeper.open(settings, ratchet, http)
        rotations = Rotations(settings, engine, clock.now())
        derive_duty(settings.id, rotations.secrets, keeper.directory)
        evaluator = Evaluator(settings.id, engine, rotations, settings.quotas)
        stack.callback(evaluator.close)
        start(stack, keeper.run, evaluator.exchange.own.follow, partial(_purge_for_ever, evaluator))
        api = build_api(settings, evaluator, rotations, keeper)
        commands = build_commands(settings, engine, keeper, rotations)

        def read_all() -> Iterator[Reading]:
            scalar = rotations.derive_part(keeper.directory, clock.now())
            return read_figures(settings, engine, keeper, scalar)

        figures = build_metrics_route(settings, read_all)
        yield (
            Listener("api", api, settings.host, settings.port),
            *build_metrics_listeners(settings, figures),
            build_admin_listener(settings.home, commands, routes=(figures,)),
        )


def _fetch_status(
    settings: KeyHolderSettings, engine: Engine, keeper: TrustKeeper
) -> dict[str, Any]:
    now = clock.now()
    with engine.execution_options(**{READ_ONLY: True}).begin() as connection:
        opened = quotas.fetch_open(connection)
        usage = quotas.fetch_usage(connection, now)
    directory = keeper.directory
    return {
        "id": settings.id,
        "list_seq": directory.trust.seq,
        "list_hash": directory.digest.hex(),
        "list_expired": now > directory.trust.valid_until,
        "parts": describe_parts(derive_parts(find(settings, engine, keeper))),
        "partners": [
            {
                "id": partner.id,
                "open": partner.id in opened,
                "first_load": opened.get(partner.id, 0),
                **{f"{name}_today": usage.get((partner.id, name), 0) for name in settings.quotas},
            }
            for partner in directory.partners.values()
        ],
    }


async def _purge_for_ever(evaluator: Evaluator) -> None:
    while True:
        await asyncio.sleep(_PURGE_EVERY.total_seconds())
        try:
            await asyncio.to_thread(evaluator.purge, clock.now())
        except Exception as error:  # noqa: BLE001 - a failed purge is tried again in a minute
            _log.warning("purge_failed", exception=name_failure(error))
