"""Plain Dutch by rule: warnings with their place, of texts that residents read."""

from __future__ import annotations

import pytest

from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Wording
from broker.purposes.plain import find_unplain_codes, find_unplain_purpose
from datwat.protocol.plain_dutch import LONGEST_SENTENCE, find_unexplained, find_unplain


@pytest.mark.parametrize(
    ("text", "rule", "sentence", "word", "advice"),
    [
        ("Goed. Indien u wilt.", "jargon", 2, "indien", "als"),
        ("De Ketenpartners vragen dit.", "jargon", 1, "ketenpartners", "organisatie"),
        ("Uw BSN staat er niet.", "abbreviation", 1, "BSN", ""),
        ("Een, o.a. dit.", "abbreviation", 1, "o.a.", ""),
        (f"Kort. {'woord ' * 16}", "long_sentence", 2, "woord woord woord woord …", "16"),
    ],
)
def test_it_finds(text: str, rule: str, sentence: int, word: str, advice: str) -> None:
    (remark,) = find_unplain(text)
    assert (remark.rule, remark.sentence, remark.word) == (rule, sentence, word)
    assert remark.advice == advice
    assert remark.place == f"zin {sentence}"
    for language in ("nl", "en"):
        said = remark.render(language)
        assert said
        assert "{" not in said


def test_it_leaves_plain_words_alone() -> None:
    assert find_unplain(f"{'woord ' * LONGEST_SENTENCE}. De indiening is klaar.") == []
    assert find_unplain("") == []
    assert find_unplain("<b>Dag</b>") == []


def test_a_legal_word_needs_its_meaning() -> None:
    (remark,) = find_unexplained("Dag. Wij vragen toestemming.")
    assert (remark.rule, remark.sentence, remark.word) == ("legal_word", 2, "toestemming")
    assert find_unexplained("Wij vragen toestemming: u zegt ja of nee.") == []


def test_every_dutch_text_of_a_purpose_is_read(catalogue: Catalogue) -> None:
    purpose = catalogue.find_newest("debt_counselling")
    assert purpose is not None
    assert find_unplain_purpose(purpose) == ()
    hard = Wording(nl="Indien nodig.", en="Indien is fine in English.")
    edge = purpose.edges[1]
    fields = (edge.fields[0].model_copy(update={"why": hard}), *edge.fields[1:])
    changed = purpose.model_copy(
        update={
            "title": hard,
            "sentence": hard,
            "edges": (purpose.edges[0], edge.model_copy(update={"fields": fields})),
        }
    )
    found = find_unplain_purpose(changed)
    assert [one.place for one in found] == ["title.nl", "sentence.nl", "edges.1.fields.0.why.nl"]
    assert found[0].render("nl") == "title.nl, zin 1: `indien`: zeg liever ‘als’."
    assert found[0].render("en") == "title.nl, sentence 1: `indien`: say 'als'."


def test_texts_of_codes_are_read_by_their_code() -> None:
    texts = {"nl": {"b": "Dag.", "a": "Reeds gedaan."}, "en": {"a": "Reeds"}}
    assert [one.place for one in find_unplain_codes(texts)] == ["a"]
