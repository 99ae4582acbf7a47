"""Which of the records that came back is the one asked for: the same rules for every source.

Rules: the local number must be the one asked for and the BSN that of the client with this number;
two records for one person are refused, unless the declaration says how the newest is known. Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence

from connectors.sources.declaration import ProductRules
from connectors.sources.errors import (
    FieldsDifferError,
    NoRecordError,
    OtherPersonError,
    SourceError,
)
from connectors.sources.values import Reader, Record, read_bsn, read_member, read_number

MAX_RECORDS = 50


def choose_record(
    readers: Sequence[Reader],
    rules: ProductRules,
    paths: Collection[str],
    *,
    number: str,
    bsn: str | None,
) -> Record:
    """Return exactly `paths` of the one record of the client `number`, whose own BSN is `bsn`.

    1. every record is this client's; 2. the newest, if there are several and the declaration says
    how that is known; 3. its fields. Raises SourceError of its own kind for each.
    """
    if not set(paths) <= rules.fields.keys():
        raise FieldsDifferError
    if len(readers) > MAX_RECORDS:
        raise SourceError
    for read in readers:
        _require_person(read, rules, number, bsn)
    read = _choose(readers, rules)
    values = {path: read_member(read, rules.fields[path], path) for path in sorted(paths)}
    return Record(values=values, bsn=bsn)


def _require_person(read: Reader, rules: ProductRules, number: str, bsn: str | None) -> None:
    if not hmac.compare_digest(read_number(read, rules.number).encode(), number.encode()):
        raise OtherPersonError
    found = read_bsn(read, rules.bsn)
    if bsn is not None and rules.bsn is None:
        raise OtherPersonError
    if not hmac.compare_digest((found or "").encode(), (bsn or "").encode()):
        raise OtherPersonError


def _choose(readers: Sequence[Reader], rules: ProductRules) -> Reader:
    if not readers:
        raise NoRecordError
    if len(readers) == 1:
        return readers[0]
    if rules.newest_by is None:
        raise SourceError(place="newest_by")
    moments = [read_member(read, rules.newest_by, "newest_by") for read in readers]
    if any(moment is None for moment in moments) or moments.count(max(moments)) > 1:
        raise SourceError(place="newest_by")
    return readers[moments.index(max(moments))]
