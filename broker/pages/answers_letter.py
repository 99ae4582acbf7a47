"""The letter that tells somebody at home what was answered: its parts, before the press. Pure.

Rules: it names nobody and no address: whoever hands it over or sends it knows whom it is for; it
has the answer as the log holds it, the remedy that fits the controller, and who helps. Source: AVG
12(1)-(4); UAVG 34-35; Awb 3:45, 6:7-6:8 (the six weeks begin on the day after).
"""

from __future__ import annotations

from broker.exchange.answering_blocks import Blocks, Language
from broker.exchange.answering_lists import Answered
from datwat.web.dates import say_date
from datwat.web.paper.parts import Document, Part


def build_letter(
    letter: Answered, blocks: Blocks, language: Language, organisation: str
) -> Document:
    """Return the document of a letter, in one language."""

    def say(code: str, **params: str) -> str:
        return blocks.say(code, language, **params)

    day = say_date(letter.answered_at, language)
    begins = [say(f"since_{letter.list}", day=say_date(letter.since_at, language))]
    if letter.number is not None:
        begins.append(say("number", number=str(letter.number)))
    if letter.purpose is not None:
        begins.append(say("purpose", purpose=letter.purpose))
    decided = [say(letter.outcome)] if letter.outcome is not None else []
    answered = [*decided, *letter.text.split("\n"), say("answered_by", role=letter.role)]
    parts = [Part(say("answer"), [one for one in answered if one.strip()])]
    if letter.remedy is not None:
        way = say(f"remedy_{letter.remedy}", organisation=organisation)
        parts.append(Part(say("remedy"), [way, say("remedy_until"), say("remedy_authority")]))
    parts.append(Part(say("help"), [say("help_free"), say("help_log")]))
    return Document(
        lang=language,
        title=say(f"title_{letter.list}"),
        author=organisation,
        made=say("made", organisation=organisation, day=day),
        footer=say("footer"),
        page=say("page"),
        of=say("of"),
        numbers=begins,
        parts=parts,
    )
