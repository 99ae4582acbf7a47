"""What a proposal does to the cases that guard a purpose: how many go, come and change. Pure.

Rule enforced: the cases of a draft stand in the place of all cases of its purpose, so whatever that
takes out is said, and by its name: what no case guards any more, nothing notices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from broker.purposes.bundled_cases import bind_cases
from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.naming import quote
from broker.purposes.phrases_diff import CASES
from datwat.protocol.catalogue import Language

_MOST_NAMED = 10


def describe_case_changes(
    old: Iterable[Case], new: Iterable[Case], catalogue: Catalogue, language: Language
) -> tuple[str, ...]:
    """Return in words what becomes of the cases of one purpose; nothing where all stay as they are.

    Both are put to the newest revision in `catalogue` first, so that a new beginning or digest by
    itself changes no case. A case is known by its name; of two with one name, by their order.
    """
    before, after = _bind(old, catalogue), _bind(new, catalogue)
    names = sorted({*before, *after})
    gone, come, changed, same = [], 0, 0, 0
    for name in names:
        for held, kept in zip_longest(before.get(name, ()), after.get(name, ())):
            if kept is None:
                gone.append(name)
            elif held is None:
                come += 1
            elif held == kept:
                same += 1
            else:
                changed += 1
    if not (gone or come or changed):
        return ()
    return tuple(_say(gone, (come, changed, same), language))


def describe_all_case_changes(
    old: Sequence[Case], new: Sequence[Case], catalogue: Catalogue, language: Language
) -> tuple[str, ...]:
    """Return the same for every purpose, each line after the name of its purpose.

    Of a purpose that goes, the number of its cases says enough.
    """
    lines: list[str] = []
    held, kept = _group(old), _group(new)
    for name in sorted({*held, *kept}):
        before, after = held.get(name, []), kept.get(name, [])
        if before == after:
            continue
        found = describe_case_changes(before, after, catalogue, language)
        is_there = not name or name in catalogue.purposes
        called = name or CASES["no_purpose"][language == "en"]
        lines.extend(f"{called}: {line}" for line in (found if is_there else found[:1]))
    return tuple(lines)


def _group(cases: Iterable[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.purpose or "", []).append(case)
    return found


def _say(gone: Sequence[str], counts: tuple[int, int, int], language: Language) -> Iterator[str]:
    is_english = language == "en"
    yield CASES["counts"][is_english].format(len(gone), *counts)
    if gone:
        named = ", ".join(quote(name) for name in gone[:_MOST_NAMED])
        more = len(gone) - _MOST_NAMED
        key = "gone_more" if more > 0 else "gone"
        yield CASES[key][is_english].format(named, more)


def _bind(cases: Iterable[Case], catalogue: Catalogue) -> dict[str, list[Any]]:
    """Return by name what each case asks and expects, at moments that can be compared.

    Cases of a purpose that is not in the catalogue any more are compared as they were written.
    """
    held = list(cases)
    bound = bind_cases(held, catalogue) or held
    found: dict[str, list[Any]] = {}
    for case in bound:
        expect = case.expect.model_dump(mode="json", exclude_unset=True)
        found.setdefault(case.name, []).append((case.question, expect))
    return found
