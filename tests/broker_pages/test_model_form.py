"""A purpose is the same through the form, through YAML, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.pages.draft_text import SHAPES, build_face, find_labels, find_name, read_text
from broker.pages.model_document import NotShownError, read_document, spread_document
from broker.pages.model_form import Node, build_nodes
from broker.pages.model_values import Options, add_row, list_rows, read_moment, remove_row
from broker.purposes.models import Purpose
from datwat.party.strict_yaml import read_yaml, read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError

FILES = sorted((Path(__file__).resolve().parents[2] / "policies" / "purposes").glob("*.yaml"))


class PlainWords:
    """Names every member as it is, and offers nothing."""

    def label(self, model: str, member: str) -> tuple[str, str]:
        return f"{model} {member}", ""

    def options(self, model: str, member: str, product: str) -> Options | None:
        del model, member, product
        return None

    def keys(self, model: str, member: str) -> Options:
        del model, member
        return ()


def list_nodes(nodes: tuple[Node, ...]) -> list[Node]:
    """Return every node, the inner ones too."""
    inner = [
        one
        for node in nodes
        for one in list_nodes((*node.nodes, *(one for row in node.rows for one in row.nodes)))
    ]
    return [*nodes, *inner]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_purpose_survives_form_and_yaml(path: Path) -> None:
    document = read_yaml(path, DatwatError)
    values = spread_document(SHAPES, document)
    assert read_document(SHAPES, values) == document
    face = build_face(write_yaml(document))
    assert not face.is_yaml
    assert read_yaml_text(read_text(face.values), "draft", DatwatError) == document
    as_yaml = build_face(read_text(face.values), as_yaml=True)
    assert read_yaml_text(read_text(as_yaml.values), "draft", DatwatError) == document


def test_every_member_of_the_model_stands_on_the_form() -> None:
    values = spread_document(SHAPES, read_yaml(FILES[0], DatwatError))
    places = {node.place for node in list_nodes(build_nodes(SHAPES, values, PlainWords()))}
    assert set(Purpose.model_fields) <= places
    document = read_yaml(FILES[0], DatwatError)
    for number, edge in enumerate(document["edges"]):
        assert {f"edges.{number}.{member}" for member in edge} <= places
        for index in range(len(edge["fields"])):
            assert f"edges.{number}.fields.{index}.why.nl" in places


def test_a_row_is_added_and_taken_out_without_moving_another() -> None:
    document = read_yaml(FILES[0], DatwatError)
    values = spread_document(SHAPES, document)
    more = add_row(values, "articles")
    assert len(list_rows(more, "articles")) == len(document["articles"]) + 1
    assert read_document(SHAPES, more)["articles"][:-1] == document["articles"]
    fewer = remove_row(more, "articles", "0")
    assert read_document(SHAPES, fewer)["articles"] == [*document["articles"][1:], {}]
    assert not [name for name in fewer if name.startswith("articles-0-")]


def test_no_form_makes_rows_without_end() -> None:
    values: Any = {"edges": tuple(str(number) for number in range(5_000))}
    assert len(list_rows(values, "edges")) == 200
    assert len(list_rows(add_row(values, "edges"), "edges")) == 200
    assert list_rows({"edges": ("1", "1", "x", "-1", "9" * 40)}, "edges") == ("1",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("id: a\nblades: off\n", "blades"),
        ("edges:\n  - {source: a, more: {x: 1}}\n", "edges.0.more"),
        ("title: only text\n", "title"),
        ("articles: none\n", "articles"),
        ("id: [a]\n", "id"),
        ("just text\n", "the text"),
        ("id: 'open\n", "the text"),
    ],
)
def test_what_the_form_cannot_show_stays_yaml_with_its_place(text: str, place: str) -> None:
    face = build_face(text)
    assert face.is_yaml
    assert face.unshown == place
    assert read_text(face.values) == text


def test_unknown_members_are_never_dropped_in_silence() -> None:
    with pytest.raises(NotShownError):
        spread_document(SHAPES, {"id": "a", "log": False})


@pytest.mark.parametrize(
    ("day", "time", "moment"),
    [
        ("2026-12-01", "", "2026-11-30T23:00:00Z"),
        ("2026-07-01", "09:30", "2026-07-01T07:30:00Z"),
        ("2026-07-01", "09:30:15", "2026-07-01T07:30:15Z"),
        ("", "", ""),
        ("morgen", "", "morgen"),
        ("2026-13-01", "09:00", "2026-13-01 09:00"),
    ],
)
def test_a_moment_is_typed_in_dutch_time(day: str, time: str, moment: str) -> None:
    assert read_moment(day, time) == moment


def test_a_fault_is_found_at_its_field() -> None:
    values = spread_document(SHAPES, read_yaml(FILES[0], DatwatError))
    nodes = build_nodes(SHAPES, values, PlainWords())
    assert find_name(nodes, "title.nl") == "title-nl"
    assert find_name(nodes, "edges.0.fields.1.why.en") == "edges-0-fields-1-why-en"
    assert find_name(nodes, "edges.0.fields") == "edges-0-fields"
    assert find_name(nodes, "edges.0.nothing") == "edges"
    assert find_name(nodes, "nothing") == ""
    labels = find_labels(nodes, "edges.0.fields.1.why.en")
    assert len(labels) == 4
    assert labels[:1] == find_labels(nodes, "edges")
    assert find_labels(nodes, "nothing") == ()
