"""What the portal does beside the life of a question: ending a session, and reading one's own.

Rule: neither writes an entry (a resident's own look is no event about the resident), but both spend
their `rid` and are answered in a session that is in force only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from broker.exchange.answers import pad
from broker.exchange.errors import HandleUnknownError
from broker.exchange.life import Fresh
from broker.exchange.question import Question
from broker.exchange.recorded import Person, Recorded, build_answer
from broker.exchange.rooms import Rooms
from broker.exchange.spending import spend_message
from broker.pseudonyms.reference_rows import Target
from datwat.protocol.acts import ByHandle, Page
from datwat.protocol.answers import ActPart, Weighing

_NO_WEIGHING = Weighing(
    permitted=True,
    rung="none",
    open_rung="none",
    findings=(),
    remedies=(),
    alternatives=(),
    obligations=(),
)


@dataclass(frozen=True, slots=True)
class View:
    """Whose log is read, with whose eyes, and which page or which quarters."""

    subject_id: bytes = field(repr=False)
    is_represented: bool
    page: Page
    quarters: tuple[str, ...]


class PortalDesk:
    """Answers what the portal asks about its own sessions."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def end_sessions(self, question: Question, require_fresh: Fresh) -> bytes:
        """End the handles in the message, now, and answer that they are over."""
        handles = [handle for handle, _ in self._find_handles(question, must_hold=False)]
        part = ActPart(type="act", weighing=_NO_WEIGHING, state="ended")
        persons = tuple(Person(pad(part), b"", None, None, b"", "") for _ in question.persons)
        recorded = Recorded("answer", persons)

        def write(conn: Connection) -> None:
            for handle in handles:
                self._rooms.registers.references.end_reference(conn, question.partner.id, handle)

        await spend_message(self._rooms, question, require_fresh, recorded, write)
        receipted = self._rooms.ledger.add_fresh(persons, ())
        return build_answer(
            question.object.rid, self._rooms.proofs.read_head().note, receipted, None
        )

    async def open_view(self, question: Question, require_fresh: Fresh) -> View:
        """Return whose log may be read in this session, and keep the session alive.

        Raises HandleUnknownError for a session that is over or another portal's.
        """
        ((handle, target),) = self._find_handles(question, must_hold=True)
        assert target is not None  # noqa: S101 - it must hold

        def write(conn: Connection) -> None:
            self._rooms.registers.references.touch_session(
                conn, question.partner.id, handle, question.now
            )

        await spend_message(self._rooms, question, require_fresh, write=write)
        person = question.persons[0]
        return View(
            subject_id=target.target,
            is_represented=target.kind == "represented",
            page=person.page or Page(),
            quarters=person.proof.quarters if person.proof else (),
        )

    def _find_handles(
        self, question: Question, *, must_hold: bool
    ) -> list[tuple[bytes, Target | None]]:
        found: list[tuple[bytes, Target | None]] = []
        with self._rooms.reading() as conn:
            for person in question.persons:
                if not isinstance(person.person, ByHandle):
                    raise HandleUnknownError
                handle = person.person.handle
                target = self._rooms.registers.references.find_handle(
                    conn, question.partner.id, handle, question.now
                )
                if must_hold and target is None:
                    raise HandleUnknownError
                found.append((handle, target))
        return found
