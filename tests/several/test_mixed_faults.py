"""Ten thousand mixed faults, a hundred of them in `make test`: nothing is lost, nothing forks."""

from __future__ import annotations

import time
from dataclasses import asdict

import pytest

from tests.several.conftest import Stormy
from tests.several.figures import tell
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.mixing import Mixing, draw_seed

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.long,
    pytest.mark.xdist_group("several-stormy"),
    pytest.mark.timeout(600),
]
_ANSWER_SECONDS = 120.0


def test_ten_thousand_mixed_faults(
    stormy: Stormy, whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, began = draw_seed(), time.monotonic()
    tell(capsys, what="mixed faults begin", seed=seed)  # to play them again
    with Load(stormy.covenant, stormy.children, seed) as load:
        load.await_each(stormy.covenant.brokers, _ANSWER_SECONDS)
        with Mixing(stormy, load, seed) as mixing:
            mixing.run(10_000 if whole else 100)
            back = load.await_each(stormy.covenant.brokers, _ANSWER_SECONDS)
    kept = require_kept(stormy.covenant, load.told)
    assert kept.receipts > 0
    tell(
        capsys,
        what="mixed faults",
        count=sum(mixing.counts.values()),
        by_kind=dict(mixing.counts),
        seed=seed,
        seconds=round(time.monotonic() - began),
        back_seconds=round(back, 1),
        ended_by_themselves=mixing.ended,
        **load.told.summarise(),
        **asdict(kept),
    )
