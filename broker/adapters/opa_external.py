"""OPA as the policy engine where somebody else runs it, reached by URL.

Rules enforced: decisions by the revision in force only (`opa_link.py`); what is in force here
changes only once that OPA has the new bundle and its cases come out, and never halfway a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from broker.adapters.opa import InForce
from broker.adapters.opa_held import find_held
from broker.adapters.opa_link import DEADLINE_SECONDS, OpaLink
from broker.policy.decision import Decision, EntryPoint
from broker.policy.engine import Decisions, PolicyUnavailableError
from broker.policy.evaluation import Evaluation
from broker.policy.proving import Prove
from datwat.protocol.bundle import Bundle
from datwat.protocol.errors import DatwatError

_PROVING_SECONDS = 5.0
_LOADED_WITHIN = 5.0
_LOADED_INTERVAL = 0.1


class OpaBehindError(DatwatError):
    """The OPA that others run has not taken the bundle yet."""

    code = "opa_behind"
    default_detail = (
        "The OPA at opa_url does not have this bundle yet: see that it takes it from the broker's "
        "bundle server, or give it bundle-opa.tar.gz. Until then the old one stays in force."
    )


class ExternalOpa(InForce):
    """An OPA that somebody else runs; believed only while it runs the revision in force here.

    Its bundle must be named `datwat`; it takes the archive from the broker (`bundle_server.py`), or
    from whoever runs it (`datwat purpose sign --opa-key`).
    """

    def __init__(
        self,
        url: str,
        token: str,
        bundle: Bundle,
        *,
        deadline: float = DEADLINE_SECONDS,
        is_tried: bool,
    ) -> None:
        """`is_tried`: whether the cases of `bundle` came out; before that nobody is answered."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if tls else 8181)

        def build_link(seconds: float) -> OpaLink:
            return OpaLink(host, port, token=token, tls=tls, deadline=seconds)

        self._build_link = build_link
        self._link = build_link(deadline)
        self._bundle = bundle
        self.is_tried = is_tried

    async def __aenter__(self) -> Self:
        await self._link.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._link.close()

    async def is_ready(self) -> bool:
        """Tell whether OPA answers by the revision in force here."""
        return await self.has(self._bundle)

    async def has(self, bundle: Bundle) -> bool:
        """Tell whether OPA answers by this bundle now, whatever is in force here."""
        return await self._link.read_revision() == bundle.revision

    async def prove(self, prove: Prove) -> None:
        """Try the bundle in force; raises OpaBehindError, and what `prove` raises."""
        await self._prove(self._bundle, prove)
        self.is_tried = True

    async def activate(
        self,
        bundle: Bundle,
        prove: Prove | None = None,
        on_active: Callable[[], None] | None = None,
    ) -> None:
        """Put `bundle` in force once OPA has it and `prove` let it pass; until then the old one is.

        While OPA has another bundle than the one in force here, all is denied. Raises
        OpaBehindError where it does not have it within some seconds, and what `prove` raises.
        """
        await self._prove(bundle, prove)
        self._bundle, self.is_tried = bundle, True
        if on_active is not None:
            on_active()

    async def evaluate(self, evaluations: Sequence[Evaluation]) -> Decisions:
        """Return one decision per evaluation; raises PolicyUnavailableError, PolicyChangedError."""
        if not self.is_tried:
            raise PolicyUnavailableError
        revision = self._bundle.revision
        held = find_held()
        if held is not None:
            held.bind(revision)
        return await self._link.weigh_all(evaluations, revision)

    async def query(self, entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
        """Return the decision on any document, as cases have them; no net is held under it."""
        return await self._link.query_document(entry_point, document, self.revision)

    async def _prove(self, bundle: Bundle, prove: Prove | None) -> None:
        link = self._build_link(_PROVING_SECONDS)

        async def query(entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
            return await link.query_document(entry_point, document, bundle.revision)

        await link.open()
        try:
            await _wait_until_loaded(link, bundle)
            if prove is not None:
                await prove(query)
        finally:
            await link.close()


async def _wait_until_loaded(link: OpaLink, bundle: Bundle) -> None:
    try:
        async with asyncio.timeout(_LOADED_WITHIN):
            while await link.read_revision() != bundle.revision:  # noqa: ASYNC110 - OPA tells nobody
                await asyncio.sleep(_LOADED_INTERVAL)
    except TimeoutError:
        raise OpaBehindError from None
