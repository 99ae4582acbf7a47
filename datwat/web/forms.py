"""Forms: bounded, from our own page, done once, and never lost.

Rules: a form carries the session's token and an id of its own; the same form sent twice is done
once and answered alike; what was typed when a session had ended waits fifteen minutes, in memory,
for the same person. Nothing that was typed is logged or put into an address.
Source: WHATWG URL (application/x-www-form-urlencoded), Fetch Metadata.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from datwat.party.problems import BodyTooLargeError, MediaTypeError
from datwat.protocol.free_text import has_number
from datwat.web.problems import CrossSiteError, FormInvalidError
from datwat.web.sessions import PARKED, Ended, Session, make_room, require_same

MOST_BYTES: Final = 65_536
MOST_FIELDS: Final = 300
LONGEST_VALUE: Final = 10_000
CSRF_FIELD: Final = "csrf"
ID_FIELD: Final = "form_id"
# What is asked anew and held for nobody, of whatever form: it is used at once or not at all.
NEVER_HELD: Final = frozenset({"bsn", "passphrase"})
_KIND: Final = "application/x-www-form-urlencoded"
_ID_BYTES: Final = 12
_LONGEST_ID: Final = 40
_MOST_ANSWERED: Final = 100
_MOST_PARKED: Final = 500
_ALLOWED_CONTROLS: Final = frozenset("\n\t")


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How much a form may hold: signs of its body as sent, fields, and signs of one value."""

    most_bytes: int = MOST_BYTES
    most_fields: int = MOST_FIELDS
    longest_value: int = LONGEST_VALUE


PLAIN_LIMITS: Final = FormLimits()


@dataclass
class Form:
    """What a page shows of a form and what was sent of it: values, and what is wrong, by name.

    `errors` are sentences in the language of the page, in the order of the fields.
    """

    csrf: str = field(repr=False)
    id: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict, repr=False)

    def value(self, name: str) -> str:
        """Return what was typed, or nothing."""
        return next(iter(self.values.get(name, ())), "")

    def chosen(self, name: str) -> tuple[str, ...]:
        """Return every box that was ticked under a name."""
        return self.values.get(name, ())

    def text(self, name: str, *, most: int, missing: str = "", too_long: str = "") -> str:
        """Return what was typed without the spaces around it, and note what is wrong with it."""
        typed = self.value(name).strip()
        if not typed and missing:
            self.refuse(name, missing)
        elif len(typed) > most:
            self.refuse(name, too_long or missing)
        return typed

    def choice(self, name: str, allowed: Collection[str], *, missing: str) -> str:
        """Return the one that was chosen of `allowed`, or note that none was and return ""."""
        chosen = self.value(name)
        if chosen in allowed:
            return chosen
        self.refuse(name, missing)
        return ""

    def refuse(self, name: str, sentence: str) -> None:
        """Note what is wrong with a field; the first sentence stays."""
        self.errors.setdefault(name, sentence)


@dataclass(frozen=True, slots=True)
class _Parked:
    values: Mapping[str, tuple[str, ...]] = field(repr=False)
    until: datetime


