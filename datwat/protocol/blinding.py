"""The blind look-up: a VOPRF with a one-time key, so that no party alone knows who is asked for.

RFC 9497, ristretto255-SHA512, mode VOPRF: tags, blinding and the batched DLEQ proof (section 2.2)
are the RFC's. The composition is the project's own: the key holder evaluates under k = t·s with a
`t` of this message only, the connector's result is the raw point gamma = r⁻¹·beta (no final hash),
and the broker takes `t` off: P = t⁻¹·gamma = s·H. It wants a cryptographer's review. A BSN is
checked before it is blinded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from datwat.protocol import group
from datwat.protocol.errors import DatwatError, ProtocolError

MAX_ELEMENTS = 1_000
_CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"
_GROUP_DST = b"HashToGroup-" + _CONTEXT
_SCALAR_DST = b"HashToScalar-" + _CONTEXT
_SEED_DST = b"Seed-" + _CONTEXT
_NAMESPACE = b"NL:BSN:"
_BSN = re.compile(r"[0-9]{8,9}")
_SEPARATORS = str.maketrans("", "", " .-")
_LONGEST_TEXT = 16
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


class BsnError(ProtocolError):
    """Not a BSN; what was given is never repeated."""

    code = "bsn_invalid"
    default_detail = "The number is not a valid BSN: nine digits that pass the eleven-test."


class ElementCountError(ProtocolError):
    """No elements, too many, or not as many as were asked."""

    code = "voprf_element_count"
    default_detail = "A blind look-up has 1 to 1,000 elements, answered one for one."


class ProofError(ProtocolError):
    """The key holder did not use one and the same one-time key for all elements."""

    code = "voprf_proof"
    default_detail = "The proof of the key holder does not hold for these elements."


class SelfTestError(DatwatError):
    """The arithmetic of this machine does not give the published results: do not start."""

    code = "voprf_self_test"
    default_detail = "The self-test of the blind look-up fails on this machine: check libsodium."


class Proof(NamedTuple):
    """A batched DLEQ proof: two scalars, 32 bytes each (RFC 9497 section 2.2)."""

    challenge: bytes
    response: bytes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the key holder made for one message; `one_time_scalar` leaves only inside the ticket."""

    one_time_scalar: bytes = field(repr=False)
    one_time_public: bytes
    elements: tuple[bytes, ...]
    proof: Proof


def normalise_bsn(text: str) -> str:
    """Return the nine digits of a BSN written with 8 or 9 digits, spaces, dots or hyphens.

    Raises BsnError, which never repeats the input, for anything that fails the eleven-test.
    """
    digits = text.translate(_SEPARATORS) if len(text) <= _LONGEST_TEXT else ""
    if not _BSN.fullmatch(digits):
        raise BsnError
    digits = digits.zfill(len(_WEIGHTS))
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    if total % 11 or digits == "000000000":
        raise BsnError
    return digits


def hash_to_element(message: bytes) -> bytes:
    """Return the point of `message` under the RFC's HashToGroup tag for this suite."""
    return group.hash_to_group(message, _GROUP_DST)


def blind(bsn: str, *, blind_scalar: bytes | None = None) -> tuple[bytes, bytes]:
    """Return (r, alpha = r·H) for one BSN; `r` never leaves the connector and is used once.

    `blind_scalar` is for test vectors only. Raises BsnError.
    """
    scalar = group.random_scalar() if blind_scalar is None else blind_scalar
    element = hash_to_element(_NAMESPACE + normalise_bsn(bsn).encode("ascii"))
    return scalar, group.multiply(scalar, element)


def unblind(blind_scalar: bytes, evaluated: bytes) -> bytes:
    """Return gamma = r⁻¹·beta, still under the one-time key; verify the proof first."""
    return group.multiply(group.invert_scalar(blind_scalar), evaluated)


def derive_point(one_time_scalar: bytes, unblinded: bytes) -> bytes:
    """Return P = t⁻¹·gamma: the broker takes the one-time key off."""
    return group.multiply(group.invert_scalar(one_time_scalar), unblinded)


def _framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def _composite_weights(
    public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]
) -> list[bytes]:
    """Return the d_i of ComputeComposites (RFC 9497 section 2.2.1)."""
    seed = _framed(hashlib.sha512(_framed(public, _SEED_DST)).digest())
    return [
        group.hash_to_scalar(
            seed + index.to_bytes(2, "big") + _framed(before, after) + b"Composite", _SCALAR_DST
        )
        for index, (before, after) in enumerate(zip(blinded, evaluated, strict=True))
    ]


