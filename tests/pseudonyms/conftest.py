"""The registers, and a connection in a transaction on each kind of database."""

from __future__ import annotations

from tests.adapters.registers import conn, registers

__all__ = ["conn", "registers"]
