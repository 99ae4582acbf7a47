"""The blind look-up: RFC 9497's vectors, the project's composition, and every cheat refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import blinding, group
from datwat.protocol.blinding import Proof

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors" / "oprf-ristretto255.json").read_text()
)
SUITE = next(suite for suite in VECTORS["suites"] if suite["mode"] == 1)
BSNS = ["999990019", "999993653", "999991772", "999990007"]
SECRET = bytes.fromhex(SUITE["skSm"])


def split(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


def finalise(message: bytes, element: bytes) -> bytes:
    """RFC 9497 section 3.3.2: the output hash, which the project leaves out."""
    framed = b"".join(len(part).to_bytes(2, "big") + part for part in (message, element))
    return hashlib.sha512(framed + b"Finalize").digest()


@pytest.mark.parametrize("vector", SUITE["vectors"])
def test_rfc_9497_voprf(vector: dict[str, Any]) -> None:
    public = bytes.fromhex(SUITE["pkSm"])
    blinds, inputs = split(vector["Blind"]), split(vector["Input"])
    points = [blinding.hash_to_element(message) for message in inputs]
    blinded = [group.multiply(r, point) for r, point in zip(blinds, points, strict=True)]
    assert blinded == split(vector["BlindedElement"])
    evaluated, proof = blinding.evaluate_batch(
        SECRET, public, blinded, nonce=bytes.fromhex(vector["Proof"]["r"])
    )
    assert list(evaluated) == split(vector["EvaluationElement"])
    assert b"".join(proof).hex() == vector["Proof"]["proof"]
    blinding.require_proof(public, blinded, evaluated, proof)
    outputs = [
        finalise(message, blinding.unblind(r, element))
        for r, message, element in zip(blinds, inputs, evaluated, strict=True)
    ]
    assert outputs == split(vector["Output"])


def test_the_self_test_passes_here_and_fails_on_wrong_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blinding.run_self_test()
    monkeypatch.setattr(blinding, "_SCALAR_DST", b"HashToScalar-another")
    with pytest.raises(blinding.SelfTestError):
        blinding.run_self_test()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_three_locks_come_off_and_leave_the_same_point_every_time(count: int) -> None:
    bsns = [BSNS[index % 2] for index in range(count)]
    found = set()
    for _ in range(2):
        blinds = [blinding.blind(bsn) for bsn in bsns]
        alphas = [alpha for _, alpha in blinds]
        made = blinding.evaluate(SECRET, alphas)
        blinding.require_proof(made.one_time_public, alphas, made.elements, made.proof)
        gammas = [
            blinding.unblind(r, beta) for (r, _), beta in zip(blinds, made.elements, strict=True)
        ]
        points = tuple(blinding.derive_point(made.one_time_scalar, gamma) for gamma in gammas)
        assert not set(points) & {*alphas, *gammas, *made.elements}
        found.add(points)
    expected = tuple(
        group.multiply(SECRET, blinding.hash_to_element(b"NL:BSN:" + bsn.encode())) for bsn in bsns
    )
    assert found == {expected}


def test_the_same_person_never_looks_the_same_on_the_way() -> None:
    seen = set()
    for _ in range(5):
        r, alpha = blinding.blind(BSNS[0])
        made = blinding.evaluate(SECRET, [alpha])
        seen |= {alpha, made.elements[0], blinding.unblind(r, made.elements[0])}
        seen.add(made.one_time_public)
    assert len(seen) == 20


def evaluated_pair() -> tuple[list[bytes], blinding.Evaluation]:
    alphas = [blinding.blind(bsn)[1] for bsn in BSNS[:2]]
    return alphas, blinding.evaluate(SECRET, alphas)


def test_another_scalar_for_one_element_is_refused() -> None:
    alphas, made = evaluated_pair()
    cheated = (made.elements[0], group.multiply(scalar(2), made.elements[1]))
    with pytest.raises(blinding.ProofError):
        blinding.require_proof(made.one_time_public, alphas, cheated, made.proof)


def test_swapped_elements_another_key_and_a_changed_proof_are_refused() -> None:
    alphas, made = evaluated_pair()
    first, second = made.elements
    other = group.multiply_base(scalar(9))
    cases = [
        (made.one_time_public, alphas, (second, first), made.proof),
        (made.one_time_public, alphas[::-1], made.elements, made.proof),
        (other, alphas, made.elements, made.proof),
        (made.one_time_public, alphas, made.elements, Proof(*reversed(made.proof))),
        (made.one_time_public, alphas, made.elements, Proof(made.proof.challenge, scalar(1))),
        (made.one_time_public, alphas, made.elements, Proof(bytes(32), made.proof.response)),
        (made.one_time_public, alphas, made.elements, Proof(b"", b"")),
        (made.one_time_public, alphas, (bytes(32), second), made.proof),
        (bytes(32), alphas, made.elements, made.proof),
    ]
    for case in cases:
        with pytest.raises(blinding.ProofError):
            blinding.require_proof(*case)


def test_the_number_of_elements_is_kept() -> None:
    alphas, made = evaluated_pair()
    for evaluated in (made.elements[:1], (*made.elements, made.elements[0]), ()):
        with pytest.raises(blinding.ElementCountError):
            blinding.require_proof(made.one_time_public, alphas, evaluated, made.proof)
    for wrong in ([], alphas * 501):
        with pytest.raises(blinding.ElementCountError):
            blinding.evaluate(SECRET, wrong)


@pytest.mark.parametrize("bad", [bytes(32), b"\x01" + bytes(31), b"", b"\xff" * 32])
def test_the_key_holder_refuses_what_is_no_point(bad: bytes) -> None:
    with pytest.raises(group.PointError):
        blinding.evaluate(SECRET, [blinding.blind(BSNS[0])[1], bad])


def test_an_evaluation_shows_no_one_time_key() -> None:
    made = blinding.evaluate(SECRET, [blinding.blind(BSNS[0])[1]])
    assert repr(made.one_time_scalar) not in repr(made)


def scalar(number: int) -> bytes:
    return number.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("999990019", "999990019"),
        ("9999.90.019", "999990019"),
        (" 999-990-019 ", "999990019"),
        ("00000012", "000000012"),  # too low to have been given to anybody
    ],
)
def test_a_bsn_is_normalised(text: str, digits: str) -> None:
    assert blinding.normalise_bsn(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "000000000",
        "00000000",
        "999990018",
        "99999001",
        "9999900190",
        "99999001a",
        "٩٩٩٩٩٠٠١٩",
        "-999990019 9",
        "999990019\n",
        " " * 1_000 + "999990019",
    ],
)
def test_what_is_no_bsn_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(blinding.BsnError) as refused:
        blinding.blind(text)
    digits = text.strip()
    assert not digits or digits not in f"{refused.value}{refused.value!r}{refused.value.place}"


@given(st.integers(0, 999_999_999))
def test_exactly_the_numbers_of_the_eleven_test_pass(number: int) -> None:
    digits = f"{number:09d}"
    total = sum((9 - place) * int(digit) for place, digit in enumerate(digits[:8]))
    valid = number > 0 and (total - int(digits[8])) % 11 == 0
    try:
        assert blinding.normalise_bsn(digits) == digits
    except blinding.BsnError:
        assert not valid
    else:
        assert valid
