"""The tree over all tags, kept so that a new root costs what is new and a proof one page.

Rule: the tags lie in a table of the party's own database; in memory are only the hashes of the
first 19 levels, which a start recomputes. What is added is kept apart until `commit`: proofs hold
for the last root committed. Rows that a crash left beyond the size loaded are not seen, and writing
them again changes nothing. Source: docs/decisions/0014; `datwat/protocol/tag_tree.py`.

    pages = tags by their first 19 bits (two to a page at a million), a page is read whole
    nodes by number: 1 is the root, 2n and 2n+1 are the halves of n, the pages lie at depth 19
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    select,
)

from datwat.party.errors import PartyError
from datwat.party.tag_levels import MANY, NONE, Layer, Top, go_on, raise_nodes
from datwat.party.tag_statements import (
    PAGES_AT_ONCE,
    TAG_BITS,
    TAGS_AT_ONCE,
    build_range,
    compile_statements,
    run_insert,
)
from datwat.protocol.tag_tree import (
    TAG_LENGTH,
    Leaf,
    TagProof,
    TagProofError,
    TagTwiceError,
    build_tag_proof,
    derive_tag_root,
    require_no_tag,
    require_tag,
    tag_bit,
)

PAGE_BITS = 19
"""34 MB once it is full; a page grows with the log: 20 tags at ten million."""

_ROWS_AT_ONCE = 4_096
_LAYERS_KEPT = 2


class TagIndexDamagedError(PartyError):
    """The table of tags is not what the roots were made from."""

    code = "tag_index_damaged"
    default_detail = (
        "The tags in the database are not those of the log's last tag root: "
        "the database was changed. Do not serve from it; restore it."
    )


def build_tag_columns() -> tuple[Column[Any], ...]:
    """Return fresh columns of the table, for a party's tables and for its migration."""
    return (
        Column("tag", LargeBinary(TAG_LENGTH), primary_key=True),
        Column("idx", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    )


def build_tag_table(metadata: MetaData, name: str = "log_tags") -> Table:
    """Return the table of tags in a party's `metadata`."""
    return Table(name, metadata, *build_tag_columns(), sqlite_with_rowid=False)


class TagIndex:
    """The tags of one log up to a size; one thread loads, adds and commits, any may prove."""

    def __init__(self, table: Table, page_bits: int = PAGE_BITS) -> None:
        """Start from the empty log; `load` reads what is there."""
        self._bits = page_bits
        self._lock = threading.RLock()
        self._committed = Top(page_bits)
        self._layers: list[Layer] = []
        self._size = 0
        c = table.c
        self._insert, self._page, self._pages = compile_statements(table)
        self._all = select(c.tag, c.idx).where(c.idx < bindparam("b_size")).order_by(c.tag)

    @property
    def size(self) -> int:
        """How many entries of the log the committed root covers."""
        return self._size

    @property
    def added(self) -> int:
        """How many entries of the log were taken in, committed or not: where to go on adding."""
        return self._layers[-1].size if self._layers else self._size

    @property
    def added_root(self) -> bytes:
        """The root over all that was taken in, committed or not."""
        return (self._layers[-1] if self._layers else self._committed).hash(1)

    @property
    def root(self) -> bytes:
        """The committed root, over the tags of log[0:size)."""
        return self._committed.hash(1)

    def load(self, connection: Connection, size: int) -> None:
        """Recompute everything from the rows below `size`, and commit it (3 s for a million)."""
        top = Top(self._bits)
        shift = TAG_BITS - self._bits
        result = connection.execute(
            self._all, {"b_size": size}, execution_options={"yield_per": _ROWS_AT_ONCE}
        )
        touched = []
        for page, rows in groupby(result, lambda row: int.from_bytes(row[0], "big") >> shift):
            node = (1 << self._bits) + page
            leaves = [(row[0], row[1]) for row in rows]
            top.put(node, derive_tag_root(leaves, self._bits), min(len(leaves), MANY))
            touched.append(node)
        raise_nodes(top, touched)
        with self._lock:
            self._committed, self._size, self._layers = top, size, []

    def add(self, connection: Connection, leaves: Iterable[Leaf], size: int) -> bytes:
        """Write the tags up to `size` and return the root over them, kept apart until `commit`.

        `leaves` are all tags of log[added:size), in any order. The caller's transaction must be
        committed before `commit`; after an error or a rollback: `discard`, and go on at `added`.

        Raises:
            TagTwiceError: one of these tags was there already.
        """
        new = sorted(leaves)
        self.write(connection, new)
        return self.take_in(connection, new, size)

    def write(self, connection: Connection, leaves: Sequence[Leaf]) -> None:
        """Write tags without hashing anything: the half of `add` that needs the write lock."""
        ordered = sorted(leaves)
        for start in range(0, len(ordered), TAGS_AT_ONCE):
            run_insert(self._insert, connection, ordered[start : start + TAGS_AT_ONCE])

    def take_in(
        self,
        connection: Connection,
        leaves: Iterable[Leaf],
        size: int,
        rest: Callable[[], None] = go_on,
    ) -> bytes:
        """Hash what `write` wrote: the half of `add` that only reads; contract as `add`.

        `rest` is called about every millisecond, for a thread beside which others have work.
        """
        new = sorted(leaves)
        is_open = bool(self._layers) and not self._layers[-1].is_marked
        below = self._layers[-1] if self._layers else None
        layer = self._layers[-1] if is_open else Layer(below or self._committed, self.added)
        if not all(layer.size <= index < size for _, index in new):
            raise ValueError("a tag of another part of the log")
        raise_nodes(layer, self._hash_pages(connection, layer, new, size, rest), rest)
        layer.size = size
        if not is_open:
            self._layers.append(layer)
        return self.added_root

    def mark(self) -> None:
        """Keep what was added so far apart from what follows, so that it can be committed alone.

        At most two such parts are kept: a third is taken together with the second.
        """
        if self._layers:
            self._layers[-1].is_marked = True
        if len(self._layers) > _LAYERS_KEPT:
            self._layers[-2].take_in(self._layers.pop())

    def commit(self, size: int | None = None) -> None:
        """Make the root over log[0:size) the one that proofs are for; all that was added, if None.

        Nothing changes unless what was added ended at `size`, or ended at a mark before it.
        """
        with self._lock:
            while self._layers and (size is None or self._layers[0].size <= size):
                layer = self._layers.pop(0)
                layer.apply(self._committed)
                self._size = layer.size
                if self._layers:
                    self._layers[0].base = self._committed

    def discard(self) -> None:
        """Forget what was added and neither marked nor committed."""
        if self._layers and not self._layers[-1].is_marked:
            self._layers.pop()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep size and root as they are: open the view that proofs read within this."""
        with self._lock:
            yield

    def prove(self, connection: Connection, tag: bytes) -> TagProof:
        """Return where `tag` lies under the committed root, or that it does not.

        `connection` must see what was committed with that root (see `held`).

        Raises:
            TagIndexDamagedError: rows are missing or were changed.
        """
        with self._lock:
            return self._prove(connection, tag)

    def _prove(self, connection: Connection, tag: bytes) -> TagProof:
        top, node, siblings = self._committed, 1, []
        for depth in range(self._bits):
            if top.kind(node) != MANY:
                break
            node = 2 * node + tag_bit(tag, depth)
            siblings.append(top.hash(node ^ 1))
        depth = len(siblings)
        leaves: list[Leaf] = []
        if top.kind(node) != NONE:
            within = build_range(node, depth)
            rows = self._page.fetch_rows(
                connection, {"b_size": self._size, "low_0": within[0], "high_0": within[1]}
            )
            leaves = sorted(rows)
        below = build_tag_proof(leaves, tag, depth)
        proof = TagProof(siblings=(*siblings, *below.siblings), found=below.found)
        _require_true(proof, tag, self.root)
        return proof

    def _hash_pages(
        self,
        connection: Connection,
        layer: Layer,
        new: Sequence[Leaf],
        size: int,
        rest: Callable[[], None],
    ) -> list[int]:
        """Hash the pages of the new tags anew and return their nodes, in order."""
        shift, first = TAG_BITS - self._bits, 1 << self._bits
        nodes = sorted({first + (int.from_bytes(tag, "big") >> shift) for tag, _ in new})
        held: dict[bytes, int] = {}
        for start in range(0, len(nodes), PAGES_AT_ONCE):
            rows = self._fetch_pages(connection, nodes[start : start + PAGES_AT_ONCE], size)
            held.update(rows)
            for page, page_rows in groupby(
                rows, lambda row: int.from_bytes(row[0], "big") >> shift
            ):
                leaves = list(page_rows)
                root = derive_tag_root(leaves, self._bits)
                layer.put(first + page, root, min(len(leaves), MANY))
            rest()
        if any(held.get(tag) != index for tag, index in new):
            raise TagTwiceError
        return nodes

    def _fetch_pages(self, connection: Connection, nodes: Sequence[int], size: int) -> list[Leaf]:
        given: dict[str, Any] = {"b_size": size}
        for place in range(PAGES_AT_ONCE):
            # What is left over of the statement's places asks for a range that is empty.
            low, high = (
                build_range(nodes[place], self._bits) if place < len(nodes) else (b"\x01", b"")
            )
            given[f"low_{place}"], given[f"high_{place}"] = low, high
        rows = self._pages.fetch_rows(connection, given)
        return sorted(rows)


def _require_true(proof: TagProof, tag: bytes, root: bytes) -> None:
    """Refuse to give away a proof that its reader would refuse."""
    found = proof.found
    try:
        if found is not None and found.tag == tag:
            require_tag(proof, tag, found.index, root)
        else:
            require_no_tag(proof, tag, root)
    except TagProofError:
        raise TagIndexDamagedError from None
