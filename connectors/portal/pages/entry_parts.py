"""What the page of one entry shows, from its card, the signed bundle and the trust list. Pure.

Rules: every part says something of the card itself or is not there; a law is a link by its BWB
number only; what a partner wrote is text; a code without a text is shown as it is, never left out.
Source: AVG 13-15; architecture of the card: `datwat.protocol.access_log`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.portal.pages.laws import Law, find_laws, spell_out
from connectors.portal.pages.words import Words
from datwat.protocol.access_log import AccessCard
from datwat.protocol.card_data import CardDataError, read_all_told
from datwat.protocol.catalogue import PurposeView
from datwat.protocol.entry import derive_payload_hash
from datwat.protocol.messages import BLADES
from datwat.protocol.own_affairs import KnownOrganisation
from datwat.protocol.values import derive_function
from datwat.web.i18n import Speech, mark

_YES, _NO = mark("Yes"), mark("No")


@dataclass(frozen=True)
class Who:
    """The organisation that asked: what it does, in whose name, and how to reach it."""

    name: str
    role: str
    function: str
    contact: str


@dataclass(frozen=True)
class Item:
    """One field, or one involvement: its name, and why it was given or withheld."""

    title: str
    why: str


@dataclass(frozen=True)
class Check:
    """One condition and whether it was met."""

    is_met: bool
    text: str


@dataclass(frozen=True)
class Blade:
    """One question of the weighing: the answer, what the professional wrote, and the conditions."""

    name: str
    question: str
    kind: str
    word: str
    wrote: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Basis:
    """The law: what the source's and the requester's articles are, and how binding."""

    giver: str
    taker: str
    mode: str
    laws: tuple[Law, ...]


@dataclass(frozen=True)
class Proof:
    """One entry in the log, as far as people can compare it: all else is in the download.

    Nothing here changes when the log grows, so that no page tells that something was written.
    """

    index: int
    is_own: bool
    tag: str
    payload_hash: str


def read_asked(card: AccessCard) -> Mapping[str, Any]:
    """Return what was asked, as the entry itself has it; empty where nothing was."""
    return _read(card, "asked")


def build_who(card: AccessCard, known: Sequence[KnownOrganisation], words: Words) -> Who:
    """Return who asked; the contact is that of the trust list, where it still takes part."""
    found = next((one for one in known if one.id == card.requester), None)
    return Who(
        name=card.requester_name,
        role=card.role or "",
        function=words.say(derive_function(card.requester).replace("-", "_")),
        contact=found.contact if found else "",
    )


def build_given(card: AccessCard, words: Words) -> list[Item]:
    """Return what was given: fields with why they were needed, or who was shown to be involved."""
    asked = read_asked(card)
    product = str(asked.get("product") or "")
    whys = _find_whys(card, asked, product, words)
    fields = [Item(words.field(product, path), whys.get(path, "")) for path in card.fields_given]
    return fields + [
        Item(one.source_name, _join(words.say_first(one.kind), words.say(one.rung)))
        for one in card.pointers
    ]


def build_withheld(card: AccessCard, words: Words, speech: Speech) -> list[Item]:
    """Return what was asked and not given, each with why."""
    product = str(read_asked(card).get("product") or "")
    said = {one.field: one.text.render(speech.code) for one in card.withheld}
    rest = words.say(card.failure) if card.failure else ""
    paths = [path for path in card.fields_asked if path not in card.fields_given]
    return [Item(words.field(product, path), said.get(path, rest)) for path in paths]


def build_blades(card: AccessCard, words: Words, speech: Speech) -> list[Blade]:
    """Return the five questions with their answers; none for an entry that weighed nothing."""
    if not card.findings:
        return []
    written = card.motivation.model_dump() if card.motivation else {}
    blades = []
    for name in BLADES:
        checks = tuple(
            Check(one.satisfied, one.text.render(speech.code))
            for one in sorted(card.findings, key=lambda one: one.satisfied)
            if one.blade == name
        )
        is_met = all(check.is_met for check in checks)
        word = speech.say(_YES if is_met else _NO) if checks else speech.say(mark("Not asked here"))
        kind = ("yes" if is_met else "no") if checks else "info"
        question = words.say(f"question_{name}")
        blades.append(Blade(name, question, kind, word, str(written.get(name) or ""), checks))
    return blades


def build_basis(card: AccessCard, bundle: Mapping[str, Any], words: Words) -> Basis | None:
    """Return which law it rests on; None for an entry that rests on none by itself."""
    cited = _find_cited(card, words)
    laws = find_laws(bundle, card.purpose or "", cited.digest if cited else "")
    basis = card.legal_basis
    if basis is None:
        return Basis("", "", "", laws) if laws else None
    return Basis(
        giver=spell_out(basis.giver_article),
        taker=spell_out(basis.taker_article),
        mode=words.say_first(_MODES.get(basis.mode, basis.mode)),
        laws=laws,
    )


def build_days(card: AccessCard) -> int | None:
    """Return after how many days who got data must delete it; None where nothing says so."""
    for one in _read(card, "said").get("obligations") or ():
        days = one.get("params", {}).get("days")
        if one.get("code") == "delete_after" and isinstance(days, int):
            return days
    return None


def build_proofs(card: AccessCard) -> list[Proof]:
    """Return each entry of the card as the log has it, the first one first."""
    return [
        Proof(
            index=one.index,
            is_own=one.audience == "own",
            tag=one.tag.hex(),
            payload_hash=derive_payload_hash(one.salt, one.payload).hex(),
        )
        for one in sorted(card.proofs, key=lambda one: one.index)
    ]


_MODES: Final = {"no_objection": "no_objection_written"}


def _find_whys(
    card: AccessCard, asked: Mapping[str, Any], product: str, words: Words
) -> dict[str, str]:
    purpose = _find_cited(card, words)
    source = str((asked.get("source") or {}).get("id") or "")
    edge = purpose and purpose.find_edge(
        source=derive_function(source), requester=derive_function(card.requester), product=product
    )
    return {one.field: one.why.render(words.code) for one in edge.fields} if edge else {}


def _find_cited(card: AccessCard, words: Words) -> PurposeView | None:
    digest = str(read_asked(card).get("purpose_digest") or "")
    return words.find_cited(card.purpose or "", digest)


def _join(first: str, second: str) -> str:
    return f"{first}: {second}" if second else first


def _read(card: AccessCard, member: str) -> Mapping[str, Any]:
    try:
        found = read_all_told(card.proofs)[0].told.get(member)
    except (CardDataError, IndexError):
        return {}
    return found if isinstance(found, Mapping) else {}
