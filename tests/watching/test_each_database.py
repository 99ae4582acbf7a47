"""What is read of a database for figures and status, on each kind, and with none that answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from datwat.party import clock
from datwat.party.database import open_engine
from datwat.party.metrics import build_gauges
from datwat.party.parts import derive_database_part
from datwat.party.readings import read_pool, time_database
from keyholder import quotas, watching
from keyholder.settings import KeyHolderSettings
from keyholder.tables import MIGRATIONS
from tests.conftest import open_party_engine
from tests.databases import EACH
from tests.party.covenant import TestCovenant as Keys
from tests.party.covenant import build_member


@pytest.fixture(params=EACH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with open_party_engine(request, tmp_path, MIGRATIONS) as made:
        yield made


class Keeper:
    """The one thing that is asked of a keeper: the list in force."""

    def __init__(self, *names: int) -> None:
        members = tuple(build_member(number, "inquire") for number in names)
        trust = Keys(members).build()
        self.directory = cast("Any", self)
        self.trust = trust
        self.partners = {partner.id: partner for partner in trust.partners}


def build_settings(tmp_path: Path) -> KeyHolderSettings:
    return KeyHolderSettings(home=tmp_path, id="00000099000000002000:key-holder", name="K")


def test_the_pool_and_the_answer_are_told(engine: Engine) -> None:
    took = time_database(engine)
    assert took is not None
    assert derive_database_part(took).state in ("ok", "attention")
    with engine.connect():
        lent = {one.labels: one.value for one in read_pool(engine)}
    assert lent["lent",] == 1
    free = {one.labels: one.value for one in read_pool(engine)}
    assert (free["lent",], free["free",]) == (0, 1)


def test_a_quota_that_is_nearly_used_is_seen_and_names_nobody_in_figures(
    engine: Engine, tmp_path: Path
) -> None:
    keeper, settings = cast("Any", Keeper(1, 2)), build_settings(tmp_path)
    first, second = keeper.partners
    now = clock.now()
    with engine.begin() as connection:
        quotas.open_partner(connection, first, 0, now)
        quotas.charge(connection, first, "inquire", 1_900, limit=2_000, now=now)
    found = watching.find(settings, engine, keeper)
    parts = {part.part: part for part in watching.derive_parts(found)}
    assert parts["quotas"].code == "quotas_nearly_used"
    assert first in parts["quotas"].what
    assert parts["partners"].what == f"1 of 2 are open. Closed: {second}."
    gauges = build_gauges(watching.read_figures(settings, engine, keeper))
    shown = {
        (one.name, *one.labels.values()): one.value
        for family in gauges.values()
        for one in family.samples
    }
    assert shown["datwat_quota_used_ratio", "inquire"] == 0.95
    assert shown["datwat_partners", "open"] == shown["datwat_partners", "closed"] == 1
    assert not any(first in part for name in shown for part in name)


def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'none' / 'at-all.sqlite'}")
    keeper, settings = cast("Any", Keeper(1)), build_settings(tmp_path)
    shutil.rmtree(tmp_path / "none")
    (tmp_path / "none").write_text("a file, so that no database can be made below it")
    found = watching.find(settings, engine, keeper)
    assert {part.part: part.state for part in watching.derive_parts(found)} == {
        "trust_list": "ok",
        "database": "failed",
    }
    gauges = build_gauges(watching.read_figures(settings, engine, keeper))
    assert "datwat_partners" not in gauges
    assert derive_database_part(timedelta(seconds=1)).state == "attention"
    engine.dispose()
