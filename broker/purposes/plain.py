"""Whether residents will understand what a purpose says to them: warnings with their place. Pure.

Checked are the Dutch texts of a purpose and of the codes that residents read; B1 by rule
(`datwat/protocol/plain_dutch.py`). A warning stops nothing: people decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker.purposes.models import Purpose
from datwat.protocol.catalogue import Language
from datwat.protocol.plain_dutch import Remark, find_unexplained, find_unplain
from datwat.protocol.values import Value


class PlacedRemark(Value):
    """A remark and the text that it is on: a member of the purpose, or a code."""

    place: str
    remark: Remark

    def render(self, language: Language) -> str:
        """Return place and remark as one line."""
        word = "zin" if language == "nl" else "sentence"
        return f"{self.place}, {word} {self.remark.sentence}: {self.remark.render(language)}."


def find_unplain_purpose(purpose: Purpose) -> tuple[PlacedRemark, ...]:
    """Return what is not plain in the Dutch texts of a purpose that residents read."""
    return tuple(
        PlacedRemark(place=place, remark=remark)
        for place, text in _list_texts(purpose)
        for remark in (*find_unplain(text), *find_unexplained(text))
    )


def find_unplain_codes(texts: Mapping[str, Mapping[str, str]]) -> tuple[PlacedRemark, ...]:
    """Return what is not plain in the Dutch texts of codes, by code; `texts` by language."""
    return tuple(
        PlacedRemark(place=code, remark=remark)
        for code, text in sorted(texts.get("nl", {}).items())
        for remark in find_unplain(text)
    )


def _list_texts(purpose: Purpose) -> Iterator[tuple[str, str]]:
    yield "title.nl", purpose.title.nl
    yield "sentence.nl", purpose.sentence.nl
    for number, edge in enumerate(purpose.edges):
        for index, item in enumerate(edge.fields):
            yield f"edges.{number}.fields.{index}.why.nl", item.why.nl
