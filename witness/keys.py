"""Whose log it is, and whose word counts: from a pinned trust list, or typed in.

Rule: keys never come from the log, nor from a mirror of it; a list counts by the hash that whoever
runs the command typed over. How old cosignatures are is said, and for the reader to judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import typer

from datwat.party import clock
from datwat.party.files import describe_obstacle
from datwat.party.http_out import HttpOut
from datwat.party.trust_list import (
    MAX_LIST_BYTES,
    Directory,
    TrustListError,
    TrustListPinError,
    accept_first,
)
from datwat.protocol.checkpoint import (
    Checkpoint,
    Cosignature,
    verify_checkpoint,
    verify_cosignatures,
)
from datwat.protocol.notes import (
    COSIGNATURE_TYPE,
    SIGNATURE_TYPE,
    VerifierKey,
    VerifierKeyMalformedError,
    parse_note,
)
from datwat.protocol.trust import TrustList
from witness.errors import CosignaturesError
from witness.source import FETCH_SECONDS


class LogKeys(NamedTuple):
    """The name and keys of a log, the keys of its witnesses, and how many of them must vouch."""

    origin: str
    vkeys: tuple[str, ...]
    witnesses: tuple[str, ...] = ()
    threshold: int = 0

    @classmethod
    def of_list(cls, trust: TrustList) -> Self:
        """Return what a trust list says of the log."""
        return cls(
            origin=trust.log.origin,
            vkeys=trust.log.vkeys,
            witnesses=tuple(witness.vkey for witness in trust.witnesses),
            threshold=trust.witness_threshold,
        )

    @classmethod
    def typed_in(cls, origin: str, keys: Sequence[str], witnesses: Sequence[str]) -> Self:
        """Return keys that a person named; every witness named must vouch.

        Raises UsageError where one is no verifier key, or of the wrong kind.
        """
        for kind, texts, option in (
            (SIGNATURE_TYPE, keys, "--key"),
            (COSIGNATURE_TYPE, witnesses, "--witness"),
        ):
            for text in texts:
                _require_kind(text, kind, option)
        return cls(origin, tuple(keys), tuple(witnesses), len(set(witnesses)))


class Seen(NamedTuple):
    """A checkpoint whose signatures hold, as it came and as it was read."""

    note: bytes
    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]


def read_checkpoint(note: bytes, keys: LogKeys) -> Seen:
    """Return a checkpoint of this log for which enough witnesses vouch.

    Raises:
        NoteError: it does not hold (each case has its own code).
        CosignaturesError: fewer witnesses than the threshold.
    """
    checkpoint = verify_checkpoint(note, keys.origin, keys.vkeys)
    cosignatures = verify_cosignatures(parse_note(note), keys.witnesses)
    if len(cosignatures) < keys.threshold:
        raise CosignaturesError(
            f"{len(cosignatures)} of the known witnesses vouch for this checkpoint, and "
            f"{keys.threshold} must. Try again in a minute; if it stays so, tell the witnesses."
        )
    return Seen(note, checkpoint, cosignatures)


def derive_age(seen: Seen, threshold: int, now: datetime) -> timedelta | None:
    """Return how long ago enough witnesses (at least one) had vouched; None where nobody did."""
    moments = sorted((one.timestamp for one in seen.cosignatures), reverse=True)
    wanted = max(threshold, 1)
    if len(moments) < wanted:
        return None
    return now - datetime.fromtimestamp(moments[wanted - 1], UTC)


def _require_kind(text: str, kind: int, option: str) -> None:
    """Raise UsageError, which names the option, unless a text is a verifier key of this kind."""
    whose = "the log" if kind == SIGNATURE_TYPE else "a witness"
    shape = "name+8 hexadecimal digits+base64"
    source = "`datwat log key`" if kind == SIGNATURE_TYPE else "its `datwat witness init`"
    try:
        found = VerifierKey.parse(text).type
    except VerifierKeyMalformedError:
        raise typer.BadParameter(
            f"this is not a verifier key ({shape}): copy the key of {whose} whole, as {source} "
            "prints it.",
            param_hint=option,
        ) from None
    if found != kind:
        raise typer.BadParameter(
            f"this is a verifier key of another kind: give that of {whose}, as {source} prints it.",
            param_hint=option,
        )


async def fetch_keys(source: str, pin: str, http: HttpOut) -> LogKeys:
    """Return the keys of the trust list at a path or URL that has this hash.

    Raises TrustListError, PeerError, ThresholdError, CanonicalError.
    """
    try:
        digest = bytes.fromhex(pin)
    except ValueError:
        raise TrustListPinError("The hash of the list must be 64 hexadecimal digits.") from None
    if source.startswith(("http://", "https://")):
        document = await http.fetch_file(source, seconds=FETCH_SECONDS, max_bytes=MAX_LIST_BYTES)
    else:
        document = await asyncio.to_thread(_read_list, Path(source))
    directory = Directory(accept_first(document, digest))
    directory.require_in_force(clock.now())
    return LogKeys.of_list(directory.trust)


def _read_list(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise TrustListError(describe_obstacle(error, path)) from None
