"""Witnesses over HTTP: posts a checkpoint, reads what a witness shows (C2SP tlog-witness)."""

from __future__ import annotations

from datwat.party.http_out import HttpOut, PeerRefusedError
from datwat.protocol.cosigning import ADD_CHECKPOINT_PATH, MAX_ANSWER_BYTES, derive_origin_hash
from datwat.protocol.notes import MAX_NOTE_LENGTH

_POST_SECONDS = 10.0
# As long: at the start nobody is answered before witnesses said what they saw, or are absent.
_FETCH_SECONDS = 10.0
_NOT_FOUND = 404


class HttpWitnesses:
    """Implements `broker.audit.cosigning.WitnessPort`."""

    def __init__(self, http: HttpOut) -> None:
        self._http = http

    async def add_checkpoint(self, url: str, request: bytes) -> tuple[int, bytes]:
        """Post an add-checkpoint request; return status and body, or raise PeerError."""
        status, _media_type, body = await self._http.post_plain(
            url.rstrip("/") + ADD_CHECKPOINT_PATH,
            request,
            content_type="text/plain; charset=utf-8",
            seconds=_POST_SECONDS,
            max_bytes=MAX_ANSWER_BYTES,
        )
        return status, body

    async def find_checkpoint(self, url: str, origin: str) -> bytes | None:
        """Return the newest checkpoint that a witness shows of a log; None if it has none."""
        address = f"{url.rstrip('/')}/{derive_origin_hash(origin)}/checkpoint"
        try:
            return await self._http.fetch_file(
                address, seconds=_FETCH_SECONDS, max_bytes=MAX_NOTE_LENGTH
            )
        except PeerRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
