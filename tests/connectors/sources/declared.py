"""What the tests of sources share: a declaration from YAML text, and secrets from a dict."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from connectors.sources.declaration import RestDeclaration, SqlDeclaration, load_declaration

CLIENT, OTHER = "K-17", "K-18"
BSN, OTHER_BSN = "999993653", "999990019"


def sql_declaration(folder: Path, text: str) -> SqlDeclaration:
    return cast("SqlDeclaration", declare(folder, text))


def rest_declaration(folder: Path, text: str) -> RestDeclaration:
    return cast("RestDeclaration", declare(folder, text))


def declare(folder: Path, text: str) -> SqlDeclaration | RestDeclaration:
    path = folder / "source.yaml"
    path.write_text(text, encoding="utf-8")
    return load_declaration(path)


def no_secret(name: str) -> bytes:
    raise AssertionError(name)
