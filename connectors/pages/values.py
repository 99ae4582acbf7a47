"""Fields as the pages show them: asked and why, given, or not given and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.client.results import ReleaseResult
from connectors.pages.desk import Words
from connectors.pages.question import Wanted
from connectors.pages.views import find_field


@dataclass(frozen=True)
class FieldView:
    """A field: its name, why it is needed, what was given, or why it was not."""

    path: str
    title: str
    why: str = ""
    value: str = field(default="", repr=False)


def build_fields(wanted: Wanted, words: Words) -> tuple[FieldView, ...]:
    """Return every field that the purpose lets ask of this source, with its why."""
    return tuple(
        FieldView(
            one.field, find_field(words, wanted.edge.product, one.field), one.why.render(words.code)
        )
        for one in wanted.edge.fields
    )


def build_given(result: ReleaseResult, product: str, words: Words) -> tuple[FieldView, ...]:
    """Return what was released, field by field."""
    return tuple(
        FieldView(path, find_field(words, product, path), value=say_value(value, words))
        for path, value in (result.values or {}).items()
    )


def build_withheld(result: ReleaseResult, product: str, words: Words) -> tuple[FieldView, ...]:
    """Return what was not given, with the reason."""
    return tuple(
        FieldView(one.field, find_field(words, product, one.field), words.say(one.code))
        for one in result.withheld
    )


def say_value(value: object, words: Words) -> str:
    """Return a value as people read it; what it means is the source's to say."""
    if value is None:
        return {"nl": "niet bekend", "en": "not known"}[words.code]
    if isinstance(value, bool):
        return {"nl": ("nee", "ja"), "en": ("no", "yes")}[words.code][value]
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {say_value(held, words)}" for name, held in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(say_value(one, words) for one in value)
    return str(value)
