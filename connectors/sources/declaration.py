"""A source declaration: what a partner's own system holds, in its own words, and what we call it.

Rules: a declaration is the source's own list (nothing that is not declared is ever read); queries
take their parameters bound and nothing else; secrets lie in files of the home folder, never here.
One YAML file per system, read strictly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError

from connectors.sources.errors import DeclarationError
from datwat.party.strict_yaml import read_model
from datwat.protocol.acts import Contact
from datwat.protocol.messages import FieldPath
from datwat.protocol.values import FormError, ShortText, Slug, Value

NUMBER = "number"
JSON_PATH = re.compile(r"^\$(\.[A-Za-z_][A-Za-z0-9_-]{0,63}|\[[0-9]{1,3}\]){1,8}$")
_URL_PATH = re.compile(r"^/[A-Za-z0-9._~/{}?=&%-]{0,400}$")
_BASE_URL = re.compile(r"^https?://[^\s?#@]{1,240}$")
_SECRET = r"^[a-z][a-z0-9_.-]{0,63}$"  # noqa: S105 - the form of a file's name
Kind = Literal["text", "integer", "amount", "boolean", "date", "list"]
Plain = str | int | bool | None


class Band(Value):
    """A band for a number: everything `below` that is in no band before; the last has no bound."""

    below: int | None = None
    band: ShortText


def _text_keys(value: Any) -> Any:  # noqa: ANN401 - what YAML gave
    """Turn codes that YAML reads as numbers or booleans into the text that they are."""
    if not isinstance(value, Mapping):
        return value
    return {str(key).lower() if isinstance(key, bool) else str(key): v for key, v in value.items()}


class Rule(Value):
    """How one of our values is made of one of theirs.

    `read`: the column (SQL) or JSON path (REST). `format`: how a date is written as text
    (strptime). `codes`: their code to our value; a code that is not there is a fault, not a guess.
    `bands`: number to band. `items`: for a list (a JSON array, in SQL as text), the members of each
    of its objects. Null is passed on as null, unless `required`.
    """

    read: ShortText
    type: Kind = "text"
    format: ShortText | None = None
    codes: Annotated[dict[str, Plain], BeforeValidator(_text_keys)] | None = None
    bands: tuple[Band, ...] | None = Field(default=None, min_length=1, max_length=50, strict=False)
    items: dict[Slug, RuleOrName] | None = Field(default=None, min_length=1, max_length=32)
    required: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if sum(part is not None for part in (self.codes, self.bands, self.items)) > 1:
            raise FormError("Only one of codes, bands and items may stand here.")
        if (self.type == "list") != (self.items is not None):
            raise FormError("items belong to type list, and only there.")
        if self.items and not all(JSON_PATH.fullmatch(rule.read) for rule in self.items.values()):
            raise FormError("items are read by JSON paths of the form $.a.b[0].c.")
        if self.format is not None and self.type != "date":
            raise FormError("format belongs to type date, and only there.")
        if self.bands and any(band.below is None for band in self.bands[:-1]):
            raise FormError("Only the last band has no bound.")
        return self


def _rule_of_name(value: Any) -> Any:  # noqa: ANN401 - what YAML gave
    return {"read": value} if isinstance(value, str) else value


RuleOrName = Annotated[Rule, BeforeValidator(_rule_of_name)]


class Constant(Value):
    """The same for every client."""

    value: str | bool


class ContactRule(Value):
    """How to reach this partner about a client: a fixed role's address, a name where there is."""

    role: ShortText
    name: RuleOrName | None = None
    phone: ShortText | None = None
    email: ShortText | None = None

    def build(self, name: str | None) -> Contact:
        """Return the contact of one client."""
        return Contact(role=self.role, name=name, phone=self.phone, email=self.email)


class ClientRules(Value):
    """Where the own clients are, one row per involvement; `bsn` only where the law lets use it."""

    number: RuleOrName
    bsn: RuleOrName | None = None
    family_name: RuleOrName
    birth_date: RuleOrName
    kind: RuleOrName | Constant
    contact: ContactRule
    since: RuleOrName
    shielded: RuleOrName | Constant = Constant(value=False)
    confidential: RuleOrName | Constant = Constant(value=False)

    def rules(self) -> dict[str, Rule]:
        """Return everything that is read, by member."""
        named = {
            name: getattr(self, name)
            for name in ("number", "bsn", "family_name", "birth_date", "kind", "since")
        }
        named |= {"shielded": self.shielded, "confidential": self.confidential}
        named["contact.name"] = self.contact.name
        return {name: rule for name, rule in named.items() if isinstance(rule, Rule)}


