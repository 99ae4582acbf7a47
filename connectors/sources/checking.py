"""Does a declaration fit what it is for? Found before anybody asks, and told by field.

Rules: a field that the product does not have is another person's, or nobody's business: an error.
So is a column that the query yields and no rule reads. Raises nothing for what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from connectors.sources.declaration import ProductRules, Rule, SqlDeclaration, SqlProduct
from connectors.sources.errors import SourceError
from connectors.sources.opening import Declaration, open_source
from connectors.sources.settings import ReadSecret
from connectors.sources.sql import SqlSource
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import CanonicalError, encode_canonical
from datwat.protocol.catalogue import CatalogueView, ProductView
from datwat.protocol.values import Value

_LENGTH_BYTES = 4


class Finding(Value):
    """Something about a declaration: an error refuses it, a warning does not."""

    severity: Literal["error", "warning"]
    place: str
    code: str
    detail: str


def check_declaration(
    declaration: Declaration, bundle: Bundle, *, function: str | None = None
) -> list[Finding]:
    """Return what is wrong with a declaration, by the signed bundle's products and kinds.

    `function` is this partner's own (the part of its id after the colon): with it, whether the
    product is its to give is found too. Connects to nothing: see `check_queries`.
    """
    findings = list(_check_kinds(declaration, bundle.view, function))
    for name, rules in declaration.products.items():
        product = bundle.view.products.get(name)
        place = f"products.{name}"
        if product is None:
            findings.append(_error(place, "product_unknown", f"No data product is called {name}."))
            continue
        findings += _check_person(declaration, rules, place)
        findings += _check_fields(rules, product, place)
        findings += _check_edges(bundle.view, rules, product, place, function)
    return findings


def check_queries(declaration: Declaration, read: ReadSecret) -> list[Finding]:
    """Return which columns a database's queries lack, or yield without being read.

    Asks the database for the names of columns and for no row. Nothing for a web service.
    """
    if not isinstance(declaration, SqlDeclaration):
        return []
    source = open_source(declaration, read)
    assert isinstance(source, SqlSource)  # noqa: S101 - by the declaration's kind
    wanted = {
        f"products.{name}": (rules.query, _find_columns(rules))
        for name, rules in declaration.products.items()
    }
    if declaration.clients is not None:
        columns = {rule.read for rule in declaration.clients.rules().values()}
        wanted["clients"] = (declaration.clients.query, columns)
    findings: list[Finding] = []
    try:
        for place, (query, columns) in wanted.items():
            findings += _compare(source, place, query, columns)
    finally:
        source.close()
    return findings


def _compare(source: SqlSource, place: str, query: str, columns: set[str]) -> Iterator[Finding]:
    try:
        found = source.list_columns(query)
    except SourceError as error:
        yield _error(f"{place}.query", error.code, error.detail)
        return
    for name in sorted(columns - found):
        yield _error(f"{place}.query", "column_missing", f"The query yields no column {name}.")
    for name in sorted(found - columns):
        detail = f"The query yields the column {name}, which no field reads: take it out."
        yield _error(f"{place}.query", "column_not_declared", detail)


def _find_columns(rules: SqlProduct) -> set[str]:
    named = [rules.number, rules.bsn, rules.newest_by, *rules.fields.values()]
    return {rule.read for rule in named if rule is not None}


def _check_kinds(
    declaration: Declaration, view: CatalogueView, function: str | None
) -> Iterator[Finding]:
    rule = declaration.clients.kind if declaration.clients else None
    if rule is None:
        return
    codes = rule.codes if isinstance(rule, Rule) else {"": rule.value}
    if codes is None:
        detail = "Translate the own kinds with codes, so that they can be checked."
        yield _warning("clients.kind", "kind_not_translated", detail)
        return
    for kind in sorted({str(kind) for kind in codes.values()}):
        known = view.kinds.get(kind)
        if known is None:
            yield _error("clients.kind", "kind_unknown", f"No kind of involvement is {kind}.")
        elif function is not None and function not in known.functions:
            yield _error("clients.kind", "kind_not_ours", f"{function} may not register {kind}.")


def _check_person(declaration: Declaration, rules: ProductRules, place: str) -> Iterator[Finding]:
    clients = declaration.clients
    if clients is None:
        yield _error("clients", "clients_missing", "A product needs clients: whose record is it?")
    elif (clients.bsn is None) != (rules.bsn is None):
        detail = "Give bsn at clients and at the product, or at neither: they are compared."
        yield _error(f"{place}.bsn", "bsn_not_comparable", detail)
    if rules.newest_by is None:
        detail = "Without newest_by two records for one person are refused."
        yield _warning(f"{place}.newest_by", "newest_by_missing", detail)


def _check_fields(rules: ProductRules, product: ProductView, place: str) -> Iterator[Finding]:
    for path, rule in rules.fields.items():
        where = f"{place}.fields.{path}"
        field = product.find_field(path)
        if field is None:
            detail = f"The product {product.id} has no field {path}: take it out."
            yield _error(where, "field_unknown", detail)
            continue
        longest = max((_size(value) for value in _find_texts(rule)), default=0)
        if longest + _LENGTH_BYTES > field.size_class:
            yield _error(where, "value_too_large", f"A value does not fit the field {path}.")


def _check_edges(
    view: CatalogueView,
    rules: ProductRules,
    product: ProductView,
    place: str,
    function: str | None,
) -> Iterator[Finding]:
    if function is None:
        return
    if function not in product.sources:
        detail = f"{function} is no source of {product.id}."
        yield _error(place, "product_not_ours", detail)
        return
    passing = {
        path
        for purpose in view.purposes.values()
        for revision in purpose.revisions
        for edge in revision.edges
        if (edge.source, edge.product) == (function, product.id)
        for path in edge.paths
    }
    for path in sorted(passing - rules.fields.keys()):
        detail = f"Purposes let {path} pass, and it is not declared: such an order is refused."
        yield _warning(f"{place}.fields.{path}", "field_not_declared", detail)
    for path in sorted(rules.fields.keys() & {f.field for f in product.fields} - passing):
        detail = f"No purpose lets {path} pass: it need not be declared."
        yield _warning(f"{place}.fields.{path}", "field_not_needed", detail)


def _find_texts(rule: Rule) -> list[object]:
    texts: list[object] = list(rule.codes.values()) if rule.codes else []
    return texts + [band.band for band in rule.bands or ()]


def _size(value: object) -> int:
    try:
        return len(encode_canonical(value))
    except CanonicalError:
        return 0


def _error(place: str, code: str, detail: str) -> Finding:
    return Finding(severity="error", place=place, code=code, detail=detail)


def _warning(place: str, code: str, detail: str) -> Finding:
    return Finding(severity="warning", place=place, code=code, detail=detail)
