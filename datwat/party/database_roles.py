"""Who may do what in a party's PostgreSQL database, as statements to read and to carry out.

Rules: one role owns the tables and changes the schema; the party runs as another one that owns
nothing, may use the tables, and of those that are a record may only add rows and take out what
ends (`PartyDatabase.kept`). Every statement can be carried out again: after a migration it must be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from datwat.party.database_errors import DatabaseError
from datwat.party.party_database import KeptRows

NOT_APART: Final = (
    "The application role may do all that the owner may: it is a superuser, or a member of it. "
    "Take that from it, or name another one."
)
NOT_APART_STATE: Final = "0LP01"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class RoleNameError(DatabaseError):
    """A name that would have to be quoted, or two roles that are one."""

    code = "database_role_name"
    default_detail = (
        "Names of roles and schemas are lower-case letters, digits and underscores, and the "
        "application's role is another one than the owner's."
    )


def build_roles(
    *, owner: str, application: str, kept: Mapping[str, KeptRows], schema: str = "public"
) -> list[str]:
    """Return the statements, in order, for an administrator connected to the party's database.

    Raises RoleNameError.
    """
    if not all(_NAME.fullmatch(name) for name in (owner, application, schema)):
        raise RoleNameError
    if owner == application:
        raise RoleNameError
    return [
        *(_build_role(role) for role in (owner, application)),
        _build_apart(owner, application),
        f"ALTER SCHEMA {schema} OWNER TO {owner}",
        f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {application}",
        f"GRANT USAGE ON SCHEMA {schema} TO {application}",
        _build_tables(owner, application, schema),
        *(
            _build_kept(f"{schema}.{table}", application, rows)
            for table, rows in sorted(kept.items())
        ),
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {application}",
    ]


def _build_role(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
        f"THEN CREATE ROLE {role} LOGIN; END IF; END $$"
    )


def _build_apart(owner: str, application: str) -> str:
    """Return the statement that fails where the rights below would hold nobody back."""
    return (
        f"DO $$ BEGIN IF pg_has_role('{application}', '{owner}', 'MEMBER') "
        f"THEN RAISE invalid_grant_operation USING MESSAGE = '{NOT_APART}'; END IF; END $$"
    )


def _build_tables(owner: str, application: str, schema: str) -> str:
    """Return the statement for every table there is: the owner's, and for the party to use."""
    return (
        "DO $$ DECLARE name text; BEGIN\n"  # noqa: S608 - names of the form that `_NAME` allows
        f"  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' LOOP\n"
        f"    EXECUTE format('ALTER TABLE {schema}.%I OWNER TO {owner}', name);\n"
        f"    EXECUTE format('REVOKE ALL ON {schema}.%I FROM PUBLIC, {application}', name);\n"
        "    IF name = 'alembic_version' THEN\n"
        f"      EXECUTE format('GRANT SELECT ON {schema}.%I TO {application}', name);\n"
        "    ELSE\n"
        f"      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.%I TO "
        f"{application}', name);\n"
        "    END IF;\n"
        "  END LOOP;\n"
        "END $$"
    )


def _build_kept(table: str, application: str, rows: KeptRows) -> str:
    """Return the statement for a table whose rows are a record, where that table is there."""
    taken = ["UPDATE"] if rows.delete else ["UPDATE", "DELETE"]
    parts = [f"REVOKE {', '.join(taken)} ON {table} FROM {application};"]
    if rows.update:
        parts.append(f"GRANT UPDATE ({', '.join(rows.update)}) ON {table} TO {application};")
    return (
        f"DO $$ BEGIN IF to_regclass('{table}') IS NOT NULL THEN {' '.join(parts)} END IF; END $$"
    )
