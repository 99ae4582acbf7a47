"""Officers' files: strict YAML, consistent with each other, and stable digests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from broker.purposes.catalogue import Catalogue, load_catalogue
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Edge, Kind, Product, Purpose, derive_digest
from tests.purposes.conftest import POLICIES

OPEN_LEGAL_CHECKS = 9  # README says this number: change both

DEBTS = "purposes/debt_counselling.yaml"
MISFITS = [
    (DEBTS, "id: debt_counselling", "id: other", "name of the file"),
    (DEBTS, "articles:", 'valid_until: "2026-01-01T00:00:00Z"\narticles:', "valid_until"),
    (DEBTS, "objection: suspend", "objection: maybe", "objection"),
    (DEBTS, "owner:", "colour: red\nowner:", "colour"),
    (DEBTS, "retention_days: 730", "retention_days: 7.5", "A whole number"),
    (DEBTS, "product: zrm2017", "product: zrm", "zrm is not known"),
    (DEBTS, "source: income", "source: school", "school is not known"),
    (DEBTS, "field: beslag,", "field: loon,", "loon is not known"),
    (DEBTS, "wmo_support: contact", "gossip: contact", "gossip"),
    (
        DEBTS,
        "mode: may\n    fields",
        "mode: may\n    consent_by: avg\n    fields",
        "consent_by",
    ),
    (
        DEBTS,
        "product: zrm2017",
        "product: zrm2017\n    product: zrm2017",
        "twice",
    ),
    (
        "purposes/income_support.yaml",
        "  debt_counselling: contact",
        "  youth_help: dat",
        "never for this",
    ),
    ("kinds.yaml", "functions: [youth-help]", "functions: [youth-help, bank]", "bank is not known"),
    ("kinds.yaml", "functions: [shelter], cap: none", "functions: [shelter], cap: dat", "domain"),
    (
        "kinds.yaml",
        "functions: [addiction-care], cap: contact",
        "functions: [addiction-care], cap: dat",
        "cap",
    ),
    (
        "kinds.yaml",
        "never_for: [income], expires_days: 183",
        "never_for: [], expires_days: 183",
        "never_for",
    ),
    ("covenant.yaml", "signal: {cap: dat", "signal: {cap: wat", "occasions"),
    ("products/zrm2017.yaml", ", labels: [c]", "", "labels"),
    ("products/zrm2017.yaml", "most_fields: 6", "most_fields: 14", "most_fields"),
    (DEBTS, "rent_arrears: dat", "rent_arrears: wat", "more than dat"),
    (DEBTS, "wmo_support: contact", "wmo_support: wat", "wat without an edge"),
    (DEBTS, "income_support: wat", "income_support: dat", "no kind that is seen at wat"),
    (DEBTS, "crisis: contact", "crisis: dat", "more than contact"),
    (DEBTS, "grounds: {pw: Wgs 8(1), suwi: Wgs 8(1)}", "grounds: {pw: Wgs 8(1)}", "grounds"),
    (
        "purposes/early_debt_signals.yaml",
        "statutory_task: dat",
        "statutory_task: wat",
        "without any",
    ),
    ("purposes/own_access.yaml", "inquire: none", "inquire: dat", "nothing is seen"),
    ("purposes/own_access.yaml", "objection: none", "objection: suspend", "objection"),
    ("products/jeugdhulp.yaml", "sources: [youth-help]", "sources: [youth-help, bank]", "bank"),
    ("covenant.yaml", "renewal_days: 14", "renewal_days: 40", "renewal"),
    (
        "codes.yaml",
        "acts: [all], remedy: use_right_route",
        "acts: [everyone], remedy: use_right_route",
        "everyone",
    ),
    (
        "codes.yaml",
        "acts: [all], remedy: use_right_route",
        "acts: [release], remedy: use_right_route",
        "no code of every blade",
    ),
    ("kinds.yaml", "youth_work:", "Youth:", "form"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(POLICIES, tmp_path / "policies")
    return tmp_path / "policies"


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_open_legal_checks_are_counted(catalogue: Catalogue) -> None:
    checks = [purpose.legal_check for purpose in catalogue.list_newest()]
    assert checks.count("open") == OPEN_LEGAL_CHECKS
    readme = (POLICIES.parent / "README.md").read_text(encoding="utf-8")
    assert f"{OPEN_LEGAL_CHECKS} open legal checks" in readme


def test_there_are_eight_purposes_own_access_and_six_products(catalogue: Catalogue) -> None:
    assert sorted(catalogue.purposes) == [
        "coordinate_family_help",
        "debt_counselling",
        "domestic_violence",
        "early_debt_signals",
        "income_support",
        "own_access",
        "school_attendance",
        "wmo_intake",
        "youth_help_access",
    ]
    assert sorted(catalogue.products) == [
        "gezinsplan",
        "inkomenssituatie",
        "jeugdhulp",
        "schuldregeling",
        "wmo_voorziening",
        "zrm2017",
    ]


def test_the_matrix_is_never_given_whole(catalogue: Catalogue) -> None:
    matrix = catalogue.products["zrm2017"]
    assert matrix.most_fields < len(matrix.fields)
    for purpose in catalogue.list_newest():
        for edge in purpose.edges:
            assert edge.product != "zrm2017" or len(edge.fields) <= matrix.most_fields


def test_criminal_data_are_in_no_edge(catalogue: Catalogue) -> None:
    for purpose in catalogue.list_newest():
        for edge in purpose.edges:
            labels = {item.field: item.labels for item in catalogue.products[edge.product].fields}
            assert all("c" not in labels[item.field] for item in edge.fields)


def test_every_model_has_a_json_schema() -> None:
    for model in (Purpose, Product, Kind, Edge):
        assert model.model_json_schema()["additionalProperties"] is False


def test_a_digest_follows_the_content(catalogue: Catalogue) -> None:
    (purpose,) = catalogue.purposes["debt_counselling"]
    again = Purpose.model_validate_json(purpose.model_dump_json())
    assert derive_digest(again) == derive_digest(purpose)
    longer = purpose.model_copy(update={"retention_days": purpose.retention_days + 1})
    assert derive_digest(longer) != derive_digest(purpose)
    (data,) = catalogue.to_data()["purposes"]["debt_counselling"]["revisions"]
    assert data["digest"] == derive_digest(purpose)


@pytest.mark.parametrize(("file", "old", "new", "says"), MISFITS)
def test_what_does_not_fit_is_refused(
    folder: Path, file: str, old: str, new: str, says: str
) -> None:
    _replace(folder / file, old, new)
    with pytest.raises(PolicyFileError, match=says) as caught:
        load_catalogue(folder)
    assert Path(file).name in caught.value.detail


def test_an_empty_folder_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "products")
    with pytest.raises(PolicyFileError, match="holds no file"):
        load_catalogue(folder)
