"""Sync: registers, reconfirms and ends by difference with the partner's own system.

Numbered steps; each can be repeated after a crash:
1. what was sent and not answered within ten minutes is sent again, the same bytes;
2. an unfinished run of today is taken up, else a new one begins;
3. a source that yields nothing, or misses over half of what is current, is refused unless allowed:
   more likely a query broke than that so many clients left;
4. every row of the source that this run has not confirmed is registered, by batches;
5. what a sync registered before and the source no longer holds is ended.
A row that fails is counted under its code and holds up no other. A client whose row cannot be read
is never ended, and nobody is where it cannot even be told whose row that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Final

from connectors.client.desk import ClientSource, RowFailure, SourceRow
from connectors.client.identity import require_bsn
from connectors.client.outgoing import Person
from connectors.client.registrations import (
    Batch,
    Key,
    Registrations,
    get_failure_code,
    split_batches,
)
from connectors.client.results import RowResult, SyncState
from connectors.client.runs import RunStore
from connectors.client.store import OwnInvolvement
from connectors.errors import (
    ClientNumberError,
    IdentityMissingError,
    SourceMissingError,
    SyncEndsTooManyError,
    SyncRunningError,
    SyncSourceEmptyError,
)
from datwat.party import clock
from datwat.party.http_out import PeerRefusedError
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol.acts import Professional, Registration
from datwat.protocol.errors import DatwatError
from datwat.protocol.freshness import RESUME_AGE

SendBatch = Callable[[Sequence[Key], Sequence[Person]], Awaitable[list[RowResult]]]
_ACTS: Final = ("register", "end")
_PAUSES: Final = (1.0, 2.0, 5.0)  # seconds
_TAKEN_UP: Final = timedelta(days=1)
_FEW: Final = 20  # involvements; of so few, most may well end on one day
_log = get_logger("sync")


class Sync:
    """One sync at a time, in the background of the running connector."""

    def __init__(self, desk: Registrations, runs: RunStore) -> None:
        """Keep the registrations and the store of runs."""
        self._desk = desk
        self._runs = runs
        self._task: asyncio.Task[None] | None = None

    def start(self, professional: Professional, *, allow_ending: bool = False) -> SyncState:
        """Begin (or take up) a run in the background and return its state.

        `allow_ending` takes a source at its word, however much is missing from it.
        Raises SourceMissingError, SyncRunningError.
        """
        if self._desk.source is None:
            raise SourceMissingError
        if self._task is not None and not self._task.done():
            raise SyncRunningError
        run = self._runs.take_up(clock.now(), _TAKEN_UP)
        source = self._desk.source
        work = partial(self._work, run, professional, source, allow_ending=allow_ending)
        self._task = asyncio.create_task(self._run(run, work))
        return self._runs.require(run)

    def find_state(self) -> SyncState | None:
        """Return how far the newest run is."""
        return self._runs.find_newest()

    async def aclose(self) -> None:
        """Stop; what is unfinished is taken up by the next run."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, run: int, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._work_patiently(work)
        except DatwatError as error:
            code = get_failure_code(error)
            _log.warning("sync_stopped", code=code)
            self._runs.finish(run, "stopped", clock.now(), code)
            return
        except Exception as error:  # noqa: BLE001 - a task's error would vanish without a trace
            _log.error("sync_fault", exception=name_failure(error))
            self._runs.finish(run, "stopped", clock.now(), "internal_error")
            return
        self._runs.finish(run, "finished", clock.now())

    async def _work_patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work; where a peer says that it cannot now, work again: nothing is done twice."""
        for pause in _PAUSES:
            try:
                await work()
            except PeerRefusedError as error:
                if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                _log.info("sync_waits", code=error.peer_code)
                await asyncio.sleep(pause)
            else:
                return
        await work()

    async def _work(
        self, run: int, professional: Professional, source: ClientSource, *, allow_ending: bool
    ) -> None:
        await self._resend(run)
        found = await asyncio.to_thread(lambda: list(source.list_clients()))
        rows = {(row.client, row.kind): row for row in found if isinstance(row, SourceRow)}
        faults = [fault for fault in found if isinstance(fault, RowFailure)]
        self._runs.set_total(run, len(rows) + len(faults))
        for fault in faults:
            self._runs.fail(run, (f"row {fault.row}", ""), fault.code)
        may_end = all(fault.client is not None for fault in faults)
        unread = {fault.client for fault in faults}
        held = self._desk.store.list_involvements()
        if not allow_ending:
            if not found:
                raise SyncSourceEmptyError
            gone = find_gone(held, set(rows), unread) if may_end else []
            require_few(gone, [own for own in held if own.run is not None])
        await self._register(run, professional, rows)
        if may_end:
            await self._end(run, professional, set(rows), unread)

    async def _resend(self, run: int) -> None:
        """Send what has no answer once more; what is refused now is left to the difference."""
        for pending in self._desk.store.list_pending(_ACTS, clock.now() - RESUME_AGE):
            keys = [(client, kind) for client, kind in pending.context["keys"]]
            of_run = pending.context["run"]
            try:
                done = await self._desk.finish(pending.sent, [client for client, _ in keys])
            except PeerRefusedError as error:
                if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                _log.info("resent_refused", code=error.peer_code)
                continue
            if pending.sent.act == "register":
                results = self._desk.take_registrations(done, keys, of_run)
            else:
                results = self._desk.take_endings(done, keys)
            if of_run == run:
                self._count(run, results)

    async def _register(
        self, run: int, professional: Professional, rows: dict[Key, SourceRow]
    ) -> None:
        confirmed = {
            (held.client, held.kind)
            for held in self._desk.store.list_involvements()
            if held.run == run
        }
        todo = [
            (place, row) for place, (key, row) in enumerate(rows.items()) if key not in confirmed
        ]
        handles = self._desk.store.find_handles((row.client for _, row in todo), clock.now())
        ready = []
        for place, row in todo:
            try:
                ready.append((place, row, _build_person(row, handles.get(row.client))))
            except ClientNumberError as error:
                self._runs.fail(run, (f"client {place}", row.kind), error.code)
            except DatwatError as error:
                self._runs.fail(run, (row.client, row.kind), get_failure_code(error))
        for batch in split_batches(ready):
            keys = [(row.client, row.kind) for _, row, _ in batch]
            persons = [person for _, _, person in batch]
            self._count(run, await self._desk.send_registrations(professional, keys, persons, run))

    async def _end(
        self, run: int, professional: Professional, present: set[Key], unread: set[str | None]
    ) -> None:
        held = self._desk.store.list_involvements()
        gone = find_gone(held, present, unread)
        kept = {own.reference for own in held if own not in gone}
        doubles = [own for own in gone if own.reference in kept]
        self._desk.store.forget_involvements((own.client, own.kind) for own in doubles)
        handles = self._desk.store.find_handles((own.client for own in gone), clock.now())
        ready = [
            (place, own, Person(handle=handles[own.client], members=_ending(own.reference)))
            for place, own in enumerate(gone)
            if own.reference not in kept and own.client in handles
        ]
        send = partial(self._desk.send_endings, run=run)
        for batch in split_batches(ready):
            await self._send(run, partial(send, professional), batch)

    async def _send(self, run: int, send: SendBatch, batch: Batch) -> None:
        """Send a batch; one that is refused for its form is halved until the row is found.

        Raises DatwatError for any other failure: the run stops, and can be taken up.
        """
        keys = [(row.client, row.kind) for _, row, _ in batch]
        try:
            results = await send(keys, [person for _, _, person in batch])
        except PeerRefusedError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            if len(batch) == 1:
                self._runs.fail(run, keys[0], error.peer_code)
                return
            middle = len(batch) // 2
            await self._send(run, send, batch[:middle])
            await self._send(run, send, batch[middle:])
        else:
            self._count(run, results)

    def _count(self, run: int, results: list[RowResult]) -> None:
        """Add up what became of a batch; a refusal is counted by its first unmet condition."""
        done = {"register": 0, "reconfirm": 0, "end": 0}
        for row in results:
            if row.result is not None and row.result.weighing.permitted:
                done[row.action] += 1
            else:
                self._runs.fail(run, (row.client, row.kind), _find_code(row))
        self._runs.add(
            run, registered=done["register"], reconfirmed=done["reconfirm"], ended=done["end"]
        )


def find_gone(
    held: Sequence[OwnInvolvement], present: set[Key], unread: set[str | None]
) -> list[OwnInvolvement]:
    """Return what a sync registered before and the source no longer holds."""
    return [
        own
        for own in held
        if own.run is not None
        and own.client not in unread
        and (own.client, own.kind) not in present
    ]


def require_few(gone: Sequence[OwnInvolvement], current: Sequence[OwnInvolvement]) -> None:
    """Raise SyncEndsTooManyError where over half of more than a few would end."""
    if len(current) > _FEW and 2 * len(gone) > len(current):
        raise SyncEndsTooManyError


def _build_person(row: SourceRow, handle: bytes | None) -> Person:
    registers = Registration(
        kind=row.kind,
        contact=row.contact,
        since_at=row.since_at,
        shielded=row.shielded,
        confidential=row.confidential,
    )
    members = {"registers": registers, "identity": row.record.identity}
    if handle is not None:
        return Person(handle=handle, members=members)
    if row.record.bsn is None:
        raise IdentityMissingError
    return Person(bsn=require_bsn(row.client, row.record.bsn), members=members)


def _ending(reference: bytes) -> dict[str, object]:
    return {"involvement": reference, "ends": "ended"}


def _find_code(row: RowResult) -> str:
    if row.result is None:
        return row.failure or "refused"
    unmet = (finding.code for finding in row.result.weighing.findings if not finding.satisfied)
    return next(unmet, "refused")
