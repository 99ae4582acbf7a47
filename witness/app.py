"""The composition of the witness's process: routes, commands, and what runs beside them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.party import clock
from datwat.party.admin import Command, CommandRefusedError, build_admin_listener
from datwat.party.background import start
from datwat.party.check_page import derive_check_page_hash
from datwat.party.database import migrate, open_engine
from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.http_out import HttpOut
from datwat.party.metrics_http import build_metrics_listeners, build_metrics_route
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.parts import describe_parts
from datwat.party.problems import NotFoundError, build_problem_response
from datwat.party.serve import Listener
from datwat.party.telemetry import get_logger
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.protocol.cosigning import (
    ADD_CHECKPOINT_PATH,
    MAX_REQUEST_BYTES,
    SIZE_MEDIA_TYPE,
    CosigningSizeError,
    build_size_answer,
    derive_origin_hash,
)
from datwat.protocol.tiles import CHECKPOINT_MEDIA_TYPE
from datwat.protocol.trust import TrustList
from witness.cosign import Cosigner
from witness.held import clear_alarm, fetch_alarms, find_vouched
from witness.own_key import open_keys
from witness.settings import WitnessSettings
from witness.source import HttpSource, Source
from witness.tables import MIGRATIONS
from witness.watching import derive_parts, find, read_figures

LOG_PATH = "/v1/log"

_BY = re.compile(r"[^\s\x00-\x1f][^\x00-\x1f]{0,63}")
_log = get_logger("witness")

INFO = ApiInfo(
    title="datwat witness",
    description="Follows the log from outside, and vouches for what it has followed. Checkpoints "
    "are taken as C2SP tlog-witness says, which is not part of this document.",
)


class Health(BaseModel):
    """That the process answers, whether an alarm stands, and what it vouched for last."""

    status: Literal["ok", "alarm"]
    vouched_size: int
    vouched_seconds_ago: int | None


def build_operations(
    cosigner: Cosigner, engine: Engine, keeper: TrustKeeper
) -> tuple[Operation, ...]:
    """Return the routes that the OpenAPI document describes."""

    async def health(_request: Request) -> Response:
        origin = keeper.directory.trust.log.origin
        alarms = await asyncio.to_thread(fetch_alarms, engine)
        found = await asyncio.to_thread(find_vouched, engine, origin)
        return build_json_response(
            Health(
                status="alarm" if alarms else "ok",
                vouched_size=cosigner.read_vouched(origin).size,
                vouched_seconds_ago=int(clock.now().timestamp()) - found[2] if found else None,
            )
        )

    return (
        Operation(
            path="/v1/health",
            operation_id="getHealth",
            summary="Tell that the process answers, and what it vouched for last.",
            endpoint=health,
            answer=Health,
            method="GET",
            tag="health",
            statuses=(),
        ),
    )


def build_witness_routes(cosigner: Cosigner, engine: Engine, keeper: TrustKeeper) -> list[Route]:
    """Return the routes of C2SP tlog-witness."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            lines = await cosigner.answer(await request.body(), keeper.directory)
        except CosigningSizeError as error:
            # As a header: Starlette would add a charset, which the specification does not have.
            headers = {"content-type": SIZE_MEDIA_TYPE}
            return Response(build_size_answer(error.size), HTTPStatus.CONFLICT, headers)
        return Response(lines, media_type=CHECKPOINT_MEDIA_TYPE)

    async def checkpoint(request: Request) -> Response:
        origin = keeper.directory.trust.log.origin
        found = None
        if request.path_params["origin_hash"] == derive_origin_hash(origin):
            found = await asyncio.to_thread(find_vouched, engine, origin)
        if found is None:
            return build_problem_response(NotFoundError())
        return Response(found[1], media_type=CHECKPOINT_MEDIA_TYPE)

    return [
        Route(ADD_CHECKPOINT_PATH, add_checkpoint, methods=["POST"]),
        Route("/{origin_hash}/checkpoint", checkpoint, methods=["GET"]),
    ]


