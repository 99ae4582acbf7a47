"""The register of processing activities and the DPIA sheet are in step with what is in force."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest

from broker.policy.bundle import rebuild_archive, sign_archive
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from broker.transparency.dpia import build_dpia
from broker.transparency.processing_register import (
    OWN_ACTIVITIES,
    Register,
    build_register,
    derive_activity_id,
)
from broker.transparency.register_words import say_register
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import SigningKey
from datwat.protocol.values import derive_function
from tests.authoring.world import PURPOSE
from tests.broker_pages.world import PagesWorld
from tests.exchange.world import Running, now

pytestmark = pytest.mark.asyncio(loop_scope="module")
_KEY = SigningKey.from_seed(bytes(range(32)))
# rvva v0.1, by the enumerations of its OpenAPI document.
_BASES = {"Consent", "LegalObligation", "OfficialAuthorityOfController", "PublicInterest"}
_SUBJECTS = {"Citizen", "VulnerableHuman", "Employee"}
_OPERATIONS = {"Disclose", "Obtain", "Remove", "Store", "Use"}


def _resign(bundle: Bundle, catalogue: Catalogue) -> Bundle:
    """Return a bundle with other purposes, signed by a key of the test."""
    archive = rebuild_archive(bundle, catalogue=catalogue)
    document = sign_archive(archive, [_KEY], seq=bundle.seq + 1).to_bytes()
    return open_bundle(archive, document, [_KEY.public], 1, minimum_seq=1)


def _find(register: Register, purpose: str) -> dict[str, Any]:
    wanted = str(derive_activity_id(purpose, ""))
    return next(one for one in register.activities if one["id"] == wanted)


def _parts(running: Running) -> tuple[Bundle, Directory, Catalogue]:
    bundle = running.broker.policy.bundle
    return bundle, running.broker.keeper.directory, Catalogue.from_bundle(bundle)


async def test_every_purpose_in_force_is_there_with_all_of_its_fields(broker: Running) -> None:
    bundle, directory, catalogue = _parts(broker)
    register = broker.broker.oversight.read_register()
    assert register.bundle_digest == bundle.digest
    assert len(register.activities) == len(catalogue.purposes) + len(OWN_ACTIVITIES)
    entities = {one["id"] for one in register.entities}
    for name, (purpose,) in catalogue.purposes.items():
        found = _find(register, name)
        (version,) = found["versions"]
        assert found["active"]
        assert found["latestVersion"] == version["version"]
        more = version["datwat"]
        assert more["digest"] == derive_digest(purpose)
        given = {f"{e.product}.{f.field}" for e in purpose.edges for f in e.fields}
        assert set(more["fields"]) == given
        assert set(more["kinds"]) == set(purpose.sees)
        assert version["personalData"]["retentionPeriod"] == f"P{purpose.retention_days}D"
        functions = {one.function for one in purpose.requesters}
        partners = [one for one in directory.partners if derive_function(one) in functions]
        assert len(version["recipients"]) == len(partners)
        assert {one["entityId"] for one in version["recipients"]} <= entities


async def test_its_members_are_those_of_the_model(broker: Running) -> None:
    members = json.loads(json.dumps(broker.broker.oversight.read_register().to_json()))
    for activity in members["processing_activities"]:
        assert uuid.UUID(activity["id"]).version == 5
        assert set(activity) == {"id", "active", "latestVersion", "versions"}
        for version in activity["versions"]:
            assert set(version["legalBasis"]) <= _BASES
            assert version["legalBasis"]
            assert set(version["dataSubjects"]) <= _SUBJECTS
            assert set(version["processingOptions"]) <= _OPERATIONS
            assert re.fullmatch(r"P[1-9][0-9]*D", version["personalData"]["retentionPeriod"])
            assert {one["measureType"] for one in version["measures"]} <= {
                "Technical",
                "Organisational",
            }
            for word in (*version["legalBasis"], *version["dataSubjects"]):
                assert say_register(word, "nl") != word
    for entity in members["entities"]:
        assert uuid.UUID(entity["id"]).version == 5
        assert entity["type"] == "Organisation"


async def test_an_act_has_the_activity_of_its_purpose_or_of_its_kind(broker: Running) -> None:
    register = broker.broker.oversight.read_register()
    ids = {one["id"] for one in register.activities}
    for purpose, act in (
        ("coordinate_family_help", "inquire"),
        (None, "register"),
        (None, "open_occasion"),
        (None, "open_session"),
        (None, "introduce"),
        (None, "oversight"),
    ):
        assert str(derive_activity_id(purpose, act)) in ids
    assert derive_activity_id("a", "inquire") == derive_activity_id("a", "release")
    assert derive_activity_id(None, "register") == derive_activity_id(None, "report_wrong_person")


async def test_what_is_changed_or_withdrawn_changes_both(broker: Running) -> None:
    bundle, directory, catalogue = _parts(broker)
    before = build_register(bundle, directory, now())
    assert build_register(bundle, directory, now()) == before
    gone = _resign(bundle, catalogue.without_purpose("income_support"))
    after = build_register(gone, directory, now())
    assert str(derive_activity_id("income_support", "")) not in {
        one["id"] for one in after.activities
    }
    sheet, then = build_dpia(bundle, directory, now()), build_dpia(gone, directory, now())
    named = {one.code: one for one in sheet.sections[0].facts}["purposes"]
    left = {one.code: one for one in then.sections[0].facts}["purposes"]
    assert set(named.words) - set(left.words) == {"income_support"}

    held = catalogue.find_newest("debt_counselling")
    assert held is not None
    soon = now() + timedelta(days=2)
    first = held.edges[0]
    gone_field = first.fields[0]
    edges = (first.model_copy(update={"fields": first.fields[1:]}), *held.edges[1:])
    changed: Purpose = held.model_copy(
        update={"valid_from": soon, "retention_days": 1_999, "edges": edges}
    )
    next_bundle = _resign(bundle, catalogue.with_revision(changed, now=now()))
    found = _find(build_register(next_bundle, directory, now()), "debt_counselling")
    assert [one["personalData"]["retentionPeriod"] for one in found["versions"]] == [
        f"P{held.retention_days}D",
        "P1999D",
    ]
    assert found["latestVersion"] == found["versions"][0]["version"]
    later = _find(build_register(next_bundle, directory, soon), "debt_counselling")
    assert later["latestVersion"] == found["versions"][1]["version"]
    then_fields = set(later["versions"][1]["datwat"]["fields"])
    now_fields = set(later["versions"][0]["datwat"]["fields"])
    others = {f"{e.product}.{f.field}" for e in edges for f in e.fields}
    assert then_fields == others
    assert now_fields - then_fields == {f"{first.product}.{gone_field.field}"} - others


async def test_the_sheet_says_what_is_open_and_what_is_special(broker: Running) -> None:
    _, _, catalogue = _parts(broker)
    sheet = broker.broker.oversight.read_dpia()
    facts = {one.code: one for section in sheet.sections for one in section.facts}
    newest = catalogue.list_newest()
    assert set(facts["articles_open"].words) == {x.id for x in newest if x.legal_check == "open"}
    assert set(facts["no_objection_possible"].words) == {
        one.id for one in newest if one.objection == "none"
    }
    special = facts["fields_special"].words
    assert special
    for one in special:
        product, _, path = one.partition(".")
        (field,) = [f for f in catalogue.products[product].fields if f.field == path]
        assert {"s", "c"} & set(field.labels)
    assert facts["told_later"].count == len(catalogue.covenant.grounds)
    for section in sheet.sections:
        assert say_register(f"section_{section.code}", "nl") != f"section_{section.code}"
        for fact in section.facts:
            assert say_register(fact.code, "nl") != fact.code


async def test_what_officers_publish_is_in_both_at_once(pages: PagesWorld) -> None:
    oversight = pages.office.broker.oversight
    before = oversight.read_register()
    text = pages.office.write(title={"nl": "Terug naar school", "en": "Back to school"})
    proposal = await pages.office.propose(text)
    await pages.office.publish(proposal.line.id)
    after = oversight.read_register()
    assert after.bundle_seq == before.bundle_seq + 1
    assert after.bundle_digest == pages.office.broker.policy.bundle.digest
    assert oversight.read_dpia().bundle_digest == after.bundle_digest
    versions = _find(after, PURPOSE)["versions"]
    assert [one["name"] for one in versions][-1] == "Back to school"
