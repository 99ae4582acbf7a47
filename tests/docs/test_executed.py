"""Pages, word by word: every block is executed, and what it prints is what is shown.

One running demo, as `make serve` gives it; only its parties look after lists and witnesses sooner.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.covenant import find_ports
from tests.browser import find_browser, open_tab, skip_without
from tests.check_page import check
from tests.docs.executed import ROOT, matches, require_shown, running_demo

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("executed-pages"),
    pytest.mark.timeout(500),
]
TUTORIAL = ROOT / "docs" / "tutorial" / "new-partner.md"
AUDIT = ROOT / "docs" / "how-to" / "audit-the-log.md"


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """Return what the demo's last line tells a reader to paste."""
    with running_demo(1, 6) as found:
        yield found


def test_the_comparison_notices_what_differs() -> None:
    assert matches("run  1\nat   …\n", "run  1\nat   2026-01-01\n")
    assert not matches("run  1\nat   …\n", "run  1\nat   2026\nmore\n")
    assert not matches("registered  2", "registered  1")
    assert not matches("", "a warning that nobody expected")


def test_every_command_does_what_the_tutorial_shows(places: dict[str, str], tmp_path: Path) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    for port, free in zip(("8471", "8472"), find_ports(2), strict=True):
        text = text.replace(port, str(free))
    assert require_shown(text, tmp_path, places) > 10


@skip_without(
    "Chromium, or no Go to build the independent auditor",
    is_there=find_browser() is not None and shutil.which("go") is not None,
)
def test_an_entry_that_is_removed_is_found_as_the_page_shows(
    places: dict[str, str], tmp_path: Path
) -> None:
    """By verifiers, resident, witness and gateway; the checking page agrees in a real browser.

    It breaks the demo's log for good: the last test of this module.
    """
    _, _, section = AUDIT.read_text(encoding="utf-8").partition("\n## See it fail\n")
    assert require_shown(section, tmp_path, places) > 8
    (page,) = tmp_path.glob("*/check.html")
    outcomes = asyncio.run(_check_in_browser(page))
    assert outcomes == ["proved", "proved", "completeness_form"]


async def _check_in_browser(page: Path) -> list[str]:
    """Return what the page says of the bundles before and after, and of what came instead."""
    async with open_tab() as tab:
        await tab.open(page.as_uri())
        files = ("hidden.json", "bundle.json", "none.json")
        return [await check(tab, page.with_name(name)) for name in files]
