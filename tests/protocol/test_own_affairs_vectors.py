"""Wishes, and what a resident reads of themselves, have one form; vector: `own-affairs.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from datwat.protocol.acts import Wish
from datwat.protocol.own_affairs import KnownOrganisation, OwnInvolvements, OwnWishes

VECTOR = Path(__file__).parents[1] / "vectors" / "own-affairs.json"
ORIGIN = "Written by hand from docs/reference/protocol.md, section 5; read and written back here."
KINDS: dict[str, type[BaseModel]] = {
    "wish": Wish,
    "involvements": OwnInvolvements,
    "wishes": OwnWishes,
    "organisation": KnownOrganisation,
}


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
        ("wish", {"shields": False}),
        ("wish", {"asks": {"to": None, "text": "", "about": None}}),
        ("wish", {"asks": {"to": None, "text": "a\nb", "about": None}}),
        ("wish", {"blocks": "een school"}),
        ("wish", {"lifts": -1}),
        ("wish", {"unknown": 1}),
        ("involvements", {"is_whole": None}),
        ("wishes", {"blocks": None}),
    ],
)
def test_another_form_is_refused(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KINDS[name].model_validate_json(json.dumps({**read()[name], **change}))