def build_commands(
    settings: WitnessSettings, cosigner: Cosigner, engine: Engine, keeper: TrustKeeper
) -> dict[str, Command]:
    """Return what the witness's operator can do while it runs."""

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_fetch_status, settings, cosigner, engine, keeper)

    async def clear(members: dict[str, Any]) -> dict[str, Any]:
        number, by = int(members.get("number", 0)), str(members.get("by", ""))
        if not _BY.fullmatch(by):
            raise CommandRefusedError("Say who looked at it: a name of at most 64 characters.")
        if not await asyncio.to_thread(clear_alarm, engine, number, by, clock.now()):
            raise CommandRefusedError("No alarm of this number stands: `status` lists them.")
        _log.warning("alarm_cleared", number=number)
        return {"cleared": number}

    return {"status": status, "clear_alarm": clear}


def build_api(
    settings: WitnessSettings, cosigner: Cosigner, engine: Engine, keeper: TrustKeeper
) -> FastAPI:
    """Return the public app."""
    limits = Limits(
        max_body_bytes=min(settings.max_body_bytes, MAX_REQUEST_BYTES),
        read_timeout=timedelta(seconds=settings.read_timeout_seconds),
        max_requests=settings.max_requests,
    )
    app = build_app(INFO, build_operations(cosigner, engine, keeper), limits=limits)
    app.router.routes += build_witness_routes(cosigner, engine, keeper)
    return app


@asynccontextmanager
async def open_party(settings: WitnessSettings) -> AsyncIterator[Sequence[Listener]]:
    """Open everything the witness needs, in order, and close it in reverse.

    Raises SecretError, DatabaseError, RatchetError, TrustListError, NotAWitnessError,
    StateBehindError.
    """
    keys = open_keys(settings.home)
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database)
        stack.callback(engine.dispose)
        await asyncio.to_thread(migrate, engine, MIGRATIONS)
        ratchet = stack.enter_context(open_ratchet(settings))
        http = await stack.enter_async_context(HttpOut())
        keeper = await TrustKeeper.open(settings, ratchet, http)
        cosigner = Cosigner(
            settings.name,
            keys,
            engine=engine,
            ratchet=ratchet,
            open_source=partial(_open_source, settings, http),
            follow_seconds=settings.follow_seconds,
        )
        await cosigner.open(keeper.directory)
        stack.push_async_callback(cosigner.aclose)
        start(stack, keeper.run, keys.follow)
        commands = build_commands(settings, cosigner, engine, keeper)
        figures = build_metrics_route(settings, lambda: read_figures(cosigner, engine, keeper))
        yield (
            Listener(
                "api",
                build_api(settings, cosigner, engine, keeper),
                settings.host,
                settings.port,
            ),
            *build_metrics_listeners(settings, figures),
            build_admin_listener(settings.home, commands, routes=(figures,)),
        )


def _open_source(settings: WitnessSettings, http: HttpOut, trust: TrustList) -> Source:
    prefix = settings.log_url or trust.broker.url.rstrip("/") + LOG_PATH
    return HttpSource(http, prefix, settings.fetch_seconds)


def _fetch_status(
    settings: WitnessSettings, cosigner: Cosigner, engine: Engine, keeper: TrustKeeper
) -> dict[str, Any]:
    directory = keeper.directory
    origin = directory.trust.log.origin
    found = find_vouched(engine, origin)
    held = cosigner.held
    refusal = cosigner.last_refusal
    return {
        "name": settings.name,
        "list_seq": directory.trust.seq,
        "list_hash": directory.digest.hex(),
        "list_expired": clock.now() > directory.trust.valid_until,
        "check_page_sha256": derive_check_page_hash(directory.trust),
        "log": origin,
        "followed_size": held.edge.size if held else 0,
        "tag_roots": held.roots if held else 0,
        "counted_up_to": held.covered if held else 0,
        "vouched_size": cosigner.read_vouched(origin).size,
        "vouched_seconds_ago": int(clock.now().timestamp()) - found[2] if found else None,
        "last_refusal": refusal.code if refusal else None,
        "last_refusal_at": refusal.at.isoformat(timespec="seconds") if refusal else None,
        "alarms": [alarm._asdict() for alarm in fetch_alarms(engine)],
        "parts": describe_parts(derive_parts(find(cosigner, engine, keeper))),
    }
