"""Answers in plain words: sentences that an officer puts together, in Dutch and English. Pure.

Rules: a resident reads what is written here, so that it is B1 (a test holds every Dutch sentence
against the rules); what an officer adds is held against the same rules as a warning with its place,
and is never changed for them. Source: AVG 12(1); house reference, "Plain Dutch (B1)".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from typing import Final, Literal

import orjson

from broker.exchange.answering_lists import ListName
from datwat.party.errors import PartyError

Language = Literal["nl", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("nl", "en")
LONGEST_ANSWER: Final = 2_000


class BlockUnknownError(PartyError):
    """A building block that this list does not have."""

    code = "block_unknown"
    default_detail = "This list has no such building block: see `datwat answers show`."


class AnswerTooLongError(PartyError):
    """An answer that does not fit into an entry."""

    code = "answer_too_long"
    default_detail = "An answer has at most 2,000 characters: leave out a building block, or words."


@dataclass(frozen=True, slots=True)
class Block:
    """One building block, in which lists it is offered, and its sentences by language."""

    code: str
    lists: tuple[ListName, ...]
    texts: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Blocks:
    """All building blocks, and the fixed words of a letter."""

    blocks: tuple[Block, ...]
    letter: Mapping[str, Mapping[Language, str]]

    def list_for(self, name: ListName, params: Mapping[str, str]) -> tuple[Block, ...]:
        """Return the building blocks of one list, in the order in which an answer says them.

        What asks for a name that is not among `params` is left out.
        """
        return tuple(
            one
            for one in self.blocks
            if name in one.lists and _list_places(one.texts["nl"]) <= set(params)
        )

    def compose(
        self,
        name: ListName,
        codes: Sequence[str],
        language: Language,
        params: Mapping[str, str],
        own: str,
    ) -> str:
        """Return an answer: the chosen blocks in their fixed order, then the officer's own words.

        Raises BlockUnknownError, AnswerTooLongError.
        """
        offered = self.list_for(name, params)
        if set(codes) - {one.code for one in offered}:
            raise BlockUnknownError
        chosen = [one.texts[language] for one in offered if one.code in codes]
        filled = [text.format_map(params) for text in chosen]
        answer = " ".join([*filled, own.strip()]).strip()
        if len(answer) > LONGEST_ANSWER:
            raise AnswerTooLongError
        return answer

    def say(self, code: str, language: Language, **params: str) -> str:
        """Return fixed words of a letter."""
        return self.letter[code][language].format_map(params)


def _list_places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@lru_cache(1)
def load_blocks() -> Blocks:
    """Return the building blocks that come with the package."""
    raw = orjson.loads(files("broker.exchange").joinpath("answer_blocks.json").read_bytes())
    blocks = tuple(
        Block(one["code"], tuple(one["lists"]), {code: one[code] for code in LANGUAGES})
        for one in raw["blocks"]
    )
    return Blocks(blocks, raw["letter"])
