"""One link to one OPA: an evaluation goes out as JSON, a decision comes back.

Rules enforced: one call per person; a deadline of our own; anything but a well-formed decision of
the revision in force is `PolicyUnavailableError`; nothing that opa-python-client raises is shown or
logged, for its text can hold the bearer token. It asks whether OPA is ready; decisions, of which
there is one per person of every question, go over connections of our own (`opa_http.py`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args

from aiohttp import ClientResponse
from opa_client.opa_async import AsyncOpaClient

from broker.adapters.opa_http import OpaHttp
from broker.policy.decision import Decision, EntryPoint, entry_point_of
from broker.policy.engine import (
    Decisions,
    PolicyUnavailableError,
    parse_answer,
    parse_revision,
    require_sound,
)
from broker.policy.evaluation import Evaluation
from datwat.party import metrics

DEADLINE_SECONDS = 0.25
_PERMITTED, _REFUSED, _UNAVAILABLE = (
    metrics.find_counter("datwat_decisions_total", outcome)
    for outcome in ("permitted", "refused", "unavailable")
)
_SECONDS = metrics.find_histogram("datwat_decision_seconds")
AT_ONCE = 16
# Constants: a path is not escaped.
_PATHS: dict[EntryPoint, str] = {
    entry_point: f"/v1/data/datwat/{entry_point}/decision" for entry_point in get_args(EntryPoint)
}


class _Client(AsyncOpaClient):  # type: ignore[misc]  # the library ships no types
    """The client, following no redirect: the token is for one address only."""

    def _request(
        self, method: str, url: str, **kwargs: object
    ) -> AbstractAsyncContextManager[ClientResponse]:
        request: AbstractAsyncContextManager[ClientResponse] = super()._request(
            method, url, allow_redirects=False, **kwargs
        )
        return request


class OpaLink:
    """The way to one OPA; opened once, for as long as that OPA is asked."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        token: str,
        tls: bool = False,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._deadline = deadline
        self._client = _Client(
            host=host, port=port, token=token, ssl=tls, retries=0, timeout=deadline
        )
        self._decisions = OpaHttp(host, port, token=token, tls=tls)
        # One for all messages: what OPA is given at once beyond its cores only waits there, and
        # with several batches it would wait longer than anybody's deadline.
        self._gate = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        """Show nothing: both clients hold the token."""
        return "OpaLink()"

    async def open(self) -> None:
        """Open the client; connections for decisions open as they are needed."""
        await self._client.__aenter__()

    async def close(self) -> None:
        """Close both. Idempotent."""
        self._decisions.close()
        await self._client.close_connection()

    async def is_ready(self) -> bool:
        """Tell whether OPA answers and its bundle is active."""
        return bool(await self._client.check_health(query={"bundles": "true"}))

    async def query(self, entry_point: EntryPoint, document: bytes, revision: str) -> Decision:
        """Return OPA's decision on one input, which is JSON, in time and by this revision.

        Raises PolicyUnavailableError for every other outcome.
        """
        try:
            async with asyncio.timeout(self._deadline):
                body = b'{"input":' + document + b"}"
                answer = await self._decisions.post(_PATHS[entry_point], body)
        except Exception:  # noqa: BLE001 - whatever went wrong, it is no decision
            # `from None` and no log line: no exception of a client is shown.
            raise PolicyUnavailableError from None
        return parse_answer(answer, revision)

    async def read_revision(self) -> str | None:
        """Return the revision that answers here; None where there is none, or no answer in time."""
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._decisions.post(_PATHS["ask"], b'{"input":{}}')
        except Exception:  # noqa: BLE001 - whatever went wrong, nothing is known
            return None
        return parse_revision(answer)

    async def query_document(
        self, entry_point: EntryPoint, document: dict[str, Any], revision: str
    ) -> Decision:
        """Return OPA's decision on any document; raise PolicyUnavailableError as `query` does."""
        try:
            text = json.dumps(document)
        except (TypeError, ValueError):
            raise PolicyUnavailableError from None
        return await self.query(entry_point, text.encode(), revision)

    async def weigh(self, evaluation: Evaluation, revision: str) -> Decision:
        """Return the sound decision on one evaluation; raise PolicyUnavailableError."""
        entry_point, began = entry_point_of(evaluation.act), time.perf_counter()
        try:
            decision = await self.query(entry_point, evaluation.as_json, revision)
            require_sound(evaluation, decision)
        except PolicyUnavailableError:
            _UNAVAILABLE.inc()
            raise
        _SECONDS.observe(time.perf_counter() - began)
        (_PERMITTED if decision.permit else _REFUSED).inc()
        return decision

    async def weigh_all(self, evaluations: Sequence[Evaluation], revision: str) -> Decisions:
        """Return all decisions; the first failure ends them all.

        At most 16 persons of messages about several are asked for at once, whoever sent them; a
        message about one does not wait behind these. The deadline begins when OPA is asked.
        """
        if len(evaluations) == 1:  # without the cost of a task
            return Decisions((await self.weigh(evaluations[0], revision),), revision)

        async def weigh(evaluation: Evaluation) -> Decision:
            async with self._gate:
                return await self.weigh(evaluation, revision)

        return Decisions(tuple(await _run_all([weigh(one) for one in evaluations])), revision)


async def _run_all(calls: Sequence[Coroutine[Any, Any, Decision]]) -> list[Decision]:
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
