"""One world of partners with pages for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.own_work.staff_world import StaffWorld, open_staff_world


@pytest.fixture(scope="package")
def staff_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaffWorld]:
    with open_staff_world(tmp_path_factory.mktemp("staff")) as world:
        yield world
