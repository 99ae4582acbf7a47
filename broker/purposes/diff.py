"""What a new revision, or a new bundle, changes: in words, not in lines of a file. Pure.

Rules enforced: whatever is weighed otherwise is said (what no comparison of members says, the
numbered sentences say); what has no effect is called so; a field that a source newly offers is said
to go nowhere until a purpose names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from broker.purposes.catalogue import Catalogue
from broker.purposes.diff_members import (
    Change,
    Direction,
    Pair,
    compare_edges,
    compare_ends,
    compare_reach,
    compare_terms,
    compare_words,
)
from broker.purposes.diff_shared import compare_offers, compare_shared
from broker.purposes.models import Purpose
from broker.purposes.naming import Namer, quote
from broker.purposes.phrases_diff import CHANGES, NOTHING
from broker.purposes.sentences import list_rules, write_sentences
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import Texts
from datwat.protocol.values import Slug, Value

__all__ = [
    "BundleChanges",
    "Change",
    "Direction",
    "describe_bundle_changes",
    "describe_changes",
    "find_unnamed_fields",
]


class BundleChanges(Value):
    """What one bundle changes as against another, by purpose and for all.

    `offered`: fields of products that come or go at the sources; they change no decision by
    themselves. `nothing`: the sentence that says so where nothing that is weighed changes.
    """

    added: dict[Slug, tuple[Change, ...]]
    withdrawn: dict[Slug, tuple[Change, ...]]
    changed: dict[Slug, tuple[Change, ...]]
    shared: tuple[Change, ...]
    offered: tuple[Change, ...]
    nothing: str

    @property
    def has_effect(self) -> bool:
        """Whether anything is decided otherwise."""
        return bool(self.added or self.withdrawn) or any(
            change.kind != "words"
            for changes in (*self.changed.values(), self.shared)
            for change in changes
        )

    def lines(self) -> list[str]:
        """Return every change as one line; the first says so where none has an effect."""
        named = [
            f"{name}: {change.text}"
            for part in (self.added, self.withdrawn, self.changed)
            for name, changes in part.items()
            for change in changes
        ]
        rest = [change.text for change in (*self.shared, *self.offered)]
        return [*([] if self.has_effect else [self.nothing]), *named, *rest]


def describe_changes(
    old: Purpose | None,
    new: Purpose | None,
    catalogue: Catalogue,
    texts: Texts,
    language: Language,
    *,
    old_catalogue: Catalogue | None = None,
) -> tuple[Change, ...]:
    """Return what differs, the weighed before the words; never nothing: that is said as well.

    `catalogue` is that of the new revision; `old_catalogue`, where it is another one, that of the
    old. None for `old` is a purpose that comes, for `new` one that goes.
    """
    after = Namer(catalogue, texts, language)
    before = Namer(old_catalogue or catalogue, texts, language)
    if old is None or new is None:
        return tuple(_say_whole(old, new, before, after))
    pair = Pair(old, new, before, after)
    weighed = [
        *compare_terms(pair),
        *compare_reach(pair),
        *compare_edges(pair),
        *compare_ends(pair),
    ]
    weighed = weighed or list(_compare_rules(pair, texts, language))
    words = list(compare_words(pair))
    if weighed:
        return (*weighed, *words)
    return (Change(kind="words", place="", text=after.say(NOTHING)), *words)


def _say_whole(
    old: Purpose | None, new: Purpose | None, before: Namer, after: Namer
) -> Iterator[Change]:
    """Yield that a purpose comes, with whom it lets share what, or that one goes."""
    if new is None:
        if old is None:
            yield Change(kind="words", place="", text=after.say(NOTHING))
            return
        values = (quote(before.choose(old.title)), old.id)
        text = before.say(CHANGES["withdrawn"], *values)
        yield Change(kind="narrower", place="", text=text)
        return
    values = (quote(after.choose(new.title)), new.id)
    text = after.say(CHANGES["added"], *values, after.plain_moment(new.valid_from))
    yield Change(kind="wider", place="", text=text)
    empty: dict[str, Any] = {"requesters": (), "occasions": {}, "sees": {}, "edges": ()}
    pair = Pair(new.model_copy(update=empty), new, after, after)
    yield from compare_reach(pair)
    yield from compare_edges(pair)


def _compare_rules(pair: Pair, texts: Texts, language: Language) -> Iterator[Change]:
    """Yield the numbered sentences that came and went: what the members alone do not show."""
    old = list_rules(write_sentences(pair.old, pair.before.catalogue, texts, language))
    new = list_rules(write_sentences(pair.new, pair.after.catalogue, texts, language))
    held, kept = {one.text for one in old}, {one.text for one in new}
    for sentence in old:
        if sentence.text not in kept:
            yield pair.say("other", sentence.place, "rule_gone", sentence.text)
    for sentence in new:
        if sentence.text not in held:
            yield pair.say("other", sentence.place, "rule_new", sentence.text)


def describe_bundle_changes(
    old: Catalogue, new: Catalogue, texts: Texts, language: Language
) -> BundleChanges:
    """Return what the purposes of `new` change as against those of `old`, and what all share.

    Of each purpose the revision that begins last is compared; `texts` are those of `new`.
    """
    namer = Namer(new, texts, language)
    shared = tuple(compare_shared(old, new, namer))
    offered = tuple(compare_offers(Namer(old, texts, language), namer))
    added, withdrawn, changed = {}, {}, {}
    for name in sorted({*old.purposes, *new.purposes}):
        if old.purposes.get(name) == new.purposes.get(name) and not (shared or offered):
            continue
        changes = _compare_histories(name, old, new, texts, language)
        if name not in old.purposes:
            added[name] = changes
        elif name not in new.purposes:
            withdrawn[name] = changes
        elif changes:
            changed[name] = changes
    return BundleChanges(
        added=added,
        withdrawn=withdrawn,
        changed=changed,
        shared=shared,
        offered=offered,
        nothing=namer.say(NOTHING),
    )


def _compare_histories(
    name: str, old: Catalogue, new: Catalogue, texts: Texts, language: Language
) -> tuple[Change, ...]:
    before, after = old.find_newest(name), new.find_newest(name)
    changes = describe_changes(before, after, new, texts, language, old_catalogue=old)
    if before is None or after is None:
        return changes
    # A sentence that says only that nothing changes is one for the whole bundle.
    if before == after:
        changes = tuple(change for change in changes if change.kind != "words")
    gone = _list_gone(old.purposes[name], new.purposes[name])
    namer = Namer(old, texts, language)
    return (
        *(
            Change(
                kind="other",
                place="",
                text=namer.say(CHANGES["revision_gone"], namer.plain_moment(one.valid_from)),
            )
            for one in gone
        ),
        *changes,
    )


def _list_gone(old: tuple[Purpose, ...], new: tuple[Purpose, ...]) -> list[Purpose]:
    """Return the revisions that were withdrawn.

    One that was superseded falls out by itself, when a newer one comes, and is none of them.
    """
    has_newer = any(one not in old for one in new)
    return [
        one
        for one in old
        if one not in new and not (has_newer and one.valid_from < new[-1].valid_from)
    ]


def find_unnamed_fields(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Return by product the fields that no purpose names: never released."""
    named = {
        (edge.product, item.field)
        for revisions in catalogue.purposes.values()
        for purpose in revisions
        for edge in purpose.edges
        for item in edge.fields
    }
    unnamed = {
        name: tuple(one.field for one in product.fields if (name, one.field) not in named)
        for name, product in catalogue.products.items()
    }
    return {name: fields for name, fields in unnamed.items() if fields}
