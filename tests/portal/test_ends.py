"""A portal has no database: what it holds of anybody ends with its memory."""

from __future__ import annotations

import ast
from pathlib import Path

from connectors import portal

_STORES = ("sqlalchemy", "sqlmodel", "sqlite3", "datwat.party.database", "datwat.party.spent")
_TABLES = ("connectors.tables", "connectors.gateway_tables", "connectors.client.store")


def list_imports(path: Path) -> set[str]:
    """Return the names that a module imports, `from a import b` as `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_no_module_of_the_portal_reaches_for_a_database() -> None:
    modules = list(Path(str(portal.__file__)).parent.glob("*.py"))
    assert len(modules) > 1
    for module in modules:
        reached = [
            name
            for name in list_imports(module)
            for store in (*_STORES, *_TABLES)
            if name == store or name.startswith(f"{store}.")
        ]
        assert reached == [], module.name
