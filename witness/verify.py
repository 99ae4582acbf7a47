"""Verifies a whole log: every entry, every tile, every root over the tags.

Rule: everything is recomputed from the public bytes alone; nothing that the log says about itself
is taken over. What was verified is kept, so that the next run reads only what is new; what was
found is found again by the next run.

1. The checkpoint holds, and enough witnesses vouch for it.
2. Every entry is proved to lie under it (`follow.py`), is an entry, and its tiles are those shown.
3. Every tag root is recomputed over all tags, of which none occurs twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from datwat.protocol.tiles import TilePath, TreeEdge
from witness.errors import LogTilesError
from witness.folder import hold_folder
from witness.follow import Part, follow
from witness.keys import LogKeys, Seen, read_checkpoint
from witness.mirror import Report
from witness.progress import Progress, read_progress
from witness.reading import read_entries, wrong_root
from witness.source import Source, fetch_checkpoint, fetch_hashes
from witness.tag_runs import MAX_RUNS, Run, TagRuns

STATE_FILE = "state.json"

_TILES_AT_ONCE = 16


class VerifyState(Progress):
    """How far an earlier run got: the runs of tags, and how many of them had their roots checked.

    `stated` is the size that the newest tag root speaks of, `roots` how many there are.
    """

    runs: Annotated[tuple[tuple[int, int], ...], Field(max_length=100_000)] = ()
    checked: Annotated[int, Field(ge=0)] = 0
    stated: Annotated[int, Field(ge=0)] = 0
    roots: Annotated[int, Field(ge=0)] = 0


class Verified(NamedTuple):
    """What holds: the checkpoint, entries read in this run, tag roots in all and the newest's size.

    Entries from `covered` on are in the log, and counted by no tag root yet.
    """

    seen: Seen
    new: int
    roots: int
    covered: int


async def verify_log(source: Source, keys: LogKeys, folder: Path, report: Report) -> Verified:
    """Verify the log of a source up to its newest checkpoint, going on from what `folder` holds.

    Raises:
        FolderError: the folder is another log's, or another kind of folder.
        NoteError, CosignaturesError: the checkpoint does not hold.
        LogAlarmError: the log signed what no honest log signs.
        and what `follow` raises.
    """
    with hold_folder(folder, STATE_FILE):
        state = read_progress(VerifyState, folder / STATE_FILE, keys.origin)
        edge = state.read_edge()
        begun = edge.size
        seen = read_checkpoint(await fetch_checkpoint(source), keys)
        runs = TagRuns(folder / "tags")
        async for part in follow(source, edge, seen.checkpoint):
            await _require_tiles(source, part.tiles)
            if not edge.size:  # from now on the folder is this command's, also after a crash
                state.write(folder / STATE_FILE)
            state = await asyncio.to_thread(_take_in, runs, state, part, seen)
            edge = part.edge
            if edge.size < seen.checkpoint.size:
                state.write(folder / STATE_FILE)
            report(edge.size, seen.checkpoint.size)
        await _require_tiles(source, list(edge.partial_tiles()))
        state = await asyncio.to_thread(_check_roots, runs, state, edge, seen)
        state.write(folder / STATE_FILE)
        runs.remove_others([Run(*run) for run in state.runs])
        return Verified(seen, edge.size - begun, state.roots, state.stated)


async def _require_tiles(
    source: Source, tiles: Sequence[tuple[TilePath, tuple[bytes, ...]]]
) -> None:
    """Check that the tiles of hashes there are those of the tree that was read."""
    for start in range(0, len(tiles), _TILES_AT_ONCE):
        some = tiles[start : start + _TILES_AT_ONCE]
        found = await asyncio.gather(*(fetch_hashes(source, path) for path, _ in some))
        if any(list(hashes) != shown for (_, hashes), shown in zip(some, found, strict=True)):
            raise LogTilesError


def _take_in(runs: TagRuns, state: VerifyState, part: Part, seen: Seen) -> VerifyState:
    """Write what a part says, and return the state that counts it in."""
    reading = read_entries(part.start, part.entries, state.stated)
    run = Run(part.start, part.edge.size)
    runs.write(run, reading)
    return VerifyState(
        **state.grown(
            part.edge,
            seen.note,
            runs=(*state.runs, tuple(run)),
            stated=reading.roots[-1].size if reading.roots else state.stated,
            roots=state.roots + len(reading.roots),
        )
    )


def _check_roots(runs: TagRuns, state: VerifyState, edge: TreeEdge, seen: Seen) -> VerifyState:
    """Recompute the roots stated since the last check; raise LogTagRootError, LogTagTwiceError."""
    held = [Run(*run) for run in state.runs]
    if state.checked < len(held):
        stated = runs.read_stated(held[state.checked :])
        found = runs.derive_roots(held, [one.size for one in stated])
        for one, root in zip(stated, found, strict=True):
            if one.root != root:
                raise wrong_root(one.place)
        if len(held) > MAX_RUNS:
            held = [runs.merge(held)]
    changes = {"runs": tuple(tuple(run) for run in held), "checked": len(held)}
    return VerifyState(**state.grown(edge, seen.note, **changes))