def _weighted_sum(weights: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    total = group.multiply(weights[0], elements[0])
    for weight, element in zip(weights[1:], elements[1:], strict=True):
        total = group.add(total, group.multiply(weight, element))
    return total


def _challenge(*points: bytes) -> bytes:
    return group.hash_to_scalar(_framed(*points) + b"Challenge", _SCALAR_DST)


def _require_count(count: int) -> None:
    if not 1 <= count <= MAX_ELEMENTS:
        raise ElementCountError


def evaluate_batch(
    scalar: bytes, public: bytes, blinded: Sequence[bytes], *, nonce: bytes | None = None
) -> tuple[tuple[bytes, ...], Proof]:
    """Return the evaluated elements and their DLEQ proof under `public` = scalar·G.

    `nonce`, the proof's random scalar, is for test vectors only: used twice it gives the key away.
    Raises ElementCountError, PointError.
    """
    _require_count(len(blinded))
    evaluated = tuple(group.multiply(scalar, element) for element in blinded)
    first = _weighted_sum(_composite_weights(public, blinded, evaluated), blinded)
    second = group.multiply(scalar, first)
    r = group.random_scalar() if nonce is None else nonce
    challenge = _challenge(public, first, second, group.multiply_base(r), group.multiply(r, first))
    product = group.multiply_scalars(challenge, scalar)
    return evaluated, Proof(challenge, group.add_scalars(r, group.negate_scalar(product)))


def evaluate(
    secret: bytes, blinded: Sequence[bytes], *, one_time_scalar: bytes | None = None
) -> Evaluation:
    """Evaluate under k = t·s for a fresh `t`: the key holder's part of one message.

    `one_time_scalar` is for test vectors only. Raises ElementCountError, PointError.
    """
    t = group.random_scalar() if one_time_scalar is None else one_time_scalar
    key = group.multiply_scalars(t, secret)
    public = group.multiply_base(key)
    elements, proof = evaluate_batch(key, public, blinded)
    return Evaluation(t, public, elements, proof)


def require_proof(
    public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: Proof
) -> None:
    """Raise unless every evaluated element is k·blinded for the k of `public` = k·G.

    Raises ElementCountError for another number of elements, ProofError for all else.
    """
    _require_count(len(blinded))
    if len(evaluated) != len(blinded):
        raise ElementCountError
    try:
        weights = _composite_weights(public, blinded, evaluated)
        first = _weighted_sum(weights, blinded)
        second = _weighted_sum(weights, evaluated)
        third = group.add(
            group.multiply_base(proof.response), group.multiply(proof.challenge, public)
        )
        fourth = group.add(
            group.multiply(proof.response, first), group.multiply(proof.challenge, second)
        )
        fits = _challenge(public, first, second, third, fourth) == proof.challenge
    except group.GroupError:
        raise ProofError from None
    if not fits:
        raise ProofError


def run_self_test() -> None:
    """Raise SelfTestError unless RFC 9497's batch of two comes out; for start-up (about 2 ms)."""
    secret, public, nonce = map(bytes.fromhex, _TEST_KEY)
    blinds = [bytes.fromhex(text) for text in _TEST_BLINDS]
    inputs = (b"\x00", b"\x5a" * 17)
    blinded = [group.multiply(r, hash_to_element(m)) for r, m in zip(blinds, inputs, strict=True)]
    evaluated, proof = evaluate_batch(secret, public, blinded, nonce=nonce)
    got = [part.hex() for part in (*blinded, *evaluated, *proof)]
    if got != _TEST_RESULTS or group.multiply_base(secret) != public:
        raise SelfTestError
    require_proof(public, blinded, evaluated, proof)
    for r, message, element in zip(blinds, inputs, evaluated, strict=True):
        if derive_point(secret, unblind(r, element)) != hash_to_element(message):
            raise SelfTestError


# RFC 9497 appendix A.1.2 (ristretto255-SHA512, VOPRF mode), test vector 3: skSm, pkSm, proof r.
_TEST_KEY = (
    "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909",
    "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e",
    "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
)
_TEST_BLINDS = (
    "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706",
    "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
)
_TEST_RESULTS = [
    "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
    "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
    "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
    "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
    "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a",
    "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
]
