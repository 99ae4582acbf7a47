"""Where records of processing activities go: a file of this machine, or a collector over HTTP.

Rule: it returns when the record is where it will not be lost: on the disk, or acknowledged whole;
anything else raises, and the records are told again. A reader counts a span once, by its id.
Source: Logboek Dataverwerkingen ("every write acknowledged"); OTLP/HTTP, "partial success".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from broker.adapters.ldv_outbox import SpanRecord
from broker.adapters.ldv_records import RecordWriter
from datwat.party.errors import PartyError
from datwat.party.http_out import HttpOut
from datwat.protocol.canonical import CanonicalError, decode_strict

FILE_SCHEME = "file:"
_LONGEST_FILE = 64 * 1_048_576
_SECONDS = 5.0
_MAX_ANSWER = 65_536
_OK = 200
_TRACES = "/v1/traces"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class LdvTargetError(PartyError):
    """The setting names nothing that records can be written to."""

    code = "ldv_target_invalid"
    default_detail = (
        "Set ldv_target to file:<folder>, or to the https address of an OTLP/HTTP collector."
    )


class LdvFailedError(PartyError):
    """The records were not acknowledged."""

    code = "ldv_not_acknowledged"
    default_detail = "The log of processing activities did not acknowledge what it was told."


class Target(Protocol):
    """Takes records."""

    async def send(self, records: Sequence[SpanRecord]) -> None:
        """Return when all are kept there; raise LdvFailedError or PeerError."""


class FileTarget:
    """Appends lines to a file per day and 64 MiB, for its owner only, each batch synced."""

    def __init__(self, folder: Path, writer: RecordWriter, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._writer = writer
        self._clock = clock

    async def send(self, records: Sequence[SpanRecord]) -> None:
        """Write and sync; raise LdvFailedError where the disk does not take it."""
        lines = b"".join(map(self._writer.build_line, records))
        try:
            await asyncio.to_thread(self._write, lines)
        except OSError:
            raise LdvFailedError from None

    def _write(self, lines: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._find_file()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, lines)
                os.fsync(descriptor)
            except OSError:
                # Half a line would be read as none at all; the whole batch comes again.
                with suppress(OSError):
                    os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)
        if before == 0:
            _sync_folder(self._folder)

    def _find_file(self) -> Path:
        day = self._clock().strftime("%Y%m%d")
        number = 0
        while True:
            path = self._folder / f"processing-{day}-{number:04d}.jsonl"
            if not path.exists() or path.stat().st_size < _LONGEST_FILE:
                return path
            number += 1


class HttpTarget:
    """Posts to a collector; TLS, but on this machine."""

    def __init__(self, url: str, writer: RecordWriter, http: HttpOut, token: str | None) -> None:
        self._url = url.rstrip("/").removesuffix(_TRACES) + _TRACES
        self._writer = writer
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(self, records: Sequence[SpanRecord]) -> None:
        """Post one request; raise LdvFailedError unless every span was taken, or PeerError."""
        status, _kind, answer = await self._http.post_plain(
            self._url,
            self._writer.build_request(records),
            content_type="application/json",
            seconds=_SECONDS,
            max_bytes=_MAX_ANSWER,
            headers=self._headers,
        )
        if status != _OK or _count_rejected(answer) != 0:
            raise LdvFailedError


def open_target(
    setting: str,
    writer: RecordWriter,
    http: HttpOut,
    clock: Callable[[], datetime],
    token: str | None,
) -> Target:
    """Return the target that a setting names; raise LdvTargetError."""
    if setting.startswith(FILE_SCHEME):
        folder = Path(setting.removeprefix(FILE_SCHEME))
        if not folder.is_absolute():
            raise LdvTargetError
        return FileTarget(folder, writer, clock)
    parts = urlsplit(setting)
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (plain or parts.scheme == "https") or not parts.hostname or parts.username:
        raise LdvTargetError
    return HttpTarget(setting, writer, http, token)


def _count_rejected(answer: bytes) -> int:
    """Return how many spans a collector did not take; an answer that is none counts as one."""
    if not answer:
        return 0
    try:
        found = decode_strict(answer)
        partial = found.get("partialSuccess") or {}
        return int(partial.get("rejectedSpans") or 0)
    except (CanonicalError, AttributeError, TypeError, ValueError):
        return 1


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
