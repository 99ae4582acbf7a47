"""Files that stand in the way are named, with what to do, in no system's own words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datwat.party.files import describe_obstacle, replace_file


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_obstacle_is_told_in_our_words(number: int) -> None:
    error = OSError(number, os.strerror(number), "folder/keys.json")
    told = describe_obstacle(error)
    assert told.startswith("folder/keys.json ")
    assert told.endswith(".")
    assert os.strerror(number).lower() not in told.lower()


@pytest.mark.parametrize(
    "name", [b"folder/keys.json", "folder/keys.json", Path("folder/keys.json")]
)
def test_the_file_is_named_however_the_system_names_it(name: str | bytes | Path) -> None:
    told = describe_obstacle(OSError(errno.ENOENT, "no", name))
    assert told == "folder/keys.json is not there: check the path."


def test_what_names_no_file_takes_the_one_that_was_meant() -> None:
    assert describe_obstacle(OSError(errno.EIO, "x"), Path("a")).startswith("a cannot be read")
    assert describe_obstacle(OSError(errno.EIO, "x")).startswith("A file cannot be read")
    assert describe_obstacle(OSError(7, "x", 3)).startswith("A file ")  # a descriptor


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    replace_file(path, b"one")
    (tmp_path / "keys.json.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        replace_file(path, b"two")
    assert path.read_bytes() == b"one"
