"""The register of processing activities (AVG 30), made from what is in force. Pure.

Rules: nothing in it is typed in: each purpose in force is an activity, each of its revisions a
version, each partner an entity; so it cannot say anything else than what is weighed. Its members
are those of `rvva` v0.1 (Logboek Dataverwerkingen, media/rvva-openapi.json; enumerations of DPV
2.1), in one place here, so that a renaming there is one edit; what that model has no member for is
under `datwat`. An activity has the id that the LDV records of its processing name.
Source: AVG 30(1); standards.md; RFC 9562 (UUID version 5).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from broker.policy.decision import entry_point_of
from broker.policy.evaluation import Act
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle
from datwat.protocol.values import derive_function, encode_moment

RVVA_VERSION: Final = "0.1"
_PREFIX: Final = "urn:datwat:processing:"
_ENTITY: Final = "urn:datwat:entity:"
_BASES: Final = {
    "duty": ("LegalObligation",),
    "may": ("OfficialAuthorityOfController",),
    "explicit_consent": ("Consent", "OfficialAuthorityOfController"),
    "no_objection": ("OfficialAuthorityOfController",),
}
_OPERATIONS: Final = ("Obtain", "Disclose", "Store", "Use", "Remove")
_OWN_OPERATIONS: Final = ("Store", "Use", "Remove")
MEASURES: Final[tuple[tuple[str, str], ...]] = (
    ("Technical", "Pseudonymisation: no citizen service number reaches the broker"),
    ("Technical", "Key separation: pseudonyms need the key holder, another organisation"),
    ("Technical", "Deny by default: no decision, no data"),
    ("Technical", "Encryption from source to requester: the broker cannot read what passes"),
    ("Technical", "An append-only log that witnesses cosign and residents can verify"),
    ("Technical", "Ends for every pointer, consent, objection and content"),
    ("Organisational", "A covenant with every partner, with an end date"),
    ("Organisational", "Purposes by two officers; roles per organisation"),
    ("Organisational", "Review lists, random samples, and findings with an outcome"),
)
# What the broker does beside the purposes: the LDV records of such acts name these.
OWN_ACTIVITIES: Final[Mapping[str, tuple[str, str]]] = {
    "register": ("Registering who is involved", "That an organisation is involved (dat)"),
    "occasion": ("Keeping occasions and their teams", "Occasion, household, team, what was said"),
    "ask": ("Residents' access to their own log", "The person's own log"),
    "introduce": ("Introducing a person to a partner", "That a person was introduced"),
    "oversight": ("Overseeing the use of the exchange", "Acts without words, under keyed numbers"),
    "answers": ("Answering residents", "Objections, questions and wishes, and their answers"),
}


def derive_activity_id(purpose: str | None, act: str) -> uuid.UUID:
    """Return the id of the activity that an act belongs to: of its purpose, else of its kind."""
    if purpose is not None:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{_PREFIX}purpose:{purpose}")
    own = act if act in OWN_ACTIVITIES else entry_point_of(cast("Act", act))
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{_PREFIX}own:{own}")


def derive_entity_id(party: str) -> uuid.UUID:
    """Return the id of a party as an entity of the register."""
    return uuid.uuid5(uuid.NAMESPACE_URL, _ENTITY + party)


@dataclass(frozen=True, slots=True)
class Register:
    """The register; `activities` and `entities` are JSON values by the rvva model."""

    bundle_digest: str
    bundle_seq: int
    list_seq: int
    activities: tuple[dict[str, Any], ...]
    entities: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the whole register as JSON values."""
        return {
            "v": 1,
            "rvva": RVVA_VERSION,
            "bundle_digest": self.bundle_digest,
            "bundle_seq": self.bundle_seq,
            "list_seq": self.list_seq,
            "processing_activities": list(self.activities),
            "entities": list(self.entities),
        }


def build_register(bundle: Bundle, directory: Directory, now: datetime) -> Register:
    """Return the register of what is in force, or will be by what is signed; ordered by id."""
    catalogue = Catalogue.from_bundle(bundle)
    activities = [
        _build_activity(name, revisions, catalogue, directory, now)
        for name, revisions in sorted(catalogue.purposes.items())
    ]
    days = catalogue.covenant.retention_days
    activities += [_build_own(name, days, directory) for name in OWN_ACTIVITIES]
    return Register(
        bundle_digest=bundle.digest,
        bundle_seq=bundle.seq,
        list_seq=directory.trust.seq,
        activities=tuple(activities),
        entities=tuple(_build_entities(directory)),
    )