class Forms:
    """The forms of one party's pages; `origin` is the address at which people reach them."""

    def __init__(self, origin: str) -> None:
        """Start with nothing that waits."""
        self._origin = origin
        self._parked: dict[tuple[bytes, str], _Parked] = {}

    def build(self, session: Session[Any] | None, path: str, now: datetime) -> Form:
        """Return a form for a page to show, with what waited for this person at this path."""
        form = Form(session.csrf if session else "", secrets.token_urlsafe(_ID_BYTES))
        if session is not None:
            parked = self._parked.pop((session.mark, path), None)
            if parked is not None and now < parked.until:
                form.values = parked.values
        return form

    async def read(
        self, request: Request, session: Session[Any], limits: FormLimits = PLAIN_LIMITS
    ) -> Form:
        """Return what was sent.

        Raises CrossSiteError, FormInvalidError, BodyTooLargeError, MediaTypeError.
        """
        self._require_own_site(request)
        values = parse(await _read_body(request, limits), limits)
        token = next(iter(values.pop(CSRF_FIELD, ())), "")
        session.require_csrf(token)
        return Form(session.csrf, _read_id(values), values)

    async def park(
        self, request: Request, ended: Ended, now: datetime, limits: FormLimits = PLAIN_LIMITS
    ) -> None:
        """Keep what was sent in a session that had ended, for the same person at the same path."""
        self._require_own_site(request)
        values = parse(await _read_body(request, limits), limits)
        require_same(next(iter(values.pop(CSRF_FIELD, ())), ""), ended.csrf)
        _read_id(values)
        self.purge(now)
        make_room(self._parked, _MOST_PARKED)
        kept = {name: held for name, held in values.items() if _may_wait(name, held)}
        self._parked[ended.mark, request.url.path] = _Parked(kept, now + PARKED)

    def purge(self, now: datetime) -> None:
        """Forget what waited too long."""
        self._parked = {key: held for key, held in self._parked.items() if now < held.until}

    def _require_own_site(self, request: Request) -> None:
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        # A page that sends no referrer sends "null" for its origin too: then the site must be told.
        own = (None, self._origin, "null") if site == "same-origin" else (None, self._origin)
        if origin not in own or site not in (None, "same-origin"):
            raise CrossSiteError


class Answers:
    """What became of the forms of a session that were done: the same form is answered alike.

    Two at the same time wait for one another; one that was refused or failed may be sent again.
    """

    def __init__(self, session: Session[Any]) -> None:
        """Look at the answers that the session holds."""
        self._held: dict[str, asyncio.Lock | str] = session.answered

    def claim(self, form_id: str) -> asyncio.Lock:
        """Return the lock of a form that is not done yet."""
        held = self._held.get(form_id)
        if isinstance(held, asyncio.Lock):
            return held
        make_room(self._held, _MOST_ANSWERED)
        lock = asyncio.Lock()
        self._held[form_id] = lock
        return lock

    def find(self, form_id: str) -> str | None:
        """Return where the first sending of a form led to."""
        held = self._held.get(form_id)
        return held if isinstance(held, str) else None

    def keep(self, form_id: str, response: Response) -> None:
        """Keep where a form led to; an answer that leads nowhere left nothing done.

        Its lock stays then: whoever waits for it and whoever comes later wait for one another.
        """
        location = response.headers.get("location")
        if location is not None:
            self._held[form_id] = location


def _may_wait(name: str, held: Sequence[str]) -> bool:
    """Tell whether a field may be held: no secret, and no text with somebody's number in it."""
    return name not in NEVER_HELD and not any(has_number(text) for text in held)


def parse(body: bytes, limits: FormLimits = PLAIN_LIMITS) -> dict[str, tuple[str, ...]]:
    """Return the fields of a form, each with all its values; raise FormInvalidError. Pure.

    Line ends become one sign; what is left of control characters is not text, and refused.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=limits.most_fields,
        )
    except ValueError:  # UTF-8 as well
        raise FormInvalidError from None
    values: dict[str, tuple[str, ...]] = {}
    for name, raw in pairs:
        value = raw.replace("\r\n", "\n").replace("\r", "\n")
        if len(value) > limits.longest_value or not _is_text(value) or not name.isprintable():
            raise FormInvalidError
        values[name] = (*values.get(name, ()), value)
    return values


def _is_text(value: str) -> bool:
    return all((sign >= " " and sign != "\x7f") or sign in _ALLOWED_CONTROLS for sign in value)


def _read_id(values: dict[str, tuple[str, ...]]) -> str:
    form_id = next(iter(values.pop(ID_FIELD, ())), "")
    if not form_id or len(form_id) > _LONGEST_ID:
        raise FormInvalidError
    return form_id


async def _read_body(request: Request, limits: FormLimits) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _KIND or request.headers.get("content-encoding"):
        raise MediaTypeError
    body = await request.body()
    if len(body) > limits.most_bytes:
        raise BodyTooLargeError
    return body
