"""No repr gives away who somebody is or what opens something: a repr ends up in logs and errors.

Every dataclass and Pydantic model of the packages is walked for fields that are named like a
pseudonym, a reference or a secret. What may be seen is listed below, with the reason.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

from pydantic import BaseModel

import broker
import connectors
import datwat
import demo
import keyholder
import witness

NAMES = re.compile(
    r"(^|_)(pseudonym|subject_id|bsn|handle|reference|key|kek|secret|token|session)s?($|_)"
)
PUBLIC_KEYS = "public keys, as the trust list states them"
PLACE = "where in a source the BSN is found: a declaration, never a value"
SETTING = "the name of a setting, not what it leads to"
HIDDEN_WITHIN = "the models in it hide their own secrets"
ALLOWED = {
    "broker.adapters.row_key_file._File.keys": HIDDEN_WITHIN,
    "broker.adapters.secrets.BrokerSecrets.exchange_keys": HIDDEN_WITHIN,
    "broker.adapters.secrets.BrokerSecrets.log_keys": HIDDEN_WITHIN,
    "broker.adapters.secrets.BrokerSecrets.signing_keys": HIDDEN_WITHIN,
    "broker.audit.records.Job.keys": HIDDEN_WITHIN,
    "broker.authoring_wiring.OfficersGround.row_key": HIDDEN_WITHIN,
    "broker.exchange.gather.TicketKeys.epoch_keys": "public keys of the key holder's epochs",
    "broker.exchange.gather.TicketKeys.keys": HIDDEN_WITHIN,
    "broker.exchange.registers.Registers.references": "a register, not a reference",
    "broker.exchange.rotating.RotationGround.read_epoch_keys": "a function for public keys",
    "broker.policy.evaluation.RequesterFacts.bsn_rights": "laws that let a partner use the BSN",
    "broker.policy.authoring_ports.PolicyKeys.keys": PUBLIC_KEYS,
    "broker.policy.authoring_ports.Ports.read_policy_keys": "a function that reads public keys",
    "broker.policy.authoring_ports.Ports.sealed_keys": HIDDEN_WITHIN,
    "broker.policy.shown.ProposalShown.has_sealed_key": "whether there is one",
    "broker.purposes.roles.GiveAsked.key": "the thumbprint of a public key",
    "broker.settings.BrokerSettings.kek_days": "a number of days",
    "broker.status.Facts.is_kek_overdue": "whether it is",
    "broker.status.Facts.is_key_holder_there": "whether that party answers",
    "broker.watching.Seen.is_key_holder_there": "whether that party answers",
    "broker.wiring.Broker.secrets": HIDDEN_WITHIN,
    "connectors.portal.settings.PortalSettings.bsn_claim": SETTING,
    "connectors.sources.declaration.ClientRules.bsn": PLACE,
    "connectors.sources.declaration.ProductRules.bsn": PLACE,
    "connectors.sources.declaration.RestClients.bsn": PLACE,
    "connectors.sources.declaration.RestDeclaration.headers_secret": SETTING,
    "connectors.sources.declaration.RestProduct.bsn": PLACE,
    "connectors.sources.declaration.SqlClients.bsn": PLACE,
    "connectors.sources.declaration.SqlDeclaration.url_secret": SETTING,
    "connectors.sources.declaration.SqlProduct.bsn": PLACE,
    "datwat.party.trust_draft.Draft.key_holder": PUBLIC_KEYS,
    "datwat.party.trust_draft.Draft.policy_keys": PUBLIC_KEYS,
    "datwat.protocol.messages.ReleaseObject.reply_key": "a public key, made for one answer",
    "datwat.protocol.notes.SignatureLine.key_id": "part of the hash of a public key",
    "datwat.protocol.notes.VerifierKey.public_key": PUBLIC_KEYS,
    "datwat.protocol.trust.BrokerEntry.keys": PUBLIC_KEYS,
    "datwat.protocol.trust.Card.key_holder": PUBLIC_KEYS,
    "datwat.protocol.trust.Card.policy_keys": PUBLIC_KEYS,
    "datwat.protocol.trust.Covenant.keys": PUBLIC_KEYS,
    "datwat.protocol.trust.Partner.bsn_rights": "laws that let a partner use the BSN",
    "datwat.protocol.trust.Partner.keys": PUBLIC_KEYS,
    "datwat.protocol.trust.PolicyKeys.keys": PUBLIC_KEYS,
    "datwat.protocol.trust.TrustList.key_holder": PUBLIC_KEYS,
    "demo.several.keys.Listed.key": "which key, by its name",
    "keyholder.evaluation.Duty.ticket_key": HIDDEN_WITHIN,
    "keyholder.evaluation._Work.ticket_key": HIDDEN_WITHIN,
    "keyholder.shares.ShareFile.key_holder": "the id of that party",
}
PACKAGES = (broker, connectors, datwat, demo, keyholder, witness)


def walk_modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name:
                yield importlib.import_module(found.name)


def list_shown(kind: type) -> list[str]:
    """Return the names of the fields that the repr of a class shows."""
    if dataclasses.is_dataclass(kind):
        has_repr = kind.__dataclass_params__.repr  # type: ignore[attr-defined]
        return [field.name for field in dataclasses.fields(kind) if field.repr and has_repr]
    # A table is a description of columns here: no row is ever made from its class.
    if issubclass(kind, BaseModel) and not hasattr(kind, "__table__"):
        return [name for name, field in kind.model_fields.items() if field.repr]
    return list(getattr(kind, "_fields", ()))


def list_revealing() -> set[str]:
    return {
        f"{module.__name__}.{kind.__qualname__}.{name}"
        for module in walk_modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
        for name in list_shown(kind)
        if NAMES.search(name)
    }


def test_no_repr_shows_what_must_stay_hidden() -> None:
    assert list_revealing() == set(ALLOWED)


def test_what_a_repr_would_show_is_found() -> None:
    @dataclasses.dataclass
    class Found:
        pseudonym: bytes
        session: bytes | None = dataclasses.field(repr=False)

    class Shown(BaseModel):
        subject_id: bytes

    assert list_shown(Found) == ["pseudonym"]
    assert list_shown(Shown) == ["subject_id"]
    assert all(NAMES.search(name) for name in ("pseudonym", "subject_id", "bsn", "row_key"))
