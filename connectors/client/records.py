"""What is recorded about a client: consent, objection, authority, and that it was the wrong person.

Rule: a record is an act with an entry, about one client; *wrong person* annuls at the broker and
makes this connector forget what it held under that client number (domain.md 11).
"""

from __future__ import annotations

from typing import Any

from connectors.client.desk import Desk
from connectors.client.requests import (
    RecordAuthority,
    RecordConsent,
    RecordObjection,
    ReportWrongPerson,
)
from connectors.client.results import ActResults
from datwat.party import clock


class Records(Desk):
    """Records about one client, on an occasion; an objection also without one."""

    async def record_consent(self, request: RecordConsent) -> ActResults:
        """Record an explicit consent or a written no-objection."""
        return await self._record("record_consent", request, {"consent": request.consent})

    async def record_objection(self, request: RecordObjection) -> ActResults:
        """Record an objection that a resident made here."""
        return await self._record("record_objection", request, {"objection": request.objection})

    async def record_authority(self, request: RecordAuthority) -> ActResults:
        """Record who has authority over a client, and how it was checked."""
        return await self._record("record_authority", request, {"authority": request.authority})

    async def report_wrong_person(self, request: ReportWrongPerson) -> ActResults:
        """Say that client numbers stand for somebody else than was looked up; forget them here."""
        statement = self.build_statement(request.professional, request.occasion)
        members = [self._find_wrong(client, request.kind) for client in request.clients]
        results = await self.about("report_wrong_person", request.clients, members, statement)
        for result in results.results:
            if result.weighing.permitted:
                self.store.forget_client(result.client, clock.now())
        return results

    async def _record(
        self,
        act: str,
        request: RecordConsent | RecordObjection | RecordAuthority,
        members: dict[str, Any],
    ) -> ActResults:
        statement = self.build_statement(request.professional, request.occasion)
        return await self.about(act, [request.client], [members], statement)

    def _find_wrong(self, client: str, kind: str | None) -> dict[str, Any]:
        held = self.store.find_involvement(client, kind) if kind else None
        return {"involvement": held.reference} if held else {}
