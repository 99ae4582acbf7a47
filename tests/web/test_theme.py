"""A municipality's own folder: what it holds counts, the rest is ours, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from datwat.web.problems import ThemeError
from datwat.web.theme import DEFAULT, load_theme


def test_a_folder_replaces_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "theme.css").write_text(".voorbeeld-theme { --datwat-accent: #640; }")
    theme = load_theme(tmp_path)
    assert "#640" in theme.css
    assert theme.logo == (DEFAULT / "logo.svg").read_bytes()
    assert theme.texts.crisis[0].phone == "112"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("texts.toml", b"x = ", "not TOML"),
        ("texts.toml", b"\xff", "not UTF-8"),
        ("texts.toml", b'organisation = "A"', "contact"),
        ("logo.svg", b"x" * 300_000, "larger than 256 kB"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ThemeError, match=told):
        load_theme(tmp_path)


@pytest.mark.parametrize("phone", ["javascript:alert(1)", "<b>", "1" * 40])
def test_a_number_is_a_number(tmp_path: Path, phone: str) -> None:
    texts = (DEFAULT / "texts.toml").read_text().replace('phone = "112"', f'phone = "{phone}"')
    (tmp_path / "texts.toml").write_text(texts)
    with pytest.raises(ThemeError, match="crisis"):
        load_theme(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThemeError, match="no folder"):
        load_theme(tmp_path / "nowhere")
