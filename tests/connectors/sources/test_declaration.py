"""A declaration fits or is refused, and the refusal names the place and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sources.checking import check_declaration
from connectors.sources.declaration import Rule, load_declaration
from connectors.sources.errors import DeclarationError, NoRecordError, SourceError
from connectors.sources.opening import Sources, open_source
from connectors.sources.values import convert
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.catalogue import CatalogueView
from tests.connectors.sources.declared import declare, no_secret
from tests.protocol.order_world import catalogue

GOOD = """
v: 1
source: sql
url: sqlite:///x.db
clients:
  query: SELECT nr, bsn, naam, geb, soort FROM k
  number: nr
  bsn: bsn
  family_name: naam
  birth_date: {read: geb, type: date}
  kind: {read: soort, codes: {S: debt_counselling}}
  contact: {role: Loket}
  since: {read: geb, type: date}
products:
  schuldregeling:
    query: SELECT nr, bsn, st, bd FROM d WHERE nr = :number
    number: nr
    bsn: bsn
    newest_by: st
    fields:
      regeling.status: {read: st, codes: {1: lopend, 2: klaar}}
      totaal_schuld: {read: bd, bands: [{below: 100, band: laag}, {band: hoog}]}
"""
VIEW = CatalogueView.model_validate_json(encode_canonical(catalogue()))
BUNDLE = Bundle("r", 1, "0" * 64, b"", {}, {}, {}, VIEW)


def test_what_fits_has_no_findings(tmp_path: Path) -> None:
    assert check_declaration(declare(tmp_path, GOOD), BUNDLE, function="debt-counselling") == []


@pytest.mark.parametrize(
    ("old", "new", "place", "code"),
    [
        ("  schuldregeling:", "  schulden:", "products.schulden", "product_unknown"),
        (
            "totaal_schuld:",
            "partner_bsn:",
            "products.schuldregeling.fields.partner_bsn",
            "field_unknown",
        ),
        ("S: debt_counselling", "S: plumbing", "clients.kind", "kind_unknown"),
        (
            "    number: nr\n    bsn: bsn\n",
            "    number: nr\n",
            "products.schuldregeling.bsn",
            "bsn_not_comparable",
        ),
        (
            "2: klaar",
            f"2: {'x' * 1_100}",
            "products.schuldregeling.fields.regeling.status",
            "value_too_large",
        ),
    ],
)
def test_what_does_not_fit_the_product_is_told_by_field(
    tmp_path: Path, old: str, new: str, place: str, code: str
) -> None:
    declaration = declare(tmp_path, GOOD.replace(old, new))
    findings = check_declaration(declaration, BUNDLE)
    assert [(f.place, f.code) for f in findings if f.severity == "error"] == [(place, code)]


def test_another_function_may_not_give_it(tmp_path: Path) -> None:
    findings = check_declaration(declare(tmp_path, GOOD), BUNDLE, function="income")
    assert {f.code for f in findings} == {"kind_not_ours", "product_not_ours"}


def test_a_declaration_of_products_needs_clients(tmp_path: Path) -> None:
    head, rest = GOOD.split("clients:\n")
    text = head + "products:" + rest.split("products:")[1]
    (finding,) = check_declaration(declare(tmp_path, text), BUNDLE)
    assert finding.code == "clients_missing"


def test_warnings_say_what_will_be_refused_or_is_not_needed(tmp_path: Path) -> None:
    text = GOOD.replace("totaal_schuld:", "krediteur:").replace("    newest_by: st\n", "")
    findings = check_declaration(declare(tmp_path, text), BUNDLE, function="debt-counselling")
    assert {(f.code, f.severity) for f in findings} == {
        ("field_not_declared", "warning"),
        ("field_not_needed", "warning"),
        ("newest_by_missing", "warning"),
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v: 1", "v: 2", "v"),
        ("source: sql", "source: soap", "source"),
        ("url: sqlite:///x.db", "url: postgresql://u:secret@h/d", "url_secret"),
        ("url: sqlite:///x.db", "wrong: 1", "wrong"),
        ("= :number", "= 'K-1'", "number"),
        ("= :number", "= :other", "number"),
        ("WHERE nr = :number", "WHERE nr = :number; DROP TABLE d", "semicolon"),
        ("naam, geb, soort FROM k", "naam, geb, soort FROM k WHERE x = :number", "no parameter"),
        ("regeling.status:", "Regeling.Status:", "fields"),
        ("{1: lopend, 2: klaar}", "{1: lopend, 1: klaar}", "twice"),
        ("codes: {1: lopend, 2: klaar}", "type: list", "items"),
        ("{below: 100, band: laag}", "{band: laag}", "bound"),
        ("    number: nr\n    bsn", "    nummer: nr\n    bsn", "schuldregeling.number"),
        ("v: 1", "v: [", "line"),
    ],
)
def test_what_is_no_declaration_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(DeclarationError) as caught:
        declare(tmp_path, GOOD.replace(old, new))
    assert said in caught.value.detail
    assert "secret@" not in caught.value.detail
    assert str(tmp_path) not in caught.value.detail


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path) -> None:
    for content in (None, b"\xff\xfe", b"a: " + b"x" * 300_000):
        path = tmp_path / "none.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DeclarationError):
            load_declaration(path)


async def test_one_product_stands_in_one_declaration(tmp_path: Path) -> None:
    declaration = declare(tmp_path, GOOD)
    with pytest.raises(DeclarationError):
        Sources([open_source(declaration, no_secret), open_source(declaration, no_secret)])
    sources = Sources([open_source(declaration, no_secret)])
    assert sources.has_clients
    assert sources.allowed("schuldregeling") == {"regeling.status", "totaal_schuld"}
    assert sources.allowed("zrm") == frozenset()
    with pytest.raises(NoRecordError):
        await sources.fetch_record("zrm", "1", ["x"])
    sources.close()


@pytest.mark.parametrize(
    ("rule", "raw", "value"),
    [
        ({"type": "integer"}, 5, 5),
        ({"type": "integer"}, None, None),
        ({"type": "amount"}, 1_234, "1234.00"),
        ({"type": "boolean"}, 0, False),
        ({"type": "date"}, "2026-01-31", "2026-01-31"),
        ({"type": "text"}, "a\nb", "a\nb"),
        ({"codes": {"1": "een"}}, 1, "een"),
        ({"codes": {"true": "ja"}}, True, "ja"),
        ({"codes": {"A": None}}, " A ", None),
        ({"bands": [{"below": 10, "band": "laag"}]}, 9.99, "laag"),
    ],
)
def test_a_value_becomes_ours(rule: dict[str, object], raw: object, value: object) -> None:
    made = Rule.model_validate_json(encode_canonical({"read": "x", **rule}))
    assert convert(made, raw, "x") == value


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ({"type": "integer"}, "5"),
        ({"type": "integer"}, 5.0),
        ({"type": "integer"}, True),
        ({"type": "integer"}, 10**16),
        ({"type": "amount"}, float("nan")),
        ({"type": "boolean"}, "J"),
        ({"type": "boolean"}, 1.0),
        ({"type": "date"}, "31-01-2026"),
        ({"type": "date"}, 20260131),
        ({"type": "text"}, 5),
        ({"type": "text"}, b"x"),
        ({"type": "text"}, "x" * 70_000),
        ({"type": "text", "required": True}, None),
        ({"codes": {"1": "een"}}, 2),
        ({"bands": [{"below": 10, "band": "laag"}]}, 10),
        ({"bands": [{"below": 10, "band": "laag"}]}, "9"),
    ],
)
def test_a_value_of_another_kind_is_refused_without_being_told(
    rule: dict[str, object], raw: object
) -> None:
    made = Rule.model_validate_json(encode_canonical({"read": "x", **rule}))
    with pytest.raises(SourceError) as caught:
        convert(made, raw, "x")
    assert caught.value.place == "x"
