"""How far a command got with a log: a small file in its folder, in its one form.

Rule: what is held in it was proved when it was written, and belongs to one log; a file of another
log, or one that was changed, is refused and left as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from datwat.protocol.checkpoint import Checkpoint, parse_checkpoint
from datwat.protocol.notes import parse_note
from datwat.protocol.tiles import TileContentError, TreeEdge
from datwat.protocol.values import Value
from witness.errors import FolderError
from witness.folder import write_whole


class Progress(Value):
    """The tree that was followed so far, and the signed checkpoint that it was proved against.

    `edge` is the right edge of that tree (hex of `TreeEdge.serialise`); the checkpoint may be
    larger where a run was cut short.
    """

    v: Literal[1] = 1
    origin: Annotated[str, Field(max_length=250)]
    size: Annotated[int, Field(ge=0)] = 0
    edge: str = ""
    checkpoint: str = ""

    def read_edge(self) -> TreeEdge:
        """Return the edge; raise FolderError where it is damaged."""
        try:
            edge = TreeEdge.read(self.size, bytes.fromhex(self.edge))
        except (ValueError, TileContentError):
            raise _damaged() from None
        signed = self.read_checkpoint()
        if signed is not None and signed.size == self.size and not edge.has_root(signed.root):
            raise _damaged()
        return edge

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint held, verified when it was written; raise NoteError."""
        if not self.checkpoint:
            return None
        return parse_checkpoint(parse_note(self.checkpoint.encode()).text)

    def grown(self, edge: TreeEdge, note: bytes, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the members of the progress that follows."""
        members = {"size": edge.size, "edge": edge.serialise().hex(), "checkpoint": note.decode()}
        return {**self.model_dump(), **members, **changes}

    def write(self, path: Path) -> None:
        """Write the file, whole and durably; raise FolderError."""
        write_whole(path, self.model_dump_json().encode())


ProgressT = TypeVar("ProgressT", bound=Progress)


def read_progress(kind: type[ProgressT], path: Path, origin: str) -> ProgressT:
    """Return how far an earlier run got with this log; raise FolderError for another log's file."""
    try:
        held = kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return kind(origin=origin)
    except (OSError, ValidationError):
        raise _damaged() from None
    if held.origin != origin:
        raise FolderError(
            f"{path.parent} is the folder of another log ({held.origin}): name another folder."
        )
    return held


def _damaged() -> FolderError:
    return FolderError(
        "The file that says how far an earlier run got is damaged: start with an empty folder."
    )
