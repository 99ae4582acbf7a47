"""Building blocks and letters: plain, in both languages, tagged, and with the right remedy."""

from __future__ import annotations

import io
import string
from dataclasses import replace
from datetime import UTC, datetime

import pikepdf
import pytest

from broker.exchange.answering_blocks import (
    LANGUAGES,
    LONGEST_ANSWER,
    AnswerTooLongError,
    BlockUnknownError,
    Language,
    load_blocks,
)
from broker.exchange.answering_desk import OUTCOMES
from broker.exchange.answering_lists import LISTS, Answered, ListName
from broker.exchange.answering_plain import find_hard_words
from broker.pages.answers_letter import build_letter
from datwat.protocol.own_affairs import Remedy
from datwat.protocol.plain_dutch import find_unplain
from datwat.web.paper.parts import encode_document
from datwat.web.paper.press import build_pdf

BLOCKS = load_blocks()
AT = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
ANSWERED = Answered(
    list="objections",
    number=4711,
    since_at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
    answered_at=AT,
    outcome="rejected",
    text="Wij hebben ernaar gekeken. De hulp kan niet zonder.",
    role="privacyfunctionaris",
    remedy="administrative",
    purpose="hulp voor een gezin",
)
OUTCOMES_OF: list[tuple[ListName, str | None, Remedy | None]] = [
    ("objections", "upheld", "administrative"),
    ("objections", "rejected", "court"),
    ("questions", None, None),
    *(
        (name, outcome, None)
        for name in ("urgent", "disputes", "wrong_person")
        for outcome in OUTCOMES[name]
    ),
]


def list_places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_dutch_sentence_that_a_resident_reads_is_plain() -> None:
    texts = {block.code: block.texts["nl"] for block in BLOCKS.blocks}
    texts |= {code: words["nl"] for code, words in BLOCKS.letter.items()}
    assert {code: find_unplain(text) for code, text in texts.items() if find_unplain(text)} == {}


def test_every_text_is_there_in_both_languages_with_the_same_places() -> None:
    for block in BLOCKS.blocks:
        assert list_places(block.texts["nl"]) == list_places(block.texts["en"]), block.code
        assert list_places(block.texts["nl"]) <= {"purpose", "partner"}, block.code
        assert set(block.lists) <= set(LISTS)
    for code, words in BLOCKS.letter.items():
        assert set(words) == set(LANGUAGES), code
        assert list_places(words["nl"]) == list_places(words["en"]), code
    codes = [block.code for block in BLOCKS.blocks]
    assert len(set(codes)) == len(codes)


def test_an_answer_says_the_blocks_in_their_order_and_then_the_officers_words() -> None:
    chosen = ["contact", "purpose", "sorry"]
    answer = BLOCKS.compose("objections", chosen, "nl", {"purpose": "{hulp}"}, " Eigen woorden. ")
    assert answer == (
        "Het spijt ons dat dit zo is gegaan. De gegevens waren nodig voor dit doel: {hulp}. "
        "Wilt u hierover praten? Bel of mail ons. Wij helpen u graag. Eigen woorden."
    )
    assert BLOCKS.compose("objections", [], "en", {}, "x") == "x"
    with pytest.raises(BlockUnknownError):  # there is no purpose to name
        BLOCKS.compose("objections", ["purpose"], "nl", {}, "")
    with pytest.raises(BlockUnknownError):
        BLOCKS.compose("objections", ["was_urgent"], "nl", {}, "")
    with pytest.raises(AnswerTooLongError):
        BLOCKS.compose("objections", ["sorry"], "nl", {}, "a" * LONGEST_ANSWER)


def test_hard_words_are_told_with_their_place_and_english_has_no_rules() -> None:
    hard = "Goed. Indien u dit middels een brief kenbaar wilt maken."
    found = find_hard_words(hard, "nl")
    assert found
    assert any("2" in one for one in found)
    assert find_hard_words("Dit is een kort antwoord.", "nl") == []
    assert find_hard_words(hard, "en") == []


def read_pdf(answered: Answered, language: Language) -> pikepdf.Pdf:
    document = build_letter(answered, BLOCKS, language, "Gemeente Rijnstad")
    return pikepdf.open(io.BytesIO(build_pdf(encode_document(document).decode())))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_is_tagged_and_says_which_language_it_is(language: Language) -> None:
    with read_pdf(ANSWERED, language) as pdf:
        assert str(pdf.Root.Lang) == language
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        with pdf.open_metadata() as held:
            assert held["pdfuaid:part"] == "1"
            assert held["dc:title"] == BLOCKS.say("title_objections", language)
        assert "/H1" in str(list_tags(pdf.Root.StructTreeRoot))


def list_tags(node: pikepdf.Object) -> list[str]:
    """Return the role of each structure element, in reading order."""
    if isinstance(node, pikepdf.Array):
        return [tag for one in node for tag in list_tags(one)]
    if not isinstance(node, pikepdf.Dictionary):
        return []
    found = [str(node.S)] if "/S" in node else []
    return found + (list_tags(node.K) if "/K" in node else [])


@pytest.mark.parametrize(("name", "outcome", "remedy"), OUTCOMES_OF)
@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_letter_for_every_outcome_with_the_remedy_that_fits(
    name: ListName, outcome: str | None, remedy: Remedy | None, language: Language
) -> None:
    answered = replace(ANSWERED, list=name, outcome=outcome, remedy=remedy, purpose=None)
    said = encode_document(build_letter(answered, BLOCKS, language, "Rijnstad")).decode()
    for one in ("administrative", "court"):
        text = BLOCKS.say(f"remedy_{one}", language, organisation="Rijnstad")
        assert (text in said) == (one == remedy)
    assert (BLOCKS.say("remedy_until", language) in said) == (remedy is not None)
    assert BLOCKS.say("help_free", language) in said
    assert ANSWERED.text in said
    assert "4711" in said
    assert "{" not in "".join(part for part in said.split('"') if "{" in part and " " in part)


def test_a_letter_of_an_entry_whose_contents_are_gone_has_no_number() -> None:
    document = build_letter(replace(ANSWERED, number=None), BLOCKS, "nl", "Rijnstad")
    assert "regel" not in " ".join(document.numbers)


def test_words_of_people_stay_text_in_a_letter() -> None:
    evil = '#eval(1) $x$ {purpose} #read("/etc/passwd")'
    document = build_letter(replace(ANSWERED, text=evil), BLOCKS, "nl", "{role}")
    assert build_pdf(encode_document(document).decode()).startswith(b"%PDF-")
    assert evil in [one for part in document.parts for one in part.paragraphs]
