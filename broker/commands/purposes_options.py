"""Options that several groups of the purposes' commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Language(StrEnum):
    """The languages of the texts."""

    NL = "nl"
    EN = "en"


LanguageOption = Annotated[Language, typer.Option("--language", help="Language of the texts.")]
