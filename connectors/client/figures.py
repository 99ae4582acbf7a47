"""The figures of a partner's own use of a month, as the broker counted them.

Rule: they are about nobody, so the message has no parts and no statement; the answer is the
broker's word, fits the message and the month that was asked, and names this partner.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final, Literal

from pydantic import ValidationError

from connectors.client.desk import Desk
from connectors.client.outgoing import Draft
from connectors.client.requests import FetchFigures
from connectors.client.results import Figures
from connectors.client.verification import MAX_ANSWER_BYTES, read_model
from connectors.errors import AnswerFormError, FiguresMonthError, FiguresUncountedError
from datwat.party.errors import PartyError
from datwat.party.http_out import PeerRefusedError
from datwat.party.problems import InputInvalidError
from datwat.protocol.own_figures import OwnFigures, UseFigures

_REFUSALS: Final[dict[str, type[PartyError]]] = {
    "month_unknown": FiguresMonthError,
    "month_uncounted": FiguresUncountedError,
}


class _FiguresAsked(FetchFigures):
    format: Literal["json", "csv"] = "json"


class OwnUse(Desk):
    """What a partner reads of its own use."""

    async def fetch_figures(self, request: FetchFigures) -> Figures:
        """Return the own use of a month that is over; without a month of the last one.

        Raises FiguresMonthError, FiguresUncountedError, AnswerFormError, PeerError.
        """
        extra = {} if request.month is None else {"month": request.month}
        sent = await self.exchange.prepare(Draft("own_figures", (), extra=extra))
        try:
            raw = await self.exchange.deliver(sent)
        except PeerRefusedError as error:
            refusal = _REFUSALS.get(error.peer_code)
            if refusal is None:
                raise
            raise refusal from None
        return read_figures(raw, sent.rid, self.exchange.party_id, request.month)


def read_figures(raw: bytes, rid: bytes, partner: str, month: str | None) -> Figures:
    """Return the broker's answer to message `rid`; raise AnswerFormError unless it fits.

    It is for this partner and of the month that was asked; without one, of any.
    """
    found = read_model(OwnFigures, raw, max_bytes=MAX_ANSWER_BYTES)
    if found.rid != rid or found.partner != partner or month not in (None, found.month):
        raise AnswerFormError
    return Figures(partner=found.partner, month=found.month, rows=found.rows)


def build_figures_csv(figures: Figures) -> str:
    """Return the figures as CSV (RFC 4180), one line per kind of use and purpose."""
    out = io.StringIO(newline="")
    names = tuple(UseFigures.model_fields)
    writer = csv.writer(out)
    writer.writerow(["month", "partner", *names])
    for row in figures.rows:
        members = row.model_dump()
        writer.writerow([figures.month, figures.partner, *(members[name] for name in names)])
    return out.getvalue()


async def answer_figures(use: OwnUse, members: dict[str, Any]) -> dict[str, Any]:
    """Answer the command: `month` or none, and `format` (json, csv); raise InputInvalidError.

    Raises what `OwnUse.fetch_figures` raises.
    """
    try:
        asked = _FiguresAsked.model_validate(members)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None
    found = await use.fetch_figures(asked)
    if asked.format == "csv":
        return {"csv": build_figures_csv(found)}
    return found.model_dump(mode="json")
