"""Asks the key holder whether its scalar rotates (port: `broker.exchange.rotating.AskKeyHolder`).

Rules: address and keys come from the trust list; the answer is believed only where it was sealed by
one of the key holder's keys for this very question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import product

from pydantic import ValidationError

from broker.pseudonyms.subjects import draw_id
from datwat.party.http_out import HttpOut
from datwat.party.trust_list import Directory
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey, Signer
from datwat.protocol.rotation import (
    Progress,
    Rotation,
    RotationAnswer,
    RotationSealError,
    derive_rotation_key,
    open_rotation,
)
from datwat.protocol.signing import build_message
from datwat.protocol.values import PROTOCOL_VERSION, encode_bytes, encode_moment

_SECONDS = 10.0
_MAX_BYTES = 65_536


class HttpRotationAsking:
    """One question at a time, over HTTP."""

    def __init__(
        self,
        *,
        party: str,
        signer: Signer,
        read_exchange: Callable[[], Sequence[ExchangeKey]],
        http: HttpOut,
        read_directory: Callable[[], Directory],
        clock: Callable[[], datetime],
    ) -> None:
        self._party = party
        self._signer = signer
        self._read_exchange = read_exchange
        self._http = http
        self._read_directory = read_directory
        self._clock = clock

    async def ask(self, progress: Progress | None) -> Rotation:
        """Say how far the broker is, and return what the key holder says.

        Raises PeerError, RotationSealError.
        """
        holder, rid = self._read_directory().trust.key_holder, draw_id()
        members = {
            "v": PROTOCOL_VERSION,
            "type": "rotation",
            "iss": self._party,
            "aud": holder.id,
            "iat": encode_moment(self._clock()),
            "rid": encode_bytes(rid),
            "has_statement": False,
            "has_ticket": False,
            "progress": None if progress is None else progress.model_dump(mode="json"),
        }
        wire = build_message(members, (), self._signer).to_bytes()
        url = holder.url.rstrip("/") + "/v1/rotations"
        raw = await self._http.post_message(url, wire, seconds=_SECONDS, max_bytes=_MAX_BYTES)
        try:
            answer = RotationAnswer.model_validate_json(raw)
        except ValidationError:
            raise RotationSealError from None
        for public, own in product(holder.x25519, self._read_exchange()):
            key = derive_rotation_key(own, holder=ExchangePublicKey(public), broker=own.public)
            try:
                return open_rotation(answer.sealed, rid, key)
            except RotationSealError:
                continue  # sealed by another of its keys, for another of ours, or by nobody
        raise RotationSealError
