from __future__ import annotations

from pathlib import Path

import pytest

from broker.purposes.errors import PolicyFileError
from broker.purposes.wording import load_texts
from datwat.protocol.texts import TextMissingError, Texts

TEXTS = Texts(
    {
        "nl": {
            "delete_after": "Verwijder na {days} dagen.",
            "inform_by": "Vertel het voor {date}.",
            "ask_fewer": "Vraag minder: {fields}.",
            "only_dutch": "Alleen Nederlands.",
            "youth": "jeugdhulp",
        },
        "en": {
            "delete_after": "Delete after {days} days.",
            "inform_by": "Tell them before {date}.",
            "ask_fewer": "Ask less: {fields}.",
            "youth": "youth help",
        },
    }
)


def test_a_code_becomes_a_sentence_with_its_parameters() -> None:
    assert TEXTS.render("delete_after", "nl", {"days": 30}) == "Verwijder na 30 dagen."
    params = {"date": "2026-03-02T09:00:00Z"}
    assert TEXTS.render("inform_by", "nl", params) == "Vertel het voor 2 maart 2026."
    assert TEXTS.render("inform_by", "en", params) == "Tell them before 2 March 2026."
    fields = {"fields": ("youth", "status")}
    assert TEXTS.render("ask_fewer", "en", fields) == "Ask less: youth help, status."


def test_a_missing_text_is_the_code_to_a_reader_and_an_error_where_it_can_be_mended() -> None:
    assert TEXTS.render("unknown", "nl") == "unknown"
    assert TEXTS.render("only_dutch", "en") == "only_dutch"
    assert TEXTS.render("delete_after", "nl", {}) == "delete_after"
    with pytest.raises(TextMissingError) as caught:
        TEXTS.require_text("only_dutch", "en")
    assert caught.value.place == "en.only_dutch"
    assert TEXTS.find_missing(["only_dutch", "youth", "unknown"]) == [
        "nl.unknown",
        "en.only_dutch",
        "en.unknown",
    ]


def test_a_parameter_is_text_and_nothing_more() -> None:
    assert TEXTS.render("ask_fewer", "nl", {"fields": ("{days}",)}) == "Vraag minder: {days}."
    texts = Texts({"nl": {"odd": "{days.real} {days}"}, "en": {}})
    assert texts.render("odd", "nl", {"days": 3}) == "{days.real} 3"


def write(folder: Path, nl: str, en: str) -> Path:
    (folder / "texts").mkdir()
    (folder / "texts" / "nl.yaml").write_text(nl, encoding="utf-8")
    (folder / "texts" / "en.yaml").write_text(en, encoding="utf-8")
    return folder


def test_texts_are_read_in_both_languages(tmp_path: Path) -> None:
    folder = write(tmp_path, "code: Eén tekst.\n", "code: One text.\n")
    assert load_texts(folder) == {"nl": {"code": "Eén tekst."}, "en": {"code": "One text."}}


@pytest.mark.parametrize(
    ("nl", "en"), [("a: A\nb: B\n", "a: A\n"), ("a: 1\n", "a: A\n"), ("- a\n", "a: A\n")]
)
def test_a_text_in_one_language_only_is_refused(tmp_path: Path, nl: str, en: str) -> None:
    with pytest.raises(PolicyFileError):
        load_texts(write(tmp_path, nl, en))
