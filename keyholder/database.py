"""The key holder's database, for the commands that every party has (`datwat database`)."""

from __future__ import annotations

from datwat.party.party_database import PartyDatabase
from keyholder.settings import KeyHolderSettings
from keyholder.tables import MIGRATIONS

DATABASE = PartyDatabase(settings=KeyHolderSettings, migrations=MIGRATIONS)
