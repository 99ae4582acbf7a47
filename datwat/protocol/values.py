"""Values that travel: identifiers, byte strings and moments, each with one exact text form.

Every value has exactly one accepted spelling, so that what is hashed and what is compared are the
same thing: base64url without padding and with zero trailing bits (RFC 4648 section 5 and 3.5),
date-times in UTC with whole seconds and a `Z` (RFC 3339), partner ids as OIN and function, ids of
staff in lower case.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import core_schema

PROTOCOL_VERSION = 1

PARTY_ID_PATTERN = r"^[0-9]{20}:[a-z][a-z0-9-]{1,39}$"
SLUG_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
STAFF_ID_PATTERN = r"^[a-z0-9._@-]{1,64}$"
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_OFFSET = len("+00:00")
_MOMENT = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")


class FormError(ValueError):
    """A value without its form; the sentence is ours and repeats nothing of the value.

    Pydantic turns it into a finding, of which a caller may be told the sentence.
    """


def encode_bytes(value: bytes) -> str:
    """Return `value` as base64url without padding."""
    text = binascii.b2a_base64(value, newline=False).translate(_TO_URL)
    return text.rstrip(b"=").decode("ascii")


def decode_bytes(text: str) -> bytes:
    """Return the bytes of unpadded base64url; raise FormError for any other spelling."""
    try:
        padded = str.encode(text, "ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4)
        value = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError as error:
        raise FormError("Write the bytes in base64url, without padding.") from error
    if encode_bytes(value) != text:
        raise FormError("Write the bytes in the one spelling of base64url: the last bits are zero.")
    return value


def encode_moment(value: datetime) -> str:
    """Return an aware moment as RFC 3339 in UTC, whole seconds; raise ValueError if naive."""
    if value.tzinfo is None:
        msg = "a moment needs a time zone"
        raise ValueError(msg)
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return f"{value.isoformat(timespec='seconds')[:-_OFFSET]}Z"


def decode_moment(text: str) -> datetime:
    """Return the UTC moment of `YYYY-MM-DDTHH:MM:SSZ`; raise FormError for any other form."""
    if not _MOMENT.fullmatch(text):
        raise FormError("Write the moment in UTC, in whole seconds, as 2026-01-31T12:00:00Z.")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise FormError("There is no such moment: correct the date or the time.") from None


@lru_cache(maxsize=4_096)
def derive_function(party_id: str) -> str:
    """Return the function of a party id: the part after the colon."""
    return party_id.partition(":")[2]


def derive_staff_id(login: str) -> str:
    """Return a login in the one spelling of a staff id; whether it fits is `StaffId`'s to say."""
    return unicodedata.normalize("NFKC", login).casefold().strip()


class _BytesForm:
    """Pydantic form of a byte string: bytes in Python, unpadded base64url in JSON."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def _validate(self, value: object) -> bytes:
        raw = decode_bytes(value) if isinstance(value, str) else value
        if not isinstance(raw, bytes):
            # Pydantic turns only ValueError into a finding.
            raise FormError("Bytes are needed here, as text in base64url.")
        if not self.minimum <= len(raw) <= self.maximum:
            raise FormError(f"{self._describe_size()} are needed here, in base64url.")
        return raw

    def _describe_size(self) -> str:
        few, many = self.minimum, self.maximum
        return f"{few} bytes" if few == many else f"{few} to {many} bytes"

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                encode_bytes, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, object]:
        shortest, longest = (-(-4 * size // 3) for size in (self.minimum, self.maximum))
        return {
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]*$",
            "minLength": shortest,
            "maxLength": longest,
        }


class _MomentForm:
    """Pydantic form of a moment: aware UTC datetime in Python, RFC 3339 with `Z` in JSON."""

    def _validate(self, value: object) -> datetime:
        if isinstance(value, str):
            return decode_moment(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            if value.tzinfo is UTC and not value.microsecond:
                return value
            return value.astimezone(UTC).replace(microsecond=0)
        raise FormError("Write the moment in UTC, as text such as 2026-01-31T12:00:00Z.")

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                encode_moment, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, object]:
        return {"type": "string", "format": "date-time", "pattern": _MOMENT.pattern}


Bytes16 = Annotated[bytes, _BytesForm(16, 16)]
Bytes32 = Annotated[bytes, _BytesForm(32, 32)]
Bytes64 = Annotated[bytes, _BytesForm(64, 64)]
BytesUpTo64K = Annotated[bytes, _BytesForm(0, 65_536)]
BytesUpTo1M = Annotated[bytes, _BytesForm(0, 1_048_576)]
BytesUpTo16M = Annotated[bytes, _BytesForm(0, 16_777_216)]
Moment = Annotated[datetime, _MomentForm()]
PartyId = Annotated[str, Field(pattern=PARTY_ID_PATTERN)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
URL_PATTERN = r"^https?://[^\s?#@]{1,240}$"
# The name of a key in a signed note (C2SP signed-note).
KEY_NAME_PATTERN = r"^[^\s+\x00-\x1f]{1,250}$"
# What stands for a draft, a proposal and the like, made by chance.
HEX_ID_PATTERN = r"^[0-9a-f]{32}$"
QUARTER_PATTERN = r"^[0-9]{4}Q[1-4]$"
Quarter = Annotated[str, Field(pattern=QUARTER_PATTERN)]
MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
MonthText = Annotated[str, Field(pattern=MONTH_PATTERN)]
# Who somebody is at their partner. One spelling, so that "another than who asks" compares people.
StaffId = Annotated[str, Field(pattern=STAFF_ID_PATTERN)]
# Text that people typed: no control characters, line separators or turns of the writing direction
# (they can forge a line in a log, a terminal or a resident's own log).
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
PLAIN_TEXT_PATTERN = f"^[^{_CONTROLS}]*$"
SHORT_TEXT_PATTERN = f"^[^{_CONTROLS}]+$"
PlainText = Annotated[str, Field(pattern=PLAIN_TEXT_PATTERN, max_length=2_000)]
ShortText = Annotated[str, Field(pattern=SHORT_TEXT_PATTERN, max_length=200)]


class Value(BaseModel):
    """Base of every domain and wire value: frozen, strict, no unknown members."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
