"""Fills what the pages of oversight work with from the running broker.

Rule: names and texts are those of the trust list and the bundle in force at the moment of the call.
"""

from __future__ import annotations

from broker.answers_wiring import Words
from broker.pages.oversight_port import OversightPort
from broker.transparency.oversight_words import Language
from broker.wiring import Broker


def build_oversight_port(broker: Broker) -> OversightPort:
    """Return what the pages of oversight work with."""
    words = Words(broker)

    def say(code: str, language: Language) -> str:
        title = words.find_title(code, language)
        return title if title != code else words.say(code, language)

    def list_partners() -> list[tuple[str, str]]:
        partners = broker.keeper.directory.partners.values()
        return sorted(((one.id, one.name) for one in partners), key=lambda one: one[1])

    return OversightPort(
        service=broker.oversight,
        name=words.name,
        say=say,
        list_partners=list_partners,
    )
