"""What the counts hold the log against is noticed where it is wrong: a leaf, a head, a person."""

from __future__ import annotations

import pytest

from tests.several.conftest import Stormy
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.told import Told
from tests.several.world import SeveralCovenant

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several-stormy"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def told(stormy: Stormy) -> Told:
    with Load(stormy.covenant, stormy.children, seed=1) as load:
        load.await_each(stormy.covenant.brokers, 120.0)
    return load.told


def require_noticed(covenant: SeveralCovenant, told: Told, what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        require_kept(covenant, told)


def test_a_receipt_whose_entry_is_another_or_lost_is_noticed(stormy: Stormy, told: Told) -> None:
    size = require_kept(stormy.covenant, told).size
    other = Told(entries={**told.entries, max(told.entries): bytes(32)})
    require_noticed(stormy.covenant, other, "is lost")
    late = Told(entries={**told.entries, size + 1_000: bytes(32)})
    require_noticed(stormy.covenant, late, "is lost")


def test_a_head_of_another_tree_is_noticed(stormy: Stormy, told: Told) -> None:
    other = Told(entries=told.entries, heads={**told.heads, max(told.heads): bytes(32)})
    require_noticed(stormy.covenant, other, "of another tree")


def test_a_person_who_became_two_is_noticed(told: Told) -> None:
    ((function, bsn), handle), *_ = told.handles.items()
    told.know(function, bsn, handle)
    with pytest.raises(AssertionError, match="two persons"):
        told.know(function, bsn, bytes(16))
