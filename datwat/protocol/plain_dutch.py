"""Plain Dutch by rule: sentences that are not too long, words that people use. Pure.

Rule: B1, as far as a rule can tell: 15 words a sentence at most, no word of the list in
`plain_dutch.toml`, nothing abbreviated, and a legal word only beside its meaning. It warns; whether
a text is clear is for people to say. `scripts/check_texts.py` holds the pages to the same.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Any, Final, Literal

from datwat.protocol.catalogue import Language
from datwat.protocol.values import Value

LONGEST_SENTENCE: Final = 15
_RULES: Final[dict[str, Any]] = tomllib.loads(
    resources.files("datwat.protocol").joinpath("plain_dutch.toml").read_text("utf-8")
)
_TAG: Final = re.compile(r"<[^>]+>")
_SENTENCE: Final = re.compile(r"(?<=[.?!:;])\s+|\n+")
_WORD: Final = re.compile(r"[\w’'%()-]*\w[\w’'%()-]*")
_SHOWN_WORDS: Final = 4

Rule = Literal["long_sentence", "jargon", "abbreviation", "legal_word"]
_PHRASES: Final[dict[Rule, tuple[str, str]]] = {
    "long_sentence": (
        "{advice} woorden in één zin: maak er twee van, elk van hooguit 15",
        "{advice} words in one sentence",
    ),
    "jargon": ("`{word}`: zeg liever ‘{advice}’", "`{word}`: say '{advice}'"),
    "abbreviation": ("`{word}`: schrijf het uit", "`{word}`: write it out"),
    "legal_word": (
        "`{word}`: zeg erbij wat dat betekent",
        "`{word}`: say what it means beside it",
    ),
}


class Remark(Value):
    """One thing that is not plain: in which sentence (from 1), which word, what is better.

    `word`: of a long sentence its beginning; `advice`: of a long sentence how many words it has.
    """

    rule: Rule
    sentence: int
    word: str
    advice: str

    @property
    def place(self) -> str:
        """Where in the text, as Dutch readers count: `zin 2`."""
        return f"zin {self.sentence}"

    def render(self, language: Language) -> str:
        """Return the remark as one sentence without a full stop."""
        return _PHRASES[self.rule][language == "en"].format(word=self.word, advice=self.advice)


def find_unplain(text: str) -> list[Remark]:
    """Return what is not plain in a Dutch text, sentence by sentence; its tags are left out."""
    return [
        remark
        for number, sentence in enumerate(_split(text), start=1)
        for remark in _read_sentence(number, sentence)
    ]


def find_unexplained(text: str) -> list[Remark]:
    """Return the legal words of a Dutch text that gives no meaning of them anywhere."""
    found: list[Remark] = []
    sentences = _split(text)
    for pattern, meaning in _RULES["legal"].items():
        named = re.compile(rf"(?<!\w){pattern}(?!\w)", re.IGNORECASE)
        numbers = [n for n, sentence in enumerate(sentences, start=1) if named.search(sentence)]
        if numbers and not re.search(meaning, text, re.IGNORECASE):
            remark = Remark(rule="legal_word", sentence=numbers[0], word=pattern, advice=meaning)
            found.append(remark)
    return found


def _split(text: str) -> list[str]:
    return [one for one in _SENTENCE.split(_TAG.sub("", text)) if one.strip()]


def _read_sentence(number: int, sentence: str) -> list[Remark]:
    found: list[Remark] = []
    words = _WORD.findall(sentence)
    if len(words) > LONGEST_SENTENCE:
        start = f"{' '.join(words[:_SHOWN_WORDS])} …"
        found.append(_remark("long_sentence", number, start, str(len(words))))
    for pattern, better in _RULES["jargon"].items():
        # Written with the word itself, as it stands there: the pattern is no word for people.
        if hit := re.search(rf"(?<!\w){pattern}(?!\w)", sentence, re.IGNORECASE):
            found.append(_remark("jargon", number, hit[0].lower(), better))
    found.extend(
        _remark("abbreviation", number, short, "")
        for short in _RULES["abbreviations"]
        if re.search(rf"(?<!\w){re.escape(short)}(?!\w)", sentence)
    )
    return found


def _remark(rule: Rule, number: int, word: str, advice: str) -> Remark:
    return Remark(rule=rule, sentence=number, word=word, advice=advice)
