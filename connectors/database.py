"""The connector's database, for the commands that every party has (`datwat database`)."""

from __future__ import annotations

from connectors.settings import ConnectorSettings
from connectors.tables import MIGRATIONS
from datwat.party.party_database import PartyDatabase

DATABASE = PartyDatabase(settings=ConnectorSettings, migrations=MIGRATIONS)
