"""Whether an officer's own words are plain enough for who reads them: a warning, with the place.

Rule: it warns and never changes or refuses a word; only Dutch has rules. Source: AVG 12(1).
"""

from __future__ import annotations

from broker.exchange.answering_blocks import Language
from datwat.protocol.plain_dutch import find_unplain


def find_hard_words(text: str, language: Language) -> list[str]:
    """Return where a Dutch answer is harder than B1, each as a sentence in that language."""
    if language != "nl":
        return []
    return [f"Zin {one.sentence}: {one.render('nl')}" for one in find_unplain(text)]
