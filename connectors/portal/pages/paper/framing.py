"""What every document has around its own parts: who made it, what is not in it, who can help. Pure.

Rule: it says the same to everybody, and that some entries may come later, whether any do or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.portal.pages.words import Words
from datwat.protocol.bundle import Bundle
from datwat.web.i18n import Code, Speech, mark
from datwat.web.pages import Pages
from datwat.web.paper.parts import Document, Part
from datwat.web.theme import Helper, ThemeTexts

NOT_HERE = (
    mark("What one organisation does with its own data about you. Ask that organisation."),
    mark("What was shared by telephone, by letter or by e-mail."),
    mark("What care workers share with each other in their own system."),
    mark("What police and justice do. They have rules of their own."),
    mark("What happened before this log began."),
)
LATER = (
    mark(
        "Sometimes somebody could be in danger if you saw a question at once. "
        "The law then lets us tell it later."
    ),
    mark("That is why this holds for everybody: some entries may come later."),
)


@dataclass(frozen=True)
class Setting:
    """In which language, with which words, for whose theme, and when a document is made."""

    speech: Speech
    words: Words
    theme: ThemeTexts
    organisation: str
    now: datetime
    is_represented: bool

    @classmethod
    def of(
        cls, pages: Pages, bundle: Bundle, code: Code, now: datetime, *, is_represented: bool
    ) -> Setting:
        """Return the setting of a document of the same party as its pages."""
        texts = pages.theme.texts
        organisation = texts.organisation or pages.site.organisation
        words = Words.of(bundle, code)
        return cls(pages.speeches[code], words, texts, organisation, now, is_represented)

    def say(self, text: str, **values: str | int) -> str:
        """Return a marked text in the language of the document."""
        return self.speech.say(text, **values)


def build_document(
    setting: Setting, title: str, numbers: Sequence[str], parts: Sequence[Part]
) -> Document:
    """Return a document with its frame."""
    say = setting.say
    made = say(
        mark("Made on %(moment)s by %(organisation)s."),
        moment=setting.speech.say_moment(setting.now),
        organisation=setting.organisation,
    )
    if setting.is_represented:
        made += " " + say(mark("You asked for this for the person whom you represent."))
    return Document(
        lang=setting.speech.code,
        title=title,
        author=setting.organisation,
        made=made,
        footer=say(mark("This is private. Keep it in a safe place.")),
        page=say(mark("Page")),
        of=say(mark("of")),
        numbers=numbers,
        parts=parts,
    )


def build_not_here(setting: Setting) -> Part:
    """Return what the log does not contain, as its page says it."""
    return Part(
        setting.say(mark("What you do not find here")),
        [setting.say(mark("This log is about one route for data. There are others."))],
        [setting.say(text) for text in NOT_HERE],
        after=[setting.say(text) for text in LATER],
    )


def build_help(setting: Setting) -> Part:
    """Return who can help: independent support first, then crisis numbers."""
    texts, code = setting.theme, setting.speech.code
    helpers = (*texts.support, *texts.crisis, texts.contact, texts.privacy_officer)
    return Part(
        setting.say(mark("Who can help you")),
        paragraphs=(
            setting.say(mark("Independent support thinks along with you. It costs nothing.")),
            setting.say(
                mark("Is something wrong? Ask your question first. Or object, or complain.")
            ),
        ),
        items=[_describe(helper, code) for helper in helpers],
    )


def _describe(helper: Helper, code: str) -> str:
    ways = [way for way in (helper.phone, helper.email, helper.url) if way]
    said = f"{helper.name.in_language(code)}. {helper.what.in_language(code)}"
    return f"{said} {' · '.join(ways)}" if ways else said
