"""A youth-help organisation's own system, which was not made for us, and its declaration."""

from __future__ import annotations

import sqlite3
from pathlib import Path

DECLARATION = """
v: 1
source: sql
url: sqlite:///{database}
clients:
  query: SELECT klantnr, bsn, achternaam, geboren, soort, sinds, werker FROM klant
  number: klantnr
  bsn: bsn
  family_name: achternaam
  birth_date: {{read: geboren, type: date, format: "%d-%m-%Y"}}
  kind: {{read: soort, codes: {{JH: youth_help}}}}
  contact: {{role: Front desk, name: werker, phone: 020 000 0000}}
  since: {{read: sinds, type: date, format: "%d-%m-%Y"}}
products:
  jeugdhulp:
    query: SELECT klantnr, bsn, st, werker, gewijzigd FROM traject WHERE klantnr = :number
    number: klantnr
    bsn: bsn
    newest_by: {{read: gewijzigd, type: date, format: "%d-%m-%Y"}}
    fields:
      status: {{read: st, codes: {{L: lopend, B: beëindigd}}}}
      contact: werker
"""


class OwnSystem:
    """The database of the organisation, as its own staff changes it."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "own.db"
        self.declaration = folder / "source.yaml"
        self.declaration.write_text(DECLARATION.format(database=self.database), encoding="utf-8")
        self.run(
            "CREATE TABLE klant (klantnr TEXT, bsn TEXT, achternaam TEXT, geboren TEXT, soort TEXT,"
            " sinds TEXT, werker TEXT)"
        )
        self.run(
            "CREATE TABLE traject (klantnr TEXT, bsn TEXT, st TEXT, werker TEXT, gewijzigd TEXT)"
        )

    def run(self, statement: str, *values: str) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute(statement, values)
        connection.close()

    def add(self, number: str, bsn: str, name: str, born: str, status: str = "L") -> None:
        client = (number, bsn, name, born, "JH", "01-02-2026", "Sam de Boer")
        self.run("INSERT INTO klant VALUES (?, ?, ?, ?, ?, ?, ?)", *client)
        record = (number, bsn, status, "Sam de Boer", "01-03-2026")
        self.run("INSERT INTO traject VALUES (?, ?, ?, ?, ?)", *record)

    def remove(self, number: str) -> None:
        self.run("DELETE FROM klant WHERE klantnr = ?", number)
