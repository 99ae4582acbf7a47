from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_process import find_opa
from datwat.protocol.bundle import Bundle
from tests.policy.opa_world import make_archive, make_bundle, write_policies


@pytest.fixture(scope="session")
def binary() -> Path:
    return asyncio.run(find_opa())


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return make_archive(write_policies(tmp_path / "policies"))


@pytest.fixture
def bundle(archive: bytes) -> Bundle:
    return make_bundle(archive)


@pytest.fixture
async def opa(binary: Path, bundle: Bundle) -> AsyncIterator[SupervisedOpa]:
    async with SupervisedOpa(binary, bundle) as running:
        yield running
