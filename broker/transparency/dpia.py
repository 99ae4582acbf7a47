"""A fact sheet for a data protection impact assessment (AVG 35), made from what is in force. Pure.

Rules: facts only, each counted or listed from the bundle and the trust list in force, so that it
cannot say anything else than what is weighed; the assessment itself is a person's. What is open or
risky comes first to the eye: articles that nobody confirmed, special categories, children, grounds
to tell somebody later. Source: AVG 35(7); standards.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose
from broker.transparency.processing_register import MEASURES, list_recipients
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle
from datwat.protocol.values import derive_function

_SPECIAL: Final = frozenset({"s", "c"})
# What stays with all measures in place; said in docs/explanation/trust.md.
RESIDUAL: Final = (
    "broker_mistags",
    "broker_and_source",
    "professional_lies",
    "small_circle",
    "sealed_keys",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact by its code: a number, a list of words, or both."""

    code: str
    count: int
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Facts that belong together."""

    code: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The fact sheet of one bundle and one trust list."""

    bundle_digest: str
    bundle_seq: int
    list_seq: int
    sections: tuple[Section, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as JSON values."""
        return {
            "v": 1,
            "bundle_digest": self.bundle_digest,
            "bundle_seq": self.bundle_seq,
            "list_seq": self.list_seq,
            "sections": [
                {
                    "code": section.code,
                    "facts": [
                        {"code": one.code, "count": one.count, "words": list(one.words)}
                        for one in section.facts
                    ],
                }
                for section in self.sections
            ],
        }


def build_dpia(bundle: Bundle, directory: Directory, now: datetime) -> Sheet:
    """Return the fact sheet of what is in force at `now`."""
    catalogue = Catalogue.from_bundle(bundle)
    found = (catalogue.find_revision(name, now) for name in sorted(catalogue.purposes))
    purposes = [one for one in found if one is not None]
    return Sheet(
        bundle_digest=bundle.digest,
        bundle_seq=bundle.seq,
        list_seq=directory.trust.seq,
        sections=(
            _describe_purposes(purposes),
            _describe_data(purposes, catalogue),
            _describe_people(purposes, catalogue),
            _describe_parties(purposes, directory),
            _describe_terms(purposes, catalogue),
            _describe_rails(catalogue),
            Section("measures", (_list("measures", (text for _, text in MEASURES)),)),
            Section("residual", (_list("residual", RESIDUAL),)),
        ),
    )


def _list(code: str, words: Iterable[str]) -> Fact:
    found = tuple(words)
    return Fact(code, len(found), found)


def _describe_purposes(purposes: list[Purpose]) -> Section:
    return Section(
        "purposes",
        (
            _list("purposes", (one.id for one in purposes)),
            _list("articles_open", (one.id for one in purposes if one.legal_check == "open")),
            _list("no_objection_possible", (x.id for x in purposes if x.objection == "none")),
            _list("by_consent", (x.id for x in purposes if _has_mode(x, "explicit_consent"))),
            _list("by_duty", (x.id for x in purposes if _has_mode(x, "duty"))),
        ),
    )


def _has_mode(purpose: Purpose, mode: str) -> bool:
    return any(edge.mode == mode for edge in purpose.edges)


def _describe_data(purposes: list[Purpose], catalogue: Catalogue) -> Section:
    given = {
        (edge.product, one.field) for each in purposes for edge in each.edges for one in edge.fields
    }
    labelled = {
        (name, one.field): set(one.labels)
        for name, product in catalogue.products.items()
        for one in product.fields
    }
    special = sorted(
        f"{product}.{path}" for product, path in given if labelled[product, path] & _SPECIAL
    )
    secret = sorted(f"{product}.{path}" for product, path in given if labelled[product, path])
    offered = {(name, one.field) for name, has in catalogue.products.items() for one in has.fields}
    return Section(
        "data",
        (
            Fact("fields", len(given)),
            _list("fields_special", special),
            _list("fields_labelled", secret),
            _list("fields_never_given", sorted(f"{a}.{b}" for a, b in offered - given)),
        ),
    )


def _describe_people(purposes: list[Purpose], catalogue: Catalogue) -> Section:
    seen = {name for one in purposes for name in one.sees}
    young = sorted(x for x in seen if x in catalogue.kinds and catalogue.kinds[x].whose == "youth")
    capped = sorted(x for x in seen if x in catalogue.kinds and catalogue.kinds[x].cap != "wat")
    return Section(
        "people",
        (
            _list("kinds", sorted(seen)),
            _list("kinds_of_children", young),
            _list("kinds_capped", capped),
        ),
    )


def _describe_parties(purposes: list[Purpose], directory: Directory) -> Section:
    asking = {party for one in purposes for party in list_recipients(one, directory)}
    functions = {edge.source for one in purposes for edge in one.edges}
    sources = {one for one in directory.partners if derive_function(one) in functions}
    enforcing = sorted(one.id for one in directory.partners.values() if one.enforcement)
    return Section(
        "parties",
        (
            Fact("partners", len(directory.partners)),
            Fact("partners_asking", len(asking)),
            Fact("partners_giving", len(sources)),
            _list("partners_enforcing", enforcing),
            Fact("witnesses", len(directory.trust.witnesses)),
        ),
    )


def _describe_terms(purposes: list[Purpose], catalogue: Catalogue) -> Section:
    covenant = catalogue.covenant
    grounds = sorted(
        f"{name} ({ground.longest_days} + {ground.renewal_days})"
        for name, ground in covenant.grounds.items()
    )
    days = [one.retention_days for one in purposes]
    return Section(
        "terms",
        (
            Fact("retention_least_days", min(days, default=0)),
            Fact("retention_most_days", max(days, default=0)),
            Fact("consent_most_days", covenant.longest_consent_days),
            _list("told_later", grounds),
        ),
    )


def _describe_rails(catalogue: Catalogue) -> Section:
    guards = catalogue.guards
    capped = sorted(f"{kind} ({rung})" for rung, kinds in guards.caps.items() for kind in kinds)
    never = sorted(f"{kind} ({name})" for name, kinds in guards.never_for.items() for kind in kinds)
    return Section("rails", (_list("rails_caps", capped), _list("rails_never", never)))
