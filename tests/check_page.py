"""The check page as a person uses it: choose files, press the button, read the outcome."""

from __future__ import annotations

from pathlib import Path

from tests.browser import Tab


async def check(tab: Tab, file: Path, earlier: Path | None = None) -> str:
    """Check a bundle on the page that is open in a tab, and return the outcome that it shows."""
    await tab.choose("#bundle", file)
    await tab.choose("#earlier", *([earlier] if earlier else []))
    await tab.evaluate("delete document.getElementById('result').dataset.milliseconds")
    await tab.evaluate("document.querySelector('form button').click()")
    await tab.wait_for("document.getElementById('result').dataset.milliseconds")
    outcome: str = await tab.evaluate("document.getElementById('result').dataset.outcome")
    return outcome


async def read_seconds(tab: Tab) -> float:
    """Return how long the last check took, by the page's own clock."""
    shown = await tab.evaluate("document.getElementById('result').dataset.milliseconds")
    return int(shown) / 1_000
