"""Static files: few, small, for ever at one address, and never a path of the disk."""

from __future__ import annotations

import gzip
import re

import pytest

from datwat.web import assets
from datwat.web.assets import build_css, load_assets
from datwat.web.problems import PartsMissingError
from datwat.web.theme import load_theme
from tests.web.visitor import Visitor


async def test_a_page_needs_four_files_and_they_are_kept_for_ever(visitor: Visitor) -> None:
    page = await visitor.client.get("/logged-out")
    named = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    assert {name.rpartition("/")[2] for name in named} == {"pages.css", "pages.js", "logo.svg"}
    for url in named:
        whole = await visitor.client.get(url, headers={"Accept-Encoding": "identity"})
        assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "content-encoding" not in whole.headers
        packed = await visitor.client.get(url, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == whole.content
        assert len(gzip.compress(whole.content)) < 40_000
    css = (await visitor.client.get(next(url for url in named if url.endswith("css")))).text
    fonts = set(re.findall(r'url\("([^"]+)"\)', css))
    assert all(re.fullmatch(r"\.\./[0-9a-f]{16}/font-latin(-ext)?\.woff2", one) for one in fonts)
    for font in fonts:
        found = await visitor.client.get(f"/static/x/{font}".replace("/x/..", ""))
        assert found.headers["content-type"] == "font/woff2"


@pytest.mark.parametrize(
    "path",
    [
        "/static/0000000000000000/pages.css",
        "/static/%2e%2e/pages.css",
        "/static/..%2f..%2fpyproject.toml/x",
        "/static/x/..%2fassets.py",
        "/static/",
    ],
)
async def test_no_other_path_leads_to_a_file(visitor: Visitor, path: str) -> None:
    assert (await visitor.client.get(path)).status_code == 404


def test_only_the_tokens_that_something_uses_are_sent() -> None:
    tokens = ".t {\n --a: var(--b);\n --b: 1px;\n --c: 2px;\n --d: 3px;\n}"
    css = build_css(".u { margin: var(--a) }", tokens, "p { top: var( --d ) }", "")
    assert "{--a:var(--b);--b:1px;--d:3px;}" in css
    assert "--c" not in css
    assert css.startswith('@charset "UTF-8";@layer tokens,utrecht,datwat,theme;')


def test_without_its_parts_the_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "_PARTS", assets._PARTS / "missing")  # noqa: SLF001 - another folder
    with pytest.raises(PartsMissingError, match="make setup"):
        load_assets(load_theme(None))
