"""Trying a bundle before it is put in force: it fits, and each of its cases comes out as it says.

Rules enforced: a bundle of which a case fails, whose parts do not fit each other, or that switches
a guard rail off, is not put in force, whoever signed it. Nothing here knows OPA: who does hands
over `query`. A case that got no decision at all says nothing of the bundle, and is raised.

Of hundreds of purposes all but one are as they were. Where the rules and all that purposes share
are those of a bundle that is in force, a decision depends on the purpose asked for and on
the resident's own access only (`facts.rego`, held by a test): then what did not change is not tried
anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from broker.policy.decision import Decision, EntryPoint, entry_point_of
from broker.purposes.bundled_cases import bind_cases, read_cases
from broker.purposes.cases import Case, Failure, compare
from broker.purposes.catalogue import Catalogue, require_consistent
from broker.purposes.guards import OWN_ACCESS, require_guarded_catalogue
from datwat.protocol.bundle import Bundle, BundleError, read_archive

Query = Callable[[EntryPoint, dict[str, Any]], Awaitable[Decision]]
"""Gives the decision of the bundle on a document; raises PolicyUnavailableError."""
Prove = Callable[[Query], Awaitable[None]]
"""Raises unless what answers may be put in force."""
_AT_ONCE = 8
_MOST_NAMED = 3


class BundleCasesError(BundleError):
    """A case in the bundle comes out otherwise than it says."""

    code = "bundle_cases"
    default_detail = "A case of the policy bundle comes out otherwise than it says."


def list_cases(bundle: Bundle, proven: Bundle | None = None) -> tuple[Case, ...]:
    """Return the cases of a bundle as they are put to it, but those that `proven` has settled.

    Raises BundleError for what cannot be read, PolicyFileError where its parts do not fit each
    other, GuardRailError where it switches one off.
    """
    catalogue = Catalogue.from_bundle(bundle)
    require_consistent(catalogue)
    require_guarded_catalogue(catalogue)
    settled = find_settled(bundle, proven) if proven is not None else frozenset()
    cases = bundle.cases
    if settled:  # hundreds of purposes have thousands, which are not read for nothing
        left = [one for one in cases["cases"] if one.get("purpose") not in settled]
        cases = {**cases, "cases": left}
    return bind_cases(read_cases(cases), catalogue)


def find_settled(bundle: Bundle, proven: Bundle) -> frozenset[str | None]:
    """Return the purposes (None: of acts without one) whose cases come out as in `proven`."""
    if _read_shared(bundle) != _read_shared(proven):
        return frozenset()
    new, old = bundle.catalogue["purposes"], proven.catalogue["purposes"]
    if new.get(OWN_ACCESS) != old.get(OWN_ACCESS):
        return frozenset()
    try:
        tried, known = _group(bundle), _group(proven)
    except (KeyError, TypeError, AttributeError):
        return frozenset()  # whoever reads the cases next says what is wrong with them
    same = {name for name, history in new.items() if history == old.get(name)}
    return frozenset(name for name in tried if name in {*same, None} and tried[name] == known[name])


def _read_shared(bundle: Bundle) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return what every decision depends on: the rules, and the catalogue without purposes."""
    files = read_archive(bundle.archive)
    rules = {path: content for path, content in files.items() if path.endswith(".rego")}
    return rules, {name: part for name, part in bundle.catalogue.items() if name != "purposes"}


def _group(bundle: Bundle) -> dict[str | None, list[Any]]:
    grouped: dict[str | None, list[Any]] = defaultdict(list)
    for one in bundle.cases["cases"]:
        grouped[one.get("purpose")].append(one)
    return grouped


async def run_cases(query: Query, cases: Sequence[Case]) -> tuple[Failure, ...]:
    """Return how cases came out otherwise, in their order; raise PolicyUnavailableError."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def run(case: Case) -> tuple[Failure, ...]:
        async with gate:
            decision = await query(entry_point_of(case.question["act"]), case.question)
        return compare(case, decision)

    tasks = [asyncio.ensure_future(run(case)) for case in cases]
    try:
        found = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return tuple(failure for failures in found for failure in failures)


async def require_proven(query: Query, bundle: Bundle, proven: Bundle | None = None) -> None:
    """Raise BundleCasesError, naming the first cases, unless all come out as they say.

    `proven` is in force: what it has settled is not tried anew.

    Raises what `list_cases` raises, PolicyUnavailableError for no decision.
    """
    cases = await asyncio.to_thread(list_cases, bundle, proven)
    failures = await run_cases(query, cases)
    if failures:
        named = list(dict.fromkeys(failure.case for failure in failures))
        more = f", and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise BundleCasesError(
            f"Cases of the policy bundle come out otherwise than they say: "
            f"{'; '.join(named[:_MOST_NAMED])}{more}. `datwat purpose check` shows how."
        )
