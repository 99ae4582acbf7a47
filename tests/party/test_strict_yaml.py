from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest
from pydantic import model_validator

from datwat.party.strict_yaml import MAX_BYTES, read_model, read_yaml
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import FormError, Value


class RefusedError(DatwatError):
    code = "file_invalid"


class Row(Value):
    code: str
    number: int
    on: bool

    @model_validator(mode="after")
    def _only_even(self) -> Self:
        if self.on and self.number % 2:
            raise FormError("Only even ones are on.")
        return self


def write(tmp_path: Path, text: str | bytes) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    path = folder / "rows.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_scalars_have_one_meaning_each(tmp_path: Path) -> None:
    text = (
        "date: 2026-01-31\nmoment: 2026-01-31T12:00:00Z\ncode: 01\nhex: 0x1f\npart: 1.5\n"
        "no: no\nyes: Yes\nnumber: -12\nflag: true\nother: false\nnone: null\nempty:\n<<: merge\n"
        "sixty: 1:30\n1: one\n"
    )
    assert read_yaml(write(tmp_path, text), RefusedError) == {
        "date": "2026-01-31",
        "moment": "2026-01-31T12:00:00Z",
        "code": "01",
        "hex": "0x1f",
        "part": "1.5",
        "no": "no",
        "yes": "Yes",
        "number": -12,
        "flag": True,
        "other": False,
        "none": None,
        "empty": None,
        "<<": "merge",
        "sixty": "1:30",
        1: "one",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3"),
        ("rows:\n  - {a: 1, a: 1}\n", "line 2"),
        ('1: x\n"1": y\n', "line 2"),
        ("a: &x [1]\nb: *x\n", "line 2"),
        ("a: [", "line 1"),
        ("a: !!python/name:os.system x\n", "line 1"),
        (b"a: \xff\n", "UTF-8"),
        (b"a: " + b"x" * MAX_BYTES, "larger"),
        ("[" * 20_000, "rows.yaml"),
        ("a: \x07\n", "line 1, column 4: a sign stands there that no text may hold"),
        ("a: @999990019\n", "line 1, column 4: this is not YAML: check quotes"),
        ("a: !999990019 x\n", "line 1, column 4: this is not YAML: check quotes"),
    ],
)
def test_what_is_not_strict_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        read_yaml(write(tmp_path, text), RefusedError)
    assert said in caught.value.detail
    assert caught.value.detail.startswith("policies/rows.yaml")
    assert str(tmp_path) not in caught.value.detail
    assert "999990019" not in caught.value.detail


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"none.yaml is not there: check the path"):
        read_yaml(tmp_path / "none.yaml", RefusedError)


def test_a_model_is_read_strictly(tmp_path: Path) -> None:
    path = write(tmp_path, "{code: x, number: 2, on: true}\n")
    assert read_model(path, Row, RefusedError) == Row(code="x", number=2, on=True)


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("{code: x999990019, on: true, number: two}", "number", "A whole number is needed here"),
        ("{code: 999990019, on: true, number: 2}", "code", "Text is needed here"),
        ("{code: x999990019, on: yes, number: 2}", "on", "true or false is needed here"),
        ("{code: x999990019, on: true, number: 2, more: 1}", "more", "A member here is unknown"),
        ("{code: x999990019, on: true, number: 3}", "the whole file", "Only even ones are on."),
        ("x999990019", "the whole file", "An object is needed here"),
    ],
)
def test_what_does_not_fit_the_model_is_said_by_place_in_our_words(
    tmp_path: Path, text: str, place: str, sentence: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        read_model(write(tmp_path, text), Row, RefusedError)
    assert caught.value.place == place
    assert caught.value.detail.startswith(f"policies/rows.yaml, {place}: {sentence}")
    assert "999990019" not in caught.value.detail


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="only text"):
        read_model(write(tmp_path, "a: !!timestamp 2026-01-31\n"), dict[str, str], RefusedError)
