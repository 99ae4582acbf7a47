from __future__ import annotations

from pathlib import Path

import pytest

from bench.kept import Kept, keep


def make(text: str, folder: Path, source: Path) -> Kept:
    def write(kept: Path) -> None:
        (kept / "it").write_text(text)

    return keep(folder, "it", 5, [source], write)


def test_it_is_made_once_and_anew_when_what_makes_it_changed(tmp_path: Path) -> None:
    source, cache = tmp_path / "source.py", tmp_path / "cache"
    source.write_text("one")
    first = make("first", cache, source)
    again = make("second", cache, source)
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.folder / "it").read_text() == "first"
    source.write_text("two")
    changed = make("third", cache, source)
    assert changed.is_new
    assert (changed.folder / "it").read_text() == "third"
    assert list(cache.iterdir()) == [changed.folder]  # what older code made is gone


def test_what_was_made_in_part_is_made_again(tmp_path: Path) -> None:
    source, cache = tmp_path / "source.py", tmp_path / "cache"
    source.write_text("one")

    def fail(kept: Path) -> None:
        (kept / "it").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(cache, "it", 5, [source], fail)
    made = make("whole", cache, source)
    assert made.is_new
    assert (made.folder / "it").read_text() == "whole"
