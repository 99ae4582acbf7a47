"""A professional's question on the screen: from pressing *Ask* to the page with who is involved.

The demo's covenant with case 3, idle but for this; the pages are those of the social team's
connector. What a browser adds by drawing is not in it.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from typing import Final

from bench.figures import Figure
from demo.cli import open_folder
from demo.covenant import prepare
from demo.model import load_cases, load_partners
from demo.player import play_case
from demo.processes import Processes
from demo.setting_up import build
from tests.connectors.pages.staffer import CASE, OCCASION, TEAM, Staffer

_GROUP: Final = "professional's pages"
_PURPOSE: Final = "coordinate_family_help"
_TARGET_MS: Final = 300
_FIRST: Final = 3  # the first ones open connections


def measure_staff(scale: float) -> list[Figure]:
    """Return how long a question about one person takes to the screen."""
    case = next(one for one in load_cases() if one.number == CASE)
    with (
        open_folder() as folder,
        Processes(folder) as processes,
        contextlib.closing(prepare(folder, load_partners())) as covenant,
    ):
        build(covenant, [case], processes, lambda _: None)
        play_case(covenant, case, lambda _: None)
        staffer = Staffer(covenant.pages_url(TEAM))
        with staffer.client:
            staffer.log_in("noor")
            took = _ask_again_and_again(staffer, max(10, int(40 * scale)))
    name = "who is involved, from the question to its page"
    return [
        Figure(_GROUP, f"{name}, median", round(statistics.median(took), 1), "ms", _TARGET_MS),
        Figure(_GROUP, f"{name}, slowest", round(max(took), 1), "ms"),
    ]


def _ask_again_and_again(staffer: Staffer, times: int) -> list[float]:
    question = staffer.begin(_PURPOSE, OCCASION)
    staffer.choose(question, "N-301")
    took = []
    for _ in range(times + _FIRST):
        action, fields = staffer.read_form(f"{question}/dat")
        began = time.perf_counter()
        staffer.read(str(staffer.post(action, fields).headers["location"]))
        took.append((time.perf_counter() - began) * 1_000)
    return took[_FIRST:]
