"""A partner's question for its own figures, and the answer; vector: `own-figures.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from datwat.protocol.messages import FiguresObject
from datwat.protocol.own_figures import OwnFigures

VECTOR = Path(__file__).parents[1] / "vectors" / "own-figures.json"
ORIGIN = "Written by hand from docs/reference/protocol.md, section 5; read and written back here."
KINDS: dict[str, type[BaseModel]] = {"object": FiguresObject, "answer": OwnFigures}


def read() -> dict[str, Any]:
    vector: dict[str, Any] = json.loads(VECTOR.read_text(encoding="utf-8"))
    assert vector["origin"] == ORIGIN
    return vector


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read_and_written_as_published(name: str) -> None:
    published = read()[name]
    found = KINDS[name].model_validate_json(json.dumps(published))
    assert json.loads(found.model_dump_json()) == published


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("object", {"month": "2026-13"}),
        ("object", {"month": "1999-01"}),
        ("object", {"month": "2026-10 "}),
        ("object", {"partner": "00000001234567890000:income"}),
        ("object", {"type": "own_wishes"}),
        ("answer", {"month": "October"}),
        ("answer", {"rows": [{"role": "officer"}]}),
        ("answer", {"v": 2}),
        ("answer", {"more": 1}),
    ],
)
def test_another_form_is_refused(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KINDS[name].model_validate_json(json.dumps({**read()[name], **change}))