class ProductRules(Value):
    """Where the record of one client is, and which field is made of what.

    `number` and `bsn` say whose record it is: they are compared with what was asked. `newest_by`
    chooses among several records; without it two records for one person are refused.
    """

    number: RuleOrName
    bsn: RuleOrName | None = None
    newest_by: RuleOrName | None = None
    fields: dict[FieldPath, RuleOrName] = Field(min_length=1, max_length=64)


def _require_query(query: str, *, wanted: set[str]) -> str:
    found = set(text(query).compile().params)
    if found != wanted:
        names = " and ".join(f":{name}" for name in sorted(wanted))
        raise FormError(f"The query takes {f'exactly {names}' if names else 'no parameter'}.")
    if ";" in query:
        raise FormError("Write one query, without a semicolon.")
    return query


Query = Annotated[str, Field(min_length=1, max_length=20_000)]


class SqlClients(ClientRules):
    """The query of all clients; it takes no parameter."""

    query: Query

    @model_validator(mode="after")
    def _no_parameter(self) -> Self:
        _require_query(self.query, wanted=set())
        return self


class SqlProduct(ProductRules):
    """The query of one client's record; its only parameter is `:number`."""

    query: Query

    @model_validator(mode="after")
    def _one_parameter(self) -> Self:
        _require_query(self.query, wanted={NUMBER})
        return self


class SqlDeclaration(Value):
    """A system that is a database: `url` without a password, or `url_secret` with all of it."""

    v: Literal[1]
    source: Literal["sql"]
    url: str | None = Field(default=None, max_length=1_024)
    url_secret: str | None = Field(default=None, pattern=_SECRET)
    clients: SqlClients | None = None
    products: dict[Slug, SqlProduct] = Field(default_factory=dict, max_length=64)

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_secret is None):
            raise FormError("Exactly one of url and url_secret is needed.")
        if self.url is not None and parse_url(self.url).password is not None:
            raise FormError("A url with a password belongs in a secret: use url_secret.")
        return self


class RestClients(ClientRules):
    """The list of all clients, page by page, and the address of one of them.

    `items` is the list in a page; `next`, where there is one, the path of the following page.
    """

    path: str
    items: str
    next: str | None = None
    one: str

    @model_validator(mode="after")
    def _paths(self) -> Self:
        _require_path(self.path, wanted=False)
        _require_path(self.one, wanted=True)
        _require_json_paths(
            [self.items, *([self.next] if self.next else [])], list(self.rules().values())
        )
        return self


class RestProduct(ProductRules):
    """The address of one client's record; `records` where it is a list of them."""

    path: str
    records: str | None = None

    @model_validator(mode="after")
    def _paths(self) -> Self:
        _require_path(self.path, wanted=True)
        rules = [self.number, self.bsn, self.newest_by, *self.fields.values()]
        _require_json_paths(
            [self.records] if self.records else [], [rule for rule in rules if rule]
        )
        return self


class RestDeclaration(Value):
    """A system that is a web service; `headers_secret` is a JSON object of header and value."""

    v: Literal[1]
    source: Literal["rest"]
    base_url: str = Field(pattern=_BASE_URL.pattern)
    headers_secret: str | None = Field(default=None, pattern=_SECRET)
    clients: RestClients | None = None
    products: dict[Slug, RestProduct] = Field(default_factory=dict, max_length=64)


Declaration = Annotated[SqlDeclaration | RestDeclaration, Field(discriminator="source")]


def load_declaration(path: Path) -> SqlDeclaration | RestDeclaration:
    """Return the declaration in a file; raise DeclarationError naming file and place."""
    declaration: SqlDeclaration | RestDeclaration = read_model(path, Declaration, DeclarationError)
    return declaration


def parse_url(url: str) -> Any:  # noqa: ANN401 - SQLAlchemy's URL
    """Return the parts of a database URL; raise FormError, and say nothing of it."""
    try:
        return make_url(url)
    except ArgumentError:
        raise FormError("This is not the URL of a database.") from None


def require_secret_url(secret: bytes) -> str:
    """Return the database URL in a secret; raise DeclarationError."""
    try:
        url = secret.decode("utf-8").strip()
        parse_url(url)
    except ValueError:
        raise DeclarationError("The secret with the database URL holds no such URL.") from None
    return url


def _require_path(path: str, *, wanted: bool) -> None:
    count = path.count("{number}")
    rest = path.replace("{number}", "")
    if not _URL_PATH.fullmatch(path) or "{" in rest or "}" in rest or count != int(wanted):
        how_often = "once" if wanted else "never"
        raise FormError(f"Write a path that starts with / and holds {{number}} {how_often}.")


def _require_json_paths(paths: list[str], rules: list[Rule]) -> None:
    wanted = [*paths, *(rule.read for rule in rules)]
    if not all(JSON_PATH.fullmatch(path) for path in wanted):
        raise FormError("Write a JSON path in the form $.a.b[0].c.")


Rule.model_rebuild()
