"""What differs between two revisions of a purpose, member by member, said in words. Pure.

Each comparison yields changes with their direction: `wider` where somebody may get more, or for
longer; `narrower` where somebody gets less; `other` where neither can be said; `words` where
nothing that is weighed differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from broker.purposes.index import derive_visible
from broker.purposes.models import Edge, Kind, Purpose, Wording
from broker.purposes.naming import Namer, quote
from broker.purposes.phrases import RULES
from broker.purposes.phrases_diff import (
    CHANGES,
    CHECK_NAMES,
    HOLDER,
    HOLDER_WITHIN,
    NEVER,
    TEXT_NAMES,
)
from datwat.protocol.messages import RUNGS, Rung
from datwat.protocol.values import Value

Direction = Literal["wider", "narrower", "other", "words"]
_MODES = ("explicit_consent", "no_objection", "may", "duty")  # the last gives most easily
_CONSENTED = _MODES[:2]
_OBJECTIONS = ("suspend", "suspend_unless_danger", "none")
_EdgeKey = tuple[str, str, str]


class Change(Value):
    """One thing that changes: its direction, the member, and the sentence.

    `place` is of the new revision, or of the old one where the member is gone.
    """

    kind: Direction
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two revisions of one purpose, each with the names of its own catalogue."""

    old: Purpose
    new: Purpose
    before: Namer
    after: Namer

    def say(self, kind: Direction, place: str, phrase: str, *values: object) -> Change:
        """Return one change, said in the language of the names."""
        return Change(kind=kind, place=place, text=self.after.say(CHANGES[phrase], *values))


def compare_terms(pair: Pair) -> Iterator[Change]:
    """Yield what changes in name, time, domain, enforcement and basis."""
    old, new, after = pair.old, pair.new, pair.after
    if old.id != new.id:
        yield pair.say("other", "id", "id", new.id, old.id)
    if old.valid_from != new.valid_from:
        moments = (after.plain_moment(new.valid_from), after.plain_moment(old.valid_from))
        yield pair.say("other", "valid_from", "valid_from", *moments)
    if old.valid_until != new.valid_until:
        ends = [
            after.plain_moment(at) if at else after.say(NEVER)
            for at in (new.valid_until, old.valid_until)
        ]
        longer = old.valid_until is not None and (
            new.valid_until is None or new.valid_until > old.valid_until
        )
        yield pair.say("wider" if longer else "narrower", "valid_until", "valid_until", *ends)
    if old.domain != new.domain:
        domains = (after.domain(new.domain), pair.before.domain(old.domain))
        yield pair.say("other", "domain", "domain", *domains)
    if set(old.not_for) != set(new.not_for):
        kind: Direction = "narrower" if new.not_for else "wider"
        yield pair.say(kind, "not_for", "not_for_less" if new.not_for else "not_for_more")
    if old.basis != new.basis:
        bases = [
            (quote(basis.giver_article), quote(basis.taker_article), after.mode(basis.mode))
            for basis in (new.basis, old.basis)
        ]
        yield pair.say("other", "basis", "basis", *bases[0], *bases[1])


def compare_ends(pair: Pair) -> Iterator[Change]:
    """Yield what changes in how an objection weighs, and how long things are kept."""
    old, new = pair.old, pair.new
    if old.objection != new.objection:
        kind = _direct(_OBJECTIONS.index(old.objection), _OBJECTIONS.index(new.objection))
        said = [pair.after.say(RULES[f"objection_{one}"]) for one in (new.objection, old.objection)]
        yield pair.say(kind, "objection", "objection", *said)
    if old.retention_days != new.retention_days:
        kind = _direct(old.retention_days, new.retention_days)
        days = (new.retention_days, old.retention_days)
        yield pair.say(kind, "retention_days", "retention_days", *days)


