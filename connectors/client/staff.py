"""Who acts, in one spelling: what the partner's login gives becomes a `StaffId` before it is sent.

Rule: the broker compares ids of staff as they are written (somebody else than who asks decides to
tell later, UAVG 41), so one person has one spelling. What does not fit after case, width and
surrounding spaces are taken off is refused here, by place.
"""

from __future__ import annotations

import json
import re
from typing import Any

from connectors.errors import StaffIdError
from datwat.protocol.values import STAFF_ID_PATTERN, derive_staff_id

_FITS = re.compile(STAFF_ID_PATTERN)
_PEOPLE = ("professional", "decider")
_HOLDERS = ("handlers", "opens", "special_situation", "occasion")


def build_spelled(request: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return a request of the local API as JSON, with each id of staff in its one spelling.

    Members of another kind than documented are left for the model to refuse. Raises StaffIdError.
    """
    return json.dumps(_spell(request, "$")).encode()


def _spell(value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_spell(item, f"{place}[{number}]") for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return {name: _spell_member(name, member, place) for name, member in value.items()}


def _spell_member(name: str, member: Any, place: str) -> Any:  # noqa: ANN401 - JSON
    if name not in _PEOPLE:
        # A name that is not documented comes from outside and is not repeated.
        return _spell(member, f"{place}.{name}" if name in _HOLDERS else place)
    if isinstance(member, str):
        return _require_staff_id(member, f"{place}.{name}")
    if isinstance(member, dict) and isinstance(member.get("id"), str):
        return {**member, "id": _require_staff_id(member["id"], f"{place}.{name}.id")}
    return member


def _require_staff_id(login: str, place: str) -> str:
    spelled = derive_staff_id(login)
    if not _FITS.fullmatch(spelled):
        raise StaffIdError(place=place)
    return spelled
