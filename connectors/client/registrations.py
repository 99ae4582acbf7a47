"""Registering and ending involvements, a result per row.

Rules: a row that cannot be sent (no identity, another person) has its own failure and holds up no
other row; rows go out in messages of at most 1,000 persons and 1 MiB.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from connectors.client.desk import Desk, Done, build_act_result
from connectors.client.outgoing import Draft, Person
from connectors.client.requests import End, EndingRow, Register, RegistrationRow
from connectors.client.results import BatchResults, RowResult
from connectors.errors import ReferenceUnknownError
from datwat.party import clock
from datwat.party.http_out import PeerRefusedError
from datwat.protocol.acts import Professional, Registration
from datwat.protocol.answers import ActPart
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.errors import DatwatError

_MOST_ROWS: Final = 1_000
_MOST_BYTES: Final = 900_000  # of 1 MiB: the rest is the envelope's
_BYTES_BESIDE: Final = 300  # salt, digest, person and base64 around the members of one row

_RowT = TypeVar("_RowT", RegistrationRow, EndingRow)
Key = tuple[str, str]
Batch = list[tuple[int, Any, Person]]
SendRows = Callable[[Professional, Sequence[Key], Sequence[Person]], Awaitable[list[RowResult]]]


class Registrations(Desk):
    """`register` and `end`, and what `sync` makes of them."""

    async def register(self, request: Register) -> BatchResults:
        """Register or reconfirm involvements; a result per row, in order."""
        return await self._do_rows(
            request.rows, request, "register", self._find_registering, self.send_registrations
        )

    async def end(self, request: End) -> BatchResults:
        """End involvements; a result per row, in order."""
        return await self._do_rows(
            request.rows, request, "end", self._find_ending, self.send_endings
        )

    async def _do_rows(
        self,
        rows: Sequence[_RowT],
        request: Register | End,
        action: str,
        find: Callable[[_RowT], Awaitable[Person]],
        send: SendRows,
    ) -> BatchResults:
        results: dict[int, RowResult] = {}
        ready: list[tuple[int, Any, Person]] = []
        for place, row in enumerate(rows):
            try:
                ready.append((place, row, await find(row)))
            except DatwatError as error:
                results[place] = _build_failure(row.client, row.kind, action, error)
        for batch in split_batches(ready):
            sent = await self._send_rows(send, request, action, batch)
            results.update({place: row for (place, _, _), row in zip(batch, sent, strict=True)})
        return BatchResults(rows=tuple(results[place] for place in range(len(rows))))

    async def send_registrations(
        self,
        professional: Professional,
        keys: Sequence[Key],
        persons: Sequence[Person],
        run: int | None = None,
    ) -> list[RowResult]:
        """Send one message of registrations (client, kind) and return a result per row.

        Raises DatwatError where the message as a whole failed.
        """
        draft = Draft("register", persons, self.build_statement(professional))
        context = {"keys": [list(key) for key in keys], "run": run}
        done = await self.carry_out(draft, [client for client, _ in keys], context)
        return self.take_registrations(done, keys, run)

    def take_registrations(
        self, done: Done, keys: Sequence[Key], run: int | None
    ) -> list[RowResult]:
        """Keep the involvements of an answer and return a result per row."""
        kept = []
        results = []
        for (client, kind), person in zip(keys, done.answer.persons, strict=True):
            part = person.part
            if isinstance(part, ActPart) and part.involvement is not None:
                kept.append((client, kind, part.involvement, part.expires_at))
            action = "reconfirm" if person.core is None else "register"
            result = build_act_result(done, client, person)
            results.append(_build_result(client, kind, action, result))
        self.store.keep_involvements(kept, clock.now(), run)
        return results

    async def send_endings(
        self,
        professional: Professional,
        keys: Sequence[Key],
        persons: Sequence[Person],
        run: int | None = None,
    ) -> list[RowResult]:
        """Send one message of endings (client, kind) and return a result per row.

        Raises DatwatError where the message as a whole failed.
        """
        draft = Draft("end", persons, self.build_statement(professional))
        context = {"keys": [list(key) for key in keys], "run": run}
        done = await self.carry_out(draft, [client for client, _ in keys], context)
        return self.take_endings(done, keys)

    def take_endings(self, done: Done, keys: Sequence[Key]) -> list[RowResult]:
        """Forget the involvements that an answer ended and return a result per row."""
        results = []
        ended = []
        for (client, kind), person in zip(keys, done.answer.persons, strict=True):
            if person.part.weighing.permitted:
                ended.append((client, kind))
            result = build_act_result(done, client, person)
            results.append(_build_result(client, kind, "end", result))
        self.store.forget_involvements(ended)
        return results

    async def _send_rows(
        self, send: SendRows, request: Register | End, action: str, batch: Batch
    ) -> list[RowResult]:
        """Send one batch; where the message as a whole failed, each of its rows failed."""
        keys = [(row.client, row.kind) for _, row, _ in batch]
        try:
            return await send(request.professional, keys, [person for _, _, person in batch])
        except DatwatError as error:
            return [_build_failure(client, kind, action, error) for client, kind in keys]

    async def _find_registering(self, row: RegistrationRow) -> Person:
        return (await self.resolve([row], [build_registration(row)]))[0]

    async def _find_ending(self, row: EndingRow) -> Person:
        held = self.store.find_involvement(row.client, row.kind)
        if held is None:
            raise ReferenceUnknownError
        members = {"involvement": held.reference, "ends": row.ends}
        return self.require_known([row.client], [members])[0]


def split_batches(ready: Sequence[tuple[int, Any, Person]]) -> Iterator[Batch]:
    """Yield the rows in messages: not too many persons, not too many bytes, nobody twice.

    A person who is named again (by the same handle or BSN) waits for a later message.
    """
    waiting = list(ready)
    while waiting:
        batch: Batch = []
        later: list[tuple[int, Any, Person]] = []
        named: set[bytes | str | None] = set()
        size = 0
        for item in waiting:
            person = item[2]
            name = person.handle or person.bsn or person.code
            size += estimate_size(person.members)
            is_full = len(batch) == _MOST_ROWS or (batch and size > _MOST_BYTES)
            if is_full or name in named:
                later.append(item)
            else:
                batch.append(item)
                named.add(name)
        yield batch
        waiting = later


def estimate_size(members: Mapping[str, Any]) -> int:
    """Return how many bytes of a message one person takes, rather too many than too few."""
    plain = {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
        for name, value in members.items()
    }
    return len(encode_canonical(plain)) * 4 // 3 + _BYTES_BESIDE


def get_failure_code(error: DatwatError) -> str:
    """Return the code under which a row failed: the peer's own, where a peer refused."""
    return error.peer_code if isinstance(error, PeerRefusedError) else error.code


def build_registration(row: RegistrationRow) -> dict[str, Any]:
    """Return the person members of a registration."""
    registers = Registration(
        kind=row.kind,
        contact=row.contact,
        since_at=row.since_at,
        shielded=row.shielded,
        confidential=row.confidential,
    )
    return {"registers": registers, "identity": row.identity, "told_at": row.told_at}


def _build_result(client: str, kind: str, action: str, result: Any) -> RowResult:  # noqa: ANN401
    return RowResult(client=client, kind=kind, action=action, result=result)


def _build_failure(client: str, kind: str, action: str, error: DatwatError) -> RowResult:
    return RowResult(client=client, kind=kind, action=action, failure=get_failure_code(error))
