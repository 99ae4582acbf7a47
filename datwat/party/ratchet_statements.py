"""The tables of ratchets on a PostgreSQL server, and the statements over them.

Rule: the server itself refuses what a ratchet may never do: a mark that goes back or goes away, a
record that is changed. One database may hold the ratchets of several parties, each under its id.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

SCHEMA_LOCK: Final = 0x64777274  # any constant of ours: two processes must not make the tables
SCHEMA: Final = tuple(
    map(
        text,
        (
            """CREATE TABLE IF NOT EXISTS ratchet_ends (
                party varchar(64) PRIMARY KEY, marks bigint NOT NULL, place bigint NOT NULL,
                chain bytea NOT NULL, checksum bytea NOT NULL)""",
            """CREATE TABLE IF NOT EXISTS ratchet_marks (
                party varchar(64), name varchar(400), number bigint NOT NULL, digest bytea NOT NULL,
                checksum bytea NOT NULL, PRIMARY KEY (party, name))""",
            """CREATE TABLE IF NOT EXISTS ratchet_records (
                party varchar(64), place bigint, kind varchar(64) NOT NULL,
                identifier varchar(1100) NOT NULL, chain bytea NOT NULL,
                PRIMARY KEY (party, place), UNIQUE (party, kind, identifier))""",
            """CREATE OR REPLACE FUNCTION ratchet_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'a ratchet never goes back'; END $$""",
            """CREATE OR REPLACE TRIGGER ratchet_marks_rise BEFORE UPDATE ON ratchet_marks
                FOR EACH ROW WHEN (NEW.number <= OLD.number OR NEW.party <> OLD.party
                OR NEW.name <> OLD.name) EXECUTE FUNCTION ratchet_refuse()""",
            """CREATE OR REPLACE TRIGGER ratchet_marks_stay BEFORE DELETE ON ratchet_marks
                FOR EACH ROW EXECUTE FUNCTION ratchet_refuse()""",
            """CREATE OR REPLACE TRIGGER ratchet_records_stay BEFORE UPDATE ON ratchet_records
                FOR EACH ROW EXECUTE FUNCTION ratchet_refuse()""",
            """CREATE OR REPLACE TRIGGER ratchet_ends_stay BEFORE DELETE ON ratchet_ends
                FOR EACH ROW EXECUTE FUNCTION ratchet_refuse()""",
        ),
    )
)
HAS_SCHEMA: Final = text("SELECT to_regclass('ratchet_ends')")
LOCK_SCHEMA: Final = text("SELECT pg_advisory_xact_lock(:lock)")
# Of the server's data folder: a standby has its primary's.
FIND_IDENTITY: Final = text("SELECT system_identifier FROM pg_control_system()")

BEGIN: Final = text(
    "INSERT INTO ratchet_ends VALUES (:party, 0, 0, :chain, :checksum) ON CONFLICT DO NOTHING"
)
READ_END: Final = text(
    "SELECT marks, place, chain, checksum FROM ratchet_ends WHERE party = :party"
)
LOCK_END: Final = text(READ_END.text + " FOR UPDATE")
MOVE_END: Final = text(
    "UPDATE ratchet_ends SET marks = :marks, place = :place, chain = :chain, checksum = :checksum"
    " WHERE party = :party"
)
READ_MARK: Final = text(
    "SELECT number, digest, checksum FROM ratchet_marks WHERE party = :party AND name = :name"
)
LIST_MARKS: Final = text(
    "SELECT name, number, digest, checksum FROM ratchet_marks WHERE party = :party"
)
ADD_MARK: Final = text(
    "INSERT INTO ratchet_marks VALUES (:party, :name, :number, :digest, :checksum)"
    " ON CONFLICT DO NOTHING"
)
RAISE_MARK: Final = text(
    "UPDATE ratchet_marks SET number = :number, digest = :digest, checksum = :checksum"
    " WHERE party = :party AND name = :name AND number < :number"
)
RAISE_MARK_FROM: Final = text(
    RAISE_MARK.text + " AND number = :before_number AND digest = :before_digest"
)
LIST_OF_KIND: Final = text(
    "SELECT identifier FROM ratchet_records WHERE party = :party AND kind = :kind ORDER BY place"
)
LIST_KNOWN: Final = text(
    "SELECT kind, identifier FROM ratchet_records"
    " WHERE party = :party AND kind = ANY(:kinds) AND identifier = ANY(:identifiers)"
)
LIST_RECORDS: Final = text(
    "SELECT place, kind, identifier, chain FROM ratchet_records WHERE party = :party ORDER BY place"
)
ADD_RECORD: Final = text(
    "INSERT INTO ratchet_records VALUES (:party, :place, :kind, :identifier, :chain)"
)
DROP_RECORDS: Final = text("DELETE FROM ratchet_records WHERE party = :party")