def compare_reach(pair: Pair) -> Iterator[Change]:
    """Yield who may ask, on which occasions, and which kinds become visible or do no more."""
    places = {one.function: f"requesters.{i}" for i, one in enumerate(pair.new.requesters)}
    gone = {one.function: f"requesters.{i}" for i, one in enumerate(pair.old.requesters)}
    yield from _compare_rungs(
        pair,
        "requester",
        {one.function: one.inquire for one in pair.old.requesters},
        {one.function: one.inquire for one in pair.new.requesters},
        {**gone, **places},
    )
    old, new = _list_occasions(pair.old), _list_occasions(pair.new)
    places = {name: f"occasions.{name}" for name in (*old, *new)}
    yield from _compare_rungs(pair, "occasion", old, new, places)
    sights = (
        _see(pair.old, pair.before.catalogue.kinds),
        _see(pair.new, pair.after.catalogue.kinds),
    )
    places = {name: f"sees.{name}" for one in sights for name in one}
    yield from _compare_rungs(pair, "sees", *sights, places)


def _list_occasions(purpose: Purpose) -> dict[str, Rung]:
    return {str(occasion): rung for occasion, rung in purpose.occasions.items()}


def _see(purpose: Purpose, kinds: Mapping[str, Kind]) -> dict[str, Rung]:
    known = {kind: rung for kind, rung in purpose.sees.items() if kind in kinds}
    return derive_visible(purpose.model_copy(update={"sees": known}), kinds)


def _compare_rungs(
    pair: Pair,
    phrase: str,
    old: Mapping[str, Rung],
    new: Mapping[str, Rung],
    places: Mapping[str, str],
) -> Iterator[Change]:
    for code in sorted({*old, *new}):
        place, before, after = places[code], old.get(code), new.get(code)
        if before == after:
            continue
        namer = pair.before if after is None else pair.after
        name = _name(namer, phrase, code)
        if after is None:
            yield pair.say("narrower", place, f"{phrase}_gone", name)
        elif before is None:
            yield pair.say("wider", place, f"{phrase}_added", name, namer.rung(after))
        else:
            kind = _direct(RUNGS.index(before), RUNGS.index(after))
            yield pair.say(kind, place, phrase, name, namer.rung(after), namer.rung(before))


def _name(namer: Namer, phrase: str, code: str) -> str:
    if phrase == "requester":
        return namer.say(HOLDER, namer.function(code))
    return namer.occasion(code) if phrase == "occasion" else namer.kind(code)


def compare_edges(pair: Pair) -> Iterator[Change]:
    """Yield, per source, requester and product, which fields pass and on which grounds."""
    old, new = _key_edges(pair.old), _key_edges(pair.new)
    for key in sorted({*old, *new}):
        if key not in new:
            number, edge = old[key]
            for item in edge.fields:
                yield _say_field(pair, "narrower", f"edges.{number}", edge, item.field)
            continue
        number, edge = new[key]
        held = old[key][1] if key in old else None
        carried = {item.field for item in held.fields} if held else set()
        for item in edge.fields:
            if item.field not in carried:
                yield _say_field(pair, "wider", f"edges.{number}", edge, item.field)
        if held is not None:
            yield from _compare_edge(pair, f"edges.{number}", held, edge)


def _key_edges(purpose: Purpose) -> dict[_EdgeKey, tuple[int, Edge]]:
    return {
        (edge.source, edge.requester, edge.product): (number, edge)
        for number, edge in enumerate(purpose.edges)
    }


def _say_field(pair: Pair, kind: Direction, place: str, edge: Edge, path: str) -> Change:
    namer = pair.after if kind == "wider" else pair.before
    phrase = "field_added" if kind == "wider" else "field_gone"
    giver, product, taker = _name_edge(namer, edge)
    return pair.say(kind, f"{place}.fields", phrase, giver, path, product, taker)


def _name_edge(namer: Namer, edge: Edge) -> tuple[str, str, str]:
    return (
        namer.say(HOLDER, namer.function(edge.source)),
        namer.product(edge.product),
        namer.say(HOLDER_WITHIN, namer.function(edge.requester)),
    )


