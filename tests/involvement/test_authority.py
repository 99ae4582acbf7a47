"""Records of authority: per person, until their end, the newest check first."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from broker.exchange.registers import Registers
from broker.involvement.authority import AuthorityRow
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Authority
from tests.adapters.registers import DAY, NOW, TEAM

STATED = Authority(
    kind="guardian", scope="Voogdij over kind", source="document", checked_at=NOW,
    until_at=NOW + 90 * DAY,
)  # fmt: skip


def test_records_hold_for_one_person_until_their_end(
    conn: Connection, registers: Registers
) -> None:
    person = draw_id()
    old = AuthorityRow.build(STATED, row_id=draw_id(), subject_id=person, recorded_by=TEAM)
    changed = STATED.model_copy(
        update={"kind": "disagreement", "checked_at": NOW + DAY, "until_at": NOW + 9 * DAY}
    )
    new = AuthorityRow.build(changed, row_id=draw_id(), subject_id=person, recorded_by=TEAM)
    for row in (old, new):
        registers.authorities.add(conn, row)
    assert registers.authorities.list_current(conn, person, NOW) == (new, old)
    assert registers.authorities.list_current(conn, draw_id(), NOW) == ()
    end = NOW + 9 * DAY
    last = end - timedelta(seconds=1)
    assert registers.authorities.list_current(conn, person, last) == (new, old)
    assert registers.authorities.list_current(conn, person, end) == (old,)