def _build_activity(
    name: str,
    revisions: Sequence[Purpose],
    catalogue: Catalogue,
    directory: Directory,
    now: datetime,
) -> dict[str, Any]:
    in_force = catalogue.find_revision(name, now)
    return {
        "id": str(derive_activity_id(name, "")),
        "active": in_force is not None,
        "latestVersion": _number(in_force or revisions[-1]),
        "versions": [_build_version(one, catalogue, directory) for one in revisions],
    }


def _number(purpose: Purpose) -> int:
    """Return a version's number: no two revisions of a purpose begin in one second."""
    return int(purpose.valid_from.timestamp())


def _build_version(purpose: Purpose, catalogue: Catalogue, directory: Directory) -> dict[str, Any]:
    return {
        "version": _number(purpose),
        "validFrom": encode_moment(purpose.valid_from),
        "name": purpose.title.en,
        "purpose": purpose.sentence.en,
        "legalBasis": sorted({basis for edge in purpose.edges for basis in _BASES[edge.mode]})
        or ["OfficialAuthorityOfController"],
        "dataSubjects": _list_subjects(purpose, catalogue),
        "personalData": {
            "categories": _list_categories(purpose, catalogue),
            "retentionPeriod": f"P{purpose.retention_days}D",
        },
        "processingOptions": list(_OPERATIONS),
        "recipients": [
            {"legalRole": "DataController", "entityId": str(derive_entity_id(party))}
            for party in list_recipients(purpose, directory)
        ],
        "measures": _list_measures(),
        "datwat": {
            "id": purpose.id,
            "digest": derive_digest(purpose),
            "title": purpose.title.model_dump(),
            "sentence": purpose.sentence.model_dump(),
            "articles": [one.model_dump(mode="json") for one in purpose.articles],
            "legal_check": purpose.legal_check,
            "objection": purpose.objection,
            "requesters": sorted(one.function for one in purpose.requesters),
            "sources": sorted({edge.source for edge in purpose.edges}),
            "fields": _list_fields(purpose),
            "kinds": sorted(purpose.sees),
        },
    }


def list_recipients(purpose: Purpose, directory: Directory) -> list[str]:
    """Return the partners that may ask for this purpose, by id."""
    functions = {one.function for one in purpose.requesters}
    return sorted(one for one in directory.partners if derive_function(one) in functions)


def _list_subjects(purpose: Purpose, catalogue: Catalogue) -> list[str]:
    seen = {catalogue.kinds[name].whose for name in purpose.sees if name in catalogue.kinds}
    return ["Citizen", "VulnerableHuman"] if "youth" in seen else ["Citizen"]


def _list_categories(purpose: Purpose, catalogue: Catalogue) -> list[str]:
    """Return what may be known and given: kinds of involvement, and products with their labels."""
    kinds = [f"involvement: {name}" for name in sorted(purpose.sees)]
    products = sorted({edge.product for edge in purpose.edges})
    return kinds + [f"{name}: {catalogue.products[name].title.en}" for name in products]


def _list_fields(purpose: Purpose) -> list[str]:
    return sorted({f"{edge.product}.{one.field}" for edge in purpose.edges for one in edge.fields})


def _build_own(name: str, days: int, directory: Directory) -> dict[str, Any]:
    title, category = OWN_ACTIVITIES[name]
    version = {
        "version": 1,
        "name": title,
        "purpose": title,
        "legalBasis": ["LegalObligation", "OfficialAuthorityOfController"],
        "dataSubjects": ["Citizen", "Employee"] if name == "oversight" else ["Citizen"],
        "personalData": {"categories": [category], "retentionPeriod": f"P{days}D"},
        "processingOptions": list(_OWN_OPERATIONS),
        "recipients": [
            {
                "legalRole": "DataProcessor",
                "entityId": str(derive_entity_id(directory.trust.broker.id)),
            }
        ],
        "measures": _list_measures(),
    }
    identity = str(derive_activity_id(None, name))
    return {"id": identity, "active": True, "latestVersion": 1, "versions": [version]}


def _list_measures() -> list[dict[str, Any]]:
    return [{"measureType": kind, "measure": text} for kind, text in MEASURES]


def _build_entities(directory: Directory) -> list[dict[str, Any]]:
    found = [
        {
            "id": str(derive_entity_id(partner.id)),
            "type": "Organisation",
            "name": partner.name,
            "country": "NL",
            "datwat": {"id": partner.id, "domain": partner.domain},
        }
        for partner in directory.partners.values()
    ]
    broker = directory.trust.broker
    own = {"type": "Organisation", "name": broker.name, "country": "NL"}
    found.append({"id": str(derive_entity_id(broker.id)), **own, "datwat": {"id": broker.id}})
    return sorted(found, key=lambda one: str(one["id"]))
