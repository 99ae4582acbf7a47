"""Messages that only read, or that end something, outside the life of a question: spent once.

Rule: a message is good for one time, whatever it asks; what is read is read again for the same
bytes, and writes nothing more. Source: protocol.md section 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from broker.audit.records import Appendable, Job
from broker.exchange.acts import Write
from broker.exchange.life import Fresh
from broker.exchange.question import Question
from broker.exchange.recorded import Recorded
from broker.exchange.rooms import Rooms

READ = Recorded("answer", ())


async def spend_message(
    rooms: Rooms,
    question: Question,
    require_fresh: Fresh,
    recorded: Recorded = READ,
    write: Write | None = None,
) -> None:
    """Spend a message and write beside it; a repeated message changes nothing more.

    Raises RidReusedError, MessageExpiredError, MessageAheadError, LogError.
    """
    with rooms.reading() as conn:
        if rooms.ledger.find(conn, question, 0, rooms.clock()) is not None:
            return
    require_fresh()

    def work(conn: Connection) -> Sequence[Appendable]:
        if rooms.ledger.spend(conn, question, 0, recorded) is None and write is not None:
            write(conn)
        return []

    await rooms.log.append(Job(work))
