"""Fills what the pages of oversight work with from the running broker.

Rule: names and texts are those of the trust list and the bundle in force at the moment of the call.
"""

from __future__ import annotations

from broker.exchange.acts import name_party
from broker.pages.oversight_port import OversightPort
from broker.transparency.oversight_words import Language
from broker.wiring import Broker
from datwat.protocol.bundle import Bundle
from datwat.protocol.texts import Texts


class _Words:
    """How codes and purposes are called now."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: tuple[Bundle, Texts] | None = None

    def say(self, code: str, language: Language) -> str:
        """Return a purpose's title, the text of a code, or the code itself."""
        bundle, now = self._broker.policy.bundle, self._broker.rooms.clock()
        purpose = bundle.view.find_shown(code, now)
        if purpose is not None:
            return purpose.title.render(language)
        if self._held is None or self._held[0] is not bundle:
            self._held = bundle, Texts(bundle.texts)
        return self._held[1].render(code, language)


def build_oversight_port(broker: Broker) -> OversightPort:
    """Return what the pages of oversight work with."""

    def list_partners() -> list[tuple[str, str]]:
        partners = broker.keeper.directory.partners.values()
        return sorted(((one.id, one.name) for one in partners), key=lambda one: one[1])

    return OversightPort(
        service=broker.oversight,
        name=lambda party: name_party(broker.keeper.directory, party).name,
        say=_Words(broker).say,
        list_partners=list_partners,
    )
