"""The broker's answer to a question for figures is taken only where it fits; pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.client.figures import build_figures_csv, read_figures
from connectors.errors import AnswerFormError
from datwat.protocol.own_figures import OwnFigures

VECTOR = Path(__file__).parents[2] / "vectors" / "own-figures.json"
ANSWER: dict[str, Any] = json.loads(VECTOR.read_text(encoding="utf-8"))["answer"]
RID = OwnFigures.model_validate_json(json.dumps(ANSWER)).rid
PARTNER, MONTH = ANSWER["partner"], ANSWER["month"]


def read(month: str | None = MONTH, **changes: object) -> Any:  # noqa: ANN401 - figures
    return read_figures(json.dumps({**ANSWER, **changes}).encode(), RID, PARTNER, month)


def test_an_answer_that_fits_is_given_on() -> None:
    found = read()
    assert (found.partner, found.month, len(found.rows)) == (PARTNER, MONTH, 2)
    assert read(None) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"rid": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"partner": "00000001234567890000:income"},
        {"month": "2026-09"},
        {"v": 2},
        {"rows": None},
        {"more": 1},
    ],
)
def test_another_answer_is_not(changes: dict[str, Any]) -> None:
    with pytest.raises(AnswerFormError):
        read(**changes)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"v": 1, "v": 1}', b"\xff"])
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(AnswerFormError):
        read_figures(raw, RID, PARTNER, None)


def test_a_table_has_a_line_per_row_and_the_members_of_the_protocol() -> None:
    lines = build_figures_csv(read()).splitlines()
    assert lines[0] == "month,partner,role,act,purpose,asked,refused,nobody,off_hours"
    assert lines[1] == f"2026-10,{PARTNER},requester,inquire,coordinate_family_help,14,1,5,2"
    assert len(lines) == 3
