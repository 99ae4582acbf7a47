"""The commands about a party's database on a server: copy it there, migrate it, name its roles.

Rules: the party is stopped for as long as its database is copied: its home, its ratchet and what
its processes hold on the source's server are held; no password is ever printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import DBAPIError

from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.database import find_sqlite_file, migrate, open_engine, parse_url
from datwat.party.database_copy import SOURCE, DatabaseCopyError, copying, telling_where
from datwat.party.database_errors import DatabaseError
from datwat.party.database_roles import NOT_APART, NOT_APART_STATE, RoleNameError, build_roles
from datwat.party.party_database import find_party
from datwat.party.postgres import explain, open_postgres
from datwat.party.running import holding_stopped
from datwat.party.settings import change_settings, load_settings
from datwat.party.trust_keeper import open_ratchet

app = typer.Typer(
    help="A party's database: copy it to PostgreSQL, bring it up to date, who may do what.",
    epilog="Example: datwat database copy broker postgresql://datwat_owner@db.example/broker",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(
    epilog="Example: datwat database copy broker postgresql://datwat_owner@db.example/broker"
)
def copy(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="Home folder of the stopped party.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="URL of an empty PostgreSQL database.")
    ],
    *,
    switch: Annotated[
        bool, typer.Option("--switch", help="Write TO into settings.toml once the copy is whole.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a party's database, log and all, into an empty one; verified, and may be resumed."""
    if ":/" in str(source):  # not said again: there may be a password in it
        raise DatabaseCopyError(
            "FROM is a home folder, whose settings.toml names the database; TO is the URL."
        )
    name, party = find_party(source)
    settings = load_settings(party.settings, source)
    _require_apart(settings.database, target)
    engines = open_engine(settings.database), open_engine(target)
    try:
        with (
            holding_stopped(settings.home),
            open_ratchet(settings) as ratchet,
            # What serves from another home, on the same database: its ratchet keeps none out.
            telling_where(engines[0], SOURCE),
            party.hold(settings.database),
            copying(*engines, party.migrations, name, _report) as copied,
        ):
            proved = party.verify(settings, engines[1], ratchet)
    finally:
        for engine in engines:
            engine.dispose()
    if switch:
        change_settings(settings.home, {"database_url": target})
    found: dict[str, Any] = {**copied._asdict(), "verified": True, **proved, "switched": switch}
    print_result(found, as_json=as_json)


@app.command("migrate", epilog="Example: datwat database migrate --home broker")
def bring_up_to_date(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Bring the schema up to this version, by the role that DATWAT_DATABASE_URL names."""
    name, party = find_party(home)
    settings = load_settings(party.settings, home)
    engine = open_engine(settings.database)
    try:
        migrate(engine, party.migrations)
    finally:
        engine.dispose()
    print_result({"party": name, "up_to_date": True}, as_json=as_json)


@app.command(
    epilog="Example: datwat database roles --home broker --owner datwat_owner "
    "--application datwat_broker | psql --set ON_ERROR_STOP=1 broker"
)
def roles(
    *,
    home: HomeOption,
    owner: Annotated[
        str, typer.Option(help="Role that owns the tables and migrates.")
    ] = "datwat_owner",
    application: Annotated[
        str, typer.Option(help="Role of the running party; empty: datwat_ and its command.")
    ] = "",
    schema: Annotated[str, typer.Option(help="Schema of the tables.")] = "public",
    apply: Annotated[
        str, typer.Option(help="URL of an administrator's: carry them out there instead.")
    ] = "",
) -> None:
    """Print the statements that give owner and application their rights, or carry them out."""
    name, party = find_party(home)
    statements = build_roles(
        owner=owner,
        application=application or f"datwat_{name}",
        kept=party.kept,
        schema=schema,
    )
    if apply:
        _apply(apply, statements)
        typer.echo(f"{len(statements)} statements carried out.")
        return
    typer.echo("BEGIN;")
    for statement in statements:
        typer.echo(f"{statement};")
    typer.echo("COMMIT;")


def _apply(url: str, statements: list[str]) -> None:
    """Carry all of them out, or none; raise DatabaseError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise DatabaseError("--apply takes postgresql://…: a file has no roles.")
    engine = open_postgres(parsed)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == NOT_APART_STATE:
            raise RoleNameError(NOT_APART) from None
        raise explain(engine, error) from None
    finally:
        engine.dispose()


def _require_apart(source: str, target: str) -> None:
    """Refuse what cannot be copied, before anything is opened."""
    if parse_url(target).get_backend_name() != "postgresql":
        raise DatabaseCopyError("TO must be postgresql://…: a file is copied with its home folder.")
    if parse_url(source) == parse_url(target):
        raise DatabaseCopyError(
            "FROM is this database already: take database_url out of its settings.toml, or unset "
            "DATWAT_DATABASE_URL."
        )
    file = find_sqlite_file(source)
    if file is not None and not file.is_file():
        raise DatabaseCopyError("The home folder holds no database yet: there is nothing to copy.")


def _report(table: str, rows: int, total: int) -> None:
    if total:
        typer.echo(f"{table}: {rows:,} of {total:,}", err=True)
