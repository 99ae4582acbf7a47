"""Receipts: the golden vector, and everything that must make a holder refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datwat.protocol import receipt as rc
from datwat.protocol.checkpoint import CheckpointOriginError
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.notes import NoteMalformedError, NoteSignatureError

_VECTORS = Path(__file__).parents[1] / "vectors"
ENTRY = json.loads((_VECTORS / "entry.json").read_text())
VECTOR = json.loads((_VECTORS / "receipt.json").read_text())
RECEIPT = ReceiptPath.model_validate_json(json.dumps(VECTOR["receipt"]))


def _arguments(**changes: object) -> dict[str, Any]:
    return {
        "core": ENTRY["core"].encode(),
        "payload_hash": bytes.fromhex(ENTRY["payload_hash"]),
        "tag": bytes.fromhex(ENTRY["tags"][0]),
        "receipt": RECEIPT,
        "checkpoint": VECTOR["checkpoint"].encode(),
        "origin": VECTOR["log"],
        "vkeys": [VECTOR["vkey"]],
        **changes,
    }


def test_golden_vector() -> None:
    found = rc.require_receipt(**_arguments())
    assert (found.size, found.root.hex()) == (VECTOR["size"], VECTOR["root"])


def _moved(index: int) -> ReceiptPath:
    return RECEIPT.model_copy(update={"index": index})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"core": ENTRY["core"].encode() + b" "}, rc.ReceiptError),
        ({"core": b""}, rc.ReceiptError),
        ({"payload_hash": bytes(32)}, rc.ReceiptError),
        ({"tag": bytes.fromhex(ENTRY["tags"][1])}, rc.ReceiptError),
        ({"receipt": _moved(0)}, rc.ReceiptError),
        ({"receipt": _moved(2)}, rc.ReceiptError),
        ({"receipt": _moved(3)}, rc.ReceiptOutsideError),
        ({"receipt": RECEIPT.model_copy(update={"path": RECEIPT.path[:1]})}, rc.ReceiptError),
        ({"receipt": RECEIPT.model_copy(update={"path": RECEIPT.path[::-1]})}, rc.ReceiptError),
        (
            {"receipt": RECEIPT.model_copy(update={"path": (*RECEIPT.path, bytes(32))})},
            rc.ReceiptError,
        ),
        (
            {"checkpoint": VECTOR["checkpoint"].replace("\n3\n", "\n4\n").encode()},
            NoteSignatureError,
        ),
        ({"checkpoint": b"nothing"}, NoteMalformedError),
        ({"origin": "broker.example/log/2"}, CheckpointOriginError),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        rc.require_receipt(**_arguments(**changes))


def test_each_refusal_has_its_own_code() -> None:
    codes = {
        kind.code
        for kind in (
            rc.ReceiptError,
            rc.ReceiptOutsideError,
            NoteSignatureError,
            NoteMalformedError,
            CheckpointOriginError,
        )
    }
    assert len(codes) == 5
