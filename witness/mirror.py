"""Copies a log into a folder that any static web server can serve as that log.

Rule: only what was proved is written, entries and tiles before the checkpoint that needs them, so
that whoever reads the folder at any moment finds a whole log; what is there is never changed.
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from datwat.protocol.checkpoint import parse_checkpoint
from datwat.protocol.notes import parse_note
from datwat.protocol.tiles import (
    CHECKPOINT_PATH,
    TILE_HEIGHT,
    TILE_WIDTH,
    TilePath,
    encode_bundle,
)
from witness.folder import hold_folder, write_whole
from witness.follow import Part, follow
from witness.keys import LogKeys, Seen, read_checkpoint
from witness.progress import Progress, read_progress
from witness.source import Source, fetch_checkpoint

PROGRESS_FILE = ".mirror.json"

Report = Callable[[int, int], None]
"""Told how many entries are done, and of how many."""


class Mirrored(NamedTuple):
    """What a run did: the checkpoint now in the folder, and how many entries are new."""

    seen: Seen
    new: int


async def mirror_log(source: Source, keys: LogKeys, folder: Path, report: Report) -> Mirrored:
    """Bring the folder up to the newest checkpoint of the source.

    Raises:
        FolderError: the folder is another log's, or not a mirror's, or cannot be written.
        NoteError, CosignaturesError: the checkpoint does not hold.
        and what `follow` raises; then the folder serves what it served before.
    """
    with hold_folder(folder, PROGRESS_FILE):
        held = read_progress(Progress, folder / PROGRESS_FILE, keys.origin)
        edge = held.read_edge()
        begun = edge.size
        seen = read_checkpoint(await fetch_checkpoint(source), keys)
        async for part in follow(source, edge, seen.checkpoint):
            if not edge.size:  # from now on the folder is a mirror's, also after a crash
                held.write(folder / PROGRESS_FILE)
            _write_part(folder, part)
            edge = part.edge
            held = Progress(**held.grown(edge, seen.note))
            held.write(folder / PROGRESS_FILE)
            report(edge.size, seen.checkpoint.size)
        for path, hashes in edge.partial_tiles():
            write_whole(folder / path.text, b"".join(hashes))
        shown = _read_size_shown(folder)
        write_whole(folder / CHECKPOINT_PATH, seen.note)
        _remove_replaced(folder, shown)
        return Mirrored(seen, edge.size - begun)


def _write_part(folder: Path, part: Part) -> None:
    """Write the tiles and entry bundles of a part."""
    for path, hashes in part.tiles:
        write_whole(folder / path.text, b"".join(hashes))
    first = part.start // TILE_WIDTH
    entries = [*part.begun, *part.entries]
    for place, start in enumerate(range(0, len(entries), TILE_WIDTH), first):
        some = entries[start : start + TILE_WIDTH]
        path = TilePath(level=None, index=place, width=len(some))
        write_whole(folder / path.text, encode_bundle(some))


def _read_size_shown(folder: Path) -> int:
    """Return the size of the checkpoint that the folder shows; 0 where it shows none."""
    try:
        note = (folder / CHECKPOINT_PATH).read_bytes()
    except OSError:
        return 0
    return parse_checkpoint(parse_note(note).text).size


def _remove_replaced(folder: Path, shown: int) -> None:
    """Remove the partial tiles of an earlier size whose full ones are there now."""
    places = [(level, shown >> (TILE_HEIGHT * ((level or 0) + 1))) for level in (None, *range(8))]
    for level, index in places:
        full = folder / TilePath(level=level, index=index).text
        if full.is_file():
            shutil.rmtree(full.with_name(f"{full.name}.p"), ignore_errors=True)
