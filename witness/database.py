"""The witness's database, for the commands that every party has (`datwat database`)."""

from __future__ import annotations

from datwat.party.party_database import PartyDatabase
from witness.settings import WitnessSettings
from witness.tables import MIGRATIONS

DATABASE = PartyDatabase(settings=WitnessSettings, migrations=MIGRATIONS)
