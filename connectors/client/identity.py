"""Be sure the number fits the person, before a BSN is used at all.

Rules (UAVG 46, Wabb 12; domain.md 11): family name, normalised, and date of birth must both equal
those of the record that the BSN comes from; a client number, which is kept, never holds it; else
nothing is sent. Pure; errors repeat nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date

from connectors.client.requests import ClientRef
from connectors.errors import ClientNumberError, IdentityMismatchError, IdentityMissingError
from datwat.protocol.acts import Identity
from datwat.protocol.blinding import normalise_bsn


@dataclass(frozen=True, slots=True)
class Record:
    """A BSN with the name and date of birth that belong to it, and how they were established.

    `bsn` is None where no law lets this partner use it.
    """

    bsn: str | None = field(repr=False)
    family_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    identity: Identity = "register"


def normalise_family_name(name: str) -> str:
    """Return a family name without case, accents, spaces and punctuation; a prefix comes first.

    `Vries, de`, `de Vries` and `DE VRIES` are one name; `ß` and `ss` are one letter.
    """
    head, comma, prefix = name.partition(",")
    ordered = f"{prefix} {head}" if comma else name
    letters = unicodedata.normalize("NFKD", ordered.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def require_same_person(record: Record, family_name: str | None, birth_date: date | None) -> None:
    """Raise IdentityMismatchError unless each stated part equals the record's."""
    if family_name is not None:
        stated, held = map(normalise_family_name, (family_name, record.family_name))
        if not held or stated != held:
            raise IdentityMismatchError
    if birth_date is not None and birth_date != record.birth_date:
        raise IdentityMismatchError


def require_bsn(number: str, bsn: str) -> str:
    """Return the nine digits of the BSN of the client `number`, which is kept and may not hold it.

    Raises BsnError, ClientNumberError.
    """
    digits = normalise_bsn(bsn)
    if digits.removeprefix("0") in re.sub(r"\D", "", number):  # a system may leave out the zero
        raise ClientNumberError
    return digits


def require_record(ref: ClientRef, own: Record | None) -> Record:
    """Return the record whose BSN may be used for `ref`; `own` is that of the own source, if any.

    1. A record that the application gives is compared with what is stated and with the own one:
    at least one of them is needed, and the own one must hold the same BSN; 2. without it the own
    record counts, compared with what is stated.

    Raises:
        IdentityMissingError, IdentityMismatchError, BsnError, ClientNumberError.
    """
    if ref.record is None:
        if own is None or own.bsn is None:
            raise IdentityMissingError
        require_same_person(own, ref.family_name, ref.birth_date)
        require_bsn(ref.client, own.bsn)
        return own
    given = Record(
        bsn=require_bsn(ref.client, ref.record.bsn),
        family_name=ref.record.family_name,
        birth_date=ref.record.birth_date,
        identity=ref.identity or "stated",
    )
    if own is not None:
        require_same_person(given, own.family_name, own.birth_date)
        if own.bsn is not None and normalise_bsn(own.bsn) != given.bsn:
            raise IdentityMismatchError
    elif ref.family_name is None or ref.birth_date is None:
        raise IdentityMissingError
    require_same_person(given, ref.family_name, ref.birth_date)
    return given
