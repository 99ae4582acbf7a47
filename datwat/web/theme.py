"""Whose pages these are: name, logo, colours and who can be called, from one folder.

Rule: a municipality swaps this folder (`theme.css`, `logo.svg`, `texts.toml`) and nothing else; a
file that it leaves out is the project's own.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import orjson
from pydantic import Field, ValidationError

from datwat.party.faults import describe_first_fault, format_steps
from datwat.protocol.values import Value
from datwat.web.problems import ThemeError

DEFAULT: Final = Path(__file__).parent / "theme"
_LARGEST: Final = 256 * 1024


class Said(Value):
    """One text in both languages."""

    nl: str = Field(min_length=1, max_length=500)
    en: str = Field(min_length=1, max_length=500)

    def in_language(self, code: str) -> str:
        """Return the text in a language; English where it is not Dutch."""
        return self.nl if code == "nl" else self.en


class Helper(Value):
    """Somebody who can be called or written to; `phone` as it is dialled, `url` with https."""

    name: Said
    what: Said
    phone: str = Field(default="", pattern=r"^[0-9+ ()-]{0,30}$")
    email: str = Field(default="", pattern=r"^([^\s@<>\"]{1,64}@[^\s@<>\"]{1,190})?$")
    url: str = Field(default="", pattern=r"^(https://[^\s<>\"]{1,200})?$")

    @property
    def dialled(self) -> str:
        """The number as a `tel:` address wants it."""
        return "".join(sign for sign in self.phone if sign.isdigit() or sign == "+")


class ThemeTexts(Value):
    """What `texts.toml` says; an empty `organisation` leaves the party's own name."""

    organisation: str = Field(default="", max_length=120)
    contact: Helper
    privacy_officer: Helper
    support: tuple[Helper, ...] = Field(min_length=1, max_length=10)
    crisis: tuple[Helper, ...] = Field(min_length=1, max_length=10)


class Theme(Value):
    """A theme as it is in force: its texts, and the bytes of its two files."""

    texts: ThemeTexts
    css: str
    logo: bytes


def load_theme(folder: Path | None) -> Theme:
    """Return the theme of a folder, or our own; raise ThemeError, which names the file."""
    if folder is not None and not folder.is_dir():
        raise ThemeError("The setting `theme` names no folder: correct it, or leave it empty.")
    try:
        texts = tomllib.loads(_read(folder, "texts.toml").decode())
        return Theme(
            texts=ThemeTexts.model_validate_json(_encode(texts)),
            css=_read(folder, "theme.css").decode(),
            logo=_read(folder, "logo.svg"),
        )
    except ValidationError as error:
        sentence, steps = describe_first_fault(error)
        raise ThemeError(f"texts.toml of the theme, {format_steps(steps)}: {sentence}") from None
    except ValueError:  # TOML and UTF-8
        raise ThemeError("A file of the theme is not TOML or not UTF-8: correct it.") from None


def _read(folder: Path | None, name: str) -> bytes:
    path = folder / name if folder is not None and (folder / name).exists() else DEFAULT / name
    try:
        content = path.read_bytes()
    except OSError:
        raise ThemeError(f"{name} of the theme cannot be read: correct its rights.") from None
    if len(content) > _LARGEST:
        raise ThemeError(f"{name} of the theme is larger than 256 kB: make it smaller.")
    return content


def _encode(members: object) -> bytes:
    """Return JSON, since strict values take lists for tuples from JSON only."""
    return orjson.dumps(members)