def _compare_edge(pair: Pair, place: str, old: Edge, new: Edge) -> Iterator[Change]:
    giver, product, taker = _name_edge(pair.after, new)
    kept = {item.field for item in new.fields}
    for item in old.fields:
        if item.field not in kept:
            yield _say_field(pair, "narrower", place, old, item.field)

    def say(kind: Direction, member: str, value: str, before: str) -> Change:
        values = (giver, value, product, taker, before)
        return pair.say(kind, f"{place}.{member}", member, *values)

    if old.mode != new.mode:
        alike = old.mode in _CONSENTED and new.mode in _CONSENTED
        kind = "other" if alike else _direct(_MODES.index(old.mode), _MODES.index(new.mode))
        yield say(kind, "mode", pair.after.mode(new.mode), pair.after.mode(old.mode))
    if old.consent_by != new.consent_by and old.consent_by and new.consent_by:
        yield say("other", "consent_by", new.consent_by, old.consent_by)
    if old.giver_article != new.giver_article:
        articles = (quote(new.giver_article), quote(old.giver_article))
        yield say("other", "giver_article", *articles)
    if old.taker_article != new.taker_article:
        articles = (quote(new.taker_article), quote(old.taker_article))
        yield say("other", "taker_article", *articles)
    yield from _compare_grounds(pair, place, old, new)


def _compare_grounds(pair: Pair, place: str, old: Edge, new: Edge) -> Iterator[Change]:
    giver, product, taker = _name_edge(pair.after, new)
    for label in sorted({*old.grounds, *new.grounds}):
        before, after = old.grounds.get(label), new.grounds.get(label)
        values = (pair.after.label(label), product, giver, taker)
        member = f"{place}.grounds.{label}"
        if before is None and after is not None:
            yield pair.say("wider", member, "ground_added", *values, quote(after))
        elif before is not None and after is None:
            yield pair.say("narrower", member, "ground_gone", *values)
        elif before is not None and after is not None and before != after:
            yield pair.say("other", member, "ground", *values, quote(after), quote(before))


def compare_words(pair: Pair) -> Iterator[Change]:
    """Yield what people read otherwise while nothing that is weighed differs."""
    old, new, namer = pair.old, pair.new, pair.after
    for member, (before, after) in {
        "title": _choose(namer, old.title, new.title),
        "sentence": _choose(namer, old.sentence, new.sentence),
        "owner": (old.owner, new.owner),
        "articles": (_list_articles(old), _list_articles(new)),
    }.items():
        if before != after:
            texts = (namer.say(TEXT_NAMES[member]), quote(after), quote(before))
            yield pair.say("words", member, "text", *texts)
    if old.legal_check != new.legal_check:
        checks = [namer.say(CHECK_NAMES[one]) for one in (new.legal_check, old.legal_check)]
        yield pair.say("words", "legal_check", "legal_check", *checks)
    edges = _key_edges(old)
    for key, (number, edge) in _key_edges(new).items():
        held = {item.field: item.why for item in edges[key][1].fields} if key in edges else {}
        for index, item in enumerate(edge.fields):
            before, after = _choose(namer, held.get(item.field, item.why), item.why)
            if before != after:
                name = namer.say(TEXT_NAMES["why"], f"*{item.field}*")
                place = f"edges.{number}.fields.{index}.why"
                yield pair.say("words", place, "text", name, quote(after), quote(before))


def _choose(namer: Namer, old: Wording, new: Wording) -> tuple[str, str]:
    """Return both in this language; where only the other language differs, in that one."""
    chosen = (namer.choose(old), namer.choose(new))
    if chosen[0] != chosen[1]:
        return chosen
    return (old.nl, new.nl) if old.nl != new.nl else (old.en, new.en)


def _list_articles(purpose: Purpose) -> str:
    return "; ".join(f"{one.law} {one.article} ({one.bwb})" for one in purpose.articles)


def _direct(before: int, after: int) -> Direction:
    return "wider" if after > before else "narrower"
