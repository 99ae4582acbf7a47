"""Puts together what officers answer residents with, from the running broker.

Rule: names and texts are those of the trust list and the bundle in force at the moment of the call.
"""

from __future__ import annotations

from broker.audit.payloads import Organisation
from broker.audit.told import ToldLines
from broker.exchange.acts import name_party
from broker.exchange.answering_blocks import Language, load_blocks
from broker.exchange.answering_desk import AnswerDesk
from broker.exchange.answering_plain import find_hard_words
from broker.exchange.rooms import Rooms
from broker.pages.answers_port import AnswersPort
from broker.wiring import Broker, build_find_purpose
from datwat.protocol.bundle import Bundle
from datwat.protocol.texts import Texts
from datwat.web.paper.printing import Printing


class Words:
    """How codes, purposes and partners are called now."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: tuple[Bundle, Texts] | None = None

    def say(self, code: str, language: Language) -> str:
        """Return the text of a code, or the code itself."""
        bundle = self._broker.policy.bundle
        if self._held is None or self._held[0] is not bundle:
            self._held = bundle, Texts(bundle.texts)
        return self._held[1].render(code, language)

    def find_title(self, purpose: str, language: Language) -> str:
        """Return what a purpose is called, or its id where it is not in force any more."""
        view, now = self._broker.policy.bundle.view, self._broker.rooms.clock()
        found = view.find_shown(purpose, now)
        return found.title.render(language) if found is not None else purpose

    def name(self, party: str) -> str:
        """Return what a partner is called, or a dash."""
        return name_party(self._broker.keeper.directory, party).name


def build_answer_desk(broker: Broker, rooms: Rooms | None = None) -> AnswerDesk:
    """Return the service that lists and answers for this broker; `rooms` in place of its own."""
    return AnswerDesk.build(
        rooms or broker.rooms,
        broker.store,
        ToldLines(broker.store, broker.sealing),
        Organisation(id=broker.settings.id, name=broker.settings.name),
        openings=broker.openings,
        erasures=broker.erasures,
        find_purpose=build_find_purpose(lambda: broker.policy.bundle),
    )


def build_answers_port(broker: Broker) -> AnswersPort:
    """Return what the answer pages work with, and the letters of the command too."""
    words = Words(broker)
    return AnswersPort(
        desk=build_answer_desk(broker),
        blocks=load_blocks(),
        organisation=broker.settings.name,
        say=words.say,
        find_title=words.find_title,
        name=words.name,
        find_hard_words=find_hard_words,
        press=Printing().build_pdf,
    )
