"""Decisions and traces for others, put together: tokens, AuthZEN, the log of processing activities.

Rules: a broker without `ldv_target` tells nobody and keeps nothing for it; what is told goes its
own way, which no question waits for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.adapters.decision_log import SqlDecisionLog
from broker.adapters.ldv_delivery import LdvDelivery
from broker.adapters.ldv_outbox import SqlProcessingLog
from broker.adapters.ldv_records import FindActivity, RecordWriter
from broker.adapters.ldv_targets import open_target
from broker.adapters.token_clients import SqlAccess
from broker.api.assertions import ALGORITHMS
from broker.api.authzen import METADATA_PATH, AuthzenDesk
from broker.api.other_table import OTHER_OPERATIONS, list_other_operations
from broker.api.routes import Api
from broker.api.token import TOKEN_PATH, TokenDesk, build_metadata
from broker.settings import BrokerSettings
from broker.wiring import Broker
from datwat.party.http_in import build_json_response
from datwat.party.openapi import Operation
from datwat.party.settings import SecretError, read_secret

SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server"
LDV_TOKEN = "ldv.token"  # noqa: S105 - the name of a file
_SERVICE = "datwat-broker"


@dataclass(frozen=True, slots=True)
class Others:
    """What a running broker has for others."""

    tokens: TokenDesk = field(repr=False)
    authzen: AuthzenDesk
    decisions: SqlDecisionLog
    delivery: LdvDelivery | None
    url: str

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The routes that the OpenAPI document describes."""
        desk = self.authzen
        answers = (self.tokens.answer, desk.answer_one, desk.answer_all)
        return list_other_operations(dict(zip(OTHER_OPERATIONS, answers, strict=True)))

    def build_routes(self) -> list[Route]:
        """Return the two documents that standards place elsewhere."""
        metadata = build_metadata(self.url, ALGORITHMS)

        async def server(_request: Request) -> Response:
            return build_json_response(orjson.dumps(metadata))

        return [
            Route(METADATA_PATH, self.authzen.answer_metadata, methods=["GET"]),
            Route(SERVER_METADATA_PATH, server, methods=["GET"]),
        ]

    async def run(self) -> None:
        """Deliver for ever what the log of processing activities is to be told."""
        if self.delivery is not None:
            await self.delivery.run()

    def build_status(self) -> Mapping[str, Any]:
        """Return what `status` says of it."""
        if self.delivery is None:
            return {"ldv_on": False}
        return {"ldv_on": True, **self.delivery.build_status()}


def open_others(broker: Broker, api: Api, find_activity: FindActivity) -> Others:
    """Return what a broker has for others; raise LdvTargetError, SecretError."""
    rooms, settings = broker.rooms, broker.settings
    url = settings.url.rstrip("/")
    tokens = TokenDesk(
        rooms,
        SqlAccess(),
        api.limiter,
        endpoint=url + TOKEN_PATH,
        restored_at=api.restored_at,
    )
    decisions = SqlDecisionLog(broker.secrets.row_key)
    authzen = AuthzenDesk(
        broker=settings.id,
        url=url,
        rooms=rooms,
        life=api.life,
        tokens=tokens,
        limiter=api.limiter,
        turns=api.turns,
        decisions=decisions,
        read_bundle=lambda: broker.engine.bundle,
    )
    others = Others(tokens, authzen, decisions, _open_delivery(broker, find_activity, url), url)
    broker.read_others = others.build_status
    return others


def _open_delivery(broker: Broker, find_activity: FindActivity, url: str) -> LdvDelivery | None:
    rooms, settings = broker.rooms, broker.settings
    outbox = rooms.processing
    if not isinstance(outbox, SqlProcessingLog):
        return None
    target = open_target(
        settings.ldv_target,
        RecordWriter(url, find_activity, _SERVICE),
        broker.http,
        rooms.clock,
        _find_token(settings),
    )
    return LdvDelivery(
        outbox,
        target,
        rooms.log,
        rooms.reading,
        rooms.clock,
        alarm_seconds=settings.ldv_alarm_seconds,
    )


def _find_token(settings: BrokerSettings) -> str | None:
    """Return the collector's token, if the home has one."""
    if not (settings.home / "secrets" / LDV_TOKEN).exists():
        return None
    try:
        return read_secret(settings.home, LDV_TOKEN).decode("ascii").strip()
    except UnicodeDecodeError:
        raise SecretError(f"The secret {LDV_TOKEN} must be plain text.") from None
