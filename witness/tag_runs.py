"""The tags of a log and the roots stated over them, as files: one sorted run for each part read.

Rule: runs are only ever added, and merged into one; what is not named in the list of runs is not
there. Roots are checked over all runs at once (`tag_roots.py`), when the whole log was read.

    <start>-<end>.tags    sorted records: tag ‖ u64 index
    <start>-<end>.roots   u64 place ‖ u64 size ‖ root, in order; none once they are checked
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from witness.errors import FolderError
from witness.folder import write_whole
from witness.reading import Reading, StatedRoot
from witness.tag_roots import PAGES, RECORD_LENGTH, derive_tag_roots

MAX_RUNS = 32
"""More than these are merged into one."""

_ROOT_LENGTH = 48
_PLACE_END = 8
_SIZE_END = 16


class Run(NamedTuple):
    """The entries [start, end) of the log."""

    start: int
    end: int

    @property
    def name(self) -> str:
        """The name of its files, without what tells them apart."""
        return f"{self.start}-{self.end}"


class TagRuns:
    """The runs in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, run: Run, reading: Reading) -> None:
        """Write what a part of the log says; raise FolderError."""
        records = sorted(tag + index.to_bytes(8, "big") for tag, index in reading.tags)
        self._write_tags(run, records)
        stated = (
            place.to_bytes(8, "big") + size.to_bytes(8, "big") + root
            for place, size, root in reading.roots
        )
        write_whole(self._folder / f"{run.name}.roots", b"".join(stated))

    def read_stated(self, runs: Sequence[Run]) -> list[StatedRoot]:
        """Return the roots stated in these runs, in the order of the log; raise FolderError."""
        stated = []
        for run in runs:
            data = self._read(f"{run.name}.roots", _ROOT_LENGTH)
            for start in range(0, len(data), _ROOT_LENGTH):
                one = data[start : start + _ROOT_LENGTH]
                place = int.from_bytes(one[:_PLACE_END], "big")
                size = int.from_bytes(one[_PLACE_END:_SIZE_END], "big")
                stated.append(StatedRoot(place, size, one[_SIZE_END:]))
        return stated

    def derive_roots(self, runs: Sequence[Run], sizes: Sequence[int]) -> list[bytes]:
        """Return the root over all tags below each of `sizes`.

        Raises LogTagTwiceError, FolderError.
        """
        with ExitStack() as stack:
            return derive_tag_roots(self._read_pages(runs, stack), sizes)

    def merge(self, runs: Sequence[Run]) -> Run:
        """Write one run that holds the tags of these, and return it; the old files stay."""
        whole = Run(runs[0].start, runs[-1].end)
        with ExitStack() as stack:
            pages = self._read_pages(runs, stack)
            self._write_tags(whole, [record for page in pages for record in page])
        write_whole(self._folder / f"{whole.name}.roots", b"")
        return whole

    def remove_others(self, runs: Sequence[Run]) -> None:
        """Remove the files of runs that are not among these."""
        kept = {run.name for run in runs}
        for path in (*self._folder.glob("*.tags"), *self._folder.glob("*.roots")):
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def _write_tags(self, run: Run, records: Sequence[bytes]) -> None:
        write_whole(self._folder / f"{run.name}.tags", b"".join(records))

    def _read_pages(self, runs: Sequence[Run], stack: ExitStack) -> Iterator[list[bytes]]:
        """Yield the records of each first byte, sorted."""
        held = [self._open(run, stack) for run in runs]
        places = [0] * len(held)
        for first in range(PAGES):
            records: list[bytes] = []
            for which, data in enumerate(held):
                start, places[which] = places[which], _find_page(data, first + 1)
                part = data[start * RECORD_LENGTH : places[which] * RECORD_LENGTH]
                records += [
                    part[at : at + RECORD_LENGTH] for at in range(0, len(part), RECORD_LENGTH)
                ]
            records.sort()
            yield records

    def _open(self, run: Run, stack: ExitStack) -> mmap.mmap | bytes:
        try:
            file = stack.enter_context((self._folder / f"{run.name}.tags").open("rb"))
            size = file.seek(0, 2)
            if size % RECORD_LENGTH:
                raise _damaged()
            if not size:
                return b""
            return stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError:
            raise _damaged() from None

    def _read(self, name: str, length: int) -> bytes:
        try:
            data = (self._folder / name).read_bytes()
        except OSError:
            raise _damaged() from None
        if len(data) % length:
            raise _damaged()
        return data


def _find_page(data: mmap.mmap | bytes, first: int) -> int:
    """Return how many records lie before those whose tags begin with `first` or a higher byte."""
    count = len(data) // RECORD_LENGTH
    return bisect_left(range(count), first, key=lambda place: data[place * RECORD_LENGTH])


def _damaged() -> FolderError:
    return FolderError("The tags of an earlier run are damaged: start with an empty folder.")
