"""Where the files of a log are read: over HTTP from the log or any web server, or from a folder.

Rule: everything is bounded in size and time before it is looked at; nothing is believed for where
it came from. A file that is not there is told apart from a source that does not answer.
Source: C2SP tlog-tiles (a partial tile may be gone once the full one is there).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from datwat.party.http_out import HttpOut, PeerAnswerTooLongError, PeerRefusedError
from datwat.protocol.entry import ENTRY_LENGTH
from datwat.protocol.notes import MAX_NOTE_LENGTH
from datwat.protocol.tiles import (
    CHECKPOINT_PATH,
    MAX_TILE_BYTES,
    TILE_WIDTH,
    TileContentError,
    TilePath,
    decode_bundle,
    decode_tile,
)
from witness.errors import LogSourceError, LogTilesError

FETCH_SECONDS = 10.0
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + ENTRY_LENGTH)

Decode = Callable[[bytes, int], list[bytes]]

_BUSY = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
_WAITS = (0.2, 0.8, 2.0, None)
"""Seconds between tries of a file while the source is busy."""

_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Source(Protocol):
    """Files by their path below the prefix of a log."""

    async def read(self, path: str, max_bytes: int) -> bytes | None:
        """Return a file's bytes, or None where there is none.

        Raises:
            PeerError, LogSourceError: it cannot be read.
            LogTilesError: it is longer.
        """


class HttpSource:
    """A log, or a mirror of one, behind an address; `prefix` stands before `/checkpoint`."""

    def __init__(self, http: HttpOut, prefix: str, seconds: float = FETCH_SECONDS) -> None:
        self._http = http
        self._prefix = prefix.rstrip("/")
        self._seconds = seconds

    async def read(self, path: str, max_bytes: int) -> bytes | None:
        """Fetch a file; see `Source`."""
        url = f"{self._prefix}/{path}"
        for wait in _WAITS:
            try:
                return await self._http.fetch_file(url, seconds=self._seconds, max_bytes=max_bytes)
            except PeerAnswerTooLongError:
                raise LogTilesError from None
            except PeerRefusedError as error:
                if error.status in _GONE:
                    return None
                if error.status not in _BUSY or wait is None:
                    raise LogSourceError(
                        f"The log does not show a part of itself, and says: {error.peer_code}. "
                        "Ask its organisation; a mirror of it may still have that part."
                    ) from None
                await asyncio.sleep(wait)
        raise AssertionError("the last wait is none")


class FolderSource:
    """The folder of a mirror; reading blocks, so it is for commands and not for a server."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise LogSourceError(f"There is no folder {folder}: name the folder of a mirror.")
        self._folder = folder

    async def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read a file; see `Source`."""
        try:
            with (self._folder / path).open("rb") as file:
                data = file.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            raise LogSourceError(
                f"{self._folder / path} cannot be read: check whose file it is, and its disk."
            ) from None
        if len(data) > max_bytes:
            raise LogTilesError
        return data


async def fetch_checkpoint(source: Source) -> bytes:
    """Return the newest checkpoint there, nothing of it believed; raise LogSourceError."""
    try:
        note = await source.read(CHECKPOINT_PATH, MAX_NOTE_LENGTH)
    except LogTilesError:  # longer than was asked for
        raise LogSourceError(
            f"What is there as `checkpoint` is longer than a checkpoint can be ({MAX_NOTE_LENGTH} "
            "bytes), so it is none: give the log's prefix, or the folder of a mirror."
        ) from None
    if note is None:
        raise LogSourceError
    return note


async def fetch_hashes(source: Source, path: TilePath) -> list[bytes]:
    """Return the hashes of a tile, as many as its path names; raise LogTilesError."""
    data = await source.read(path.text, MAX_TILE_BYTES)
    width = path.width
    if data is None and width < TILE_WIDTH:
        data, width = await source.read(path.full.text, MAX_TILE_BYTES), TILE_WIDTH
    return _decode(decode_tile, data, width)[: path.width]


async def fetch_entries(source: Source, path: TilePath) -> list[bytes]:
    """Return the entries of a bundle, as many as its path names; raise LogTilesError."""
    data = await source.read(path.text, MAX_BUNDLE_BYTES)
    width = path.width
    if data is None and width < TILE_WIDTH:
        data, width = await source.read(path.full.text, MAX_BUNDLE_BYTES), TILE_WIDTH
    return _decode(decode_bundle, data, width)[: path.width]


def _decode(decode: Decode, data: bytes | None, width: int) -> list[bytes]:
    if data is None:
        raise LogTilesError(
            "A tile that a log of this size has is not there: the mirror is not complete, or the "
            "log does not show what it signed."
        )
    try:
        return decode(data, width)
    except TileContentError:
        raise LogTilesError from None
