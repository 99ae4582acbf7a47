"""A log made for tests, and the web server that shows it: honest, or changed as a test says."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from datwat.cli import COMMAND_GROUP
from datwat.protocol.checkpoint import CheckpointSigner, build_cosignature
from datwat.protocol.cosigning import AddCheckpoint, add_lines
from datwat.protocol.entry import (
    TAG_PLACE,
    build_person_entry,
    build_statement_entry,
    build_tag_root_entry,
)
from datwat.protocol.merkle import build_consistency_proof, hash_leaf
from datwat.protocol.notes import VerifierKey, parse_note
from datwat.protocol.tag_tree import derive_tag_root
from datwat.protocol.tiles import (
    TilePath,
    TreeEdge,
    derive_node,
    derive_tile_of_node,
    encode_bundle,
)

ORIGIN = "log.example/log/1"
ENTRIES = (
    EntryPoint(name="log.witness", value="witness.log_cli:app", group=COMMAND_GROUP),
    EntryPoint(name="witness", value="witness.cli:app", group=COMMAND_GROUP),
    EntryPoint(name="trust", value="datwat.party.trust_cli:app", group=COMMAND_GROUP),
)


def tag(number: int, seed: str = "") -> bytes:
    return hashlib.sha256(f"tag{seed}{number}".encode()).digest()


@dataclass
class LogMaker:
    """Entries, the key that signs them, and the files by which the log is shown."""

    origin: str = ORIGIN
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    entries: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def signer(self) -> CheckpointSigner:
        return CheckpointSigner(self.origin, self.key)

    def add_persons(self, count: int, seed: str = "") -> LogMaker:
        for _ in range(count):
            commit = hashlib.sha256(b"commit%d" % self.size).digest()
            self.entries.append(build_person_entry(tag(self.size, seed), commit))
        return self

    def add_statement(self) -> LogMaker:
        self.entries.append(build_statement_entry(b"document"))
        return self

    def add_root(self, size: int | None = None, root: bytes | None = None) -> LogMaker:
        """State the root over the tags of the first `size` entries, all by default."""
        size = self.size if size is None else size
        right = derive_tag_root(self.tags(size)) if root is None else root
        self.entries.append(build_tag_root_entry(size, right))
        return self

    def tags(self, size: int) -> list[tuple[bytes, int]]:
        return sorted(
            (entry[TAG_PLACE], index)
            for index, entry in enumerate(self.entries[:size])
            if entry[1] == 1
        )

    def fork(self) -> LogMaker:
        return LogMaker(self.origin, self.key, list(self.entries))

    def note(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        return self.signer.sign(size, self.edge(size)[0].root).encode()

    def edge(self, size: int) -> tuple[TreeEdge, list[tuple[TilePath, tuple[bytes, ...]]]]:
        edge = TreeEdge()
        tiles = list(edge.grow([hash_leaf(entry) for entry in self.entries[:size]]))
        return edge, [*tiles, *edge.partial_tiles()]

    def files(self, size: int | None = None, note: bytes | None = None) -> dict[str, bytes]:
        size = self.size if size is None else size
        edge, tiles = self.edge(size)
        shown = note if note is not None else self.signer.sign(size, edge.root).encode()
        found = {"checkpoint": shown}
        found |= {path.text: b"".join(hashes) for path, hashes in tiles}
        for start in range(0, size, 256):
            some = self.entries[start : min(start + 256, size)]
            path = TilePath(level=None, index=start // 256, width=len(some))
            found[path.text] = encode_bundle(some)
        return found

    def show(self, folder: Path, size: int | None = None, note: bytes | None = None) -> Path:
        """Write the files of this size, and only these."""
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in self.files(size, note).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    def request(self, old: int, size: int | None = None) -> AddCheckpoint:
        """Return an honest request from one size to another."""
        size = self.size if size is None else size
        tiles = {path.text: hashes for path, hashes in self.edge(size)[1]}

        def node(level: int, index: int) -> bytes:
            return derive_node(tiles[derive_tile_of_node(level, index, size).text], level, index)

        proof = build_consistency_proof(node, old, size) if 0 < old < size else ()
        return AddCheckpoint(old_size=old, proof=tuple(proof), checkpoint=self.note(size))


@dataclass
class TestWitness:
    """A witness's key alone, for cosignatures of any age."""

    __test__ = False

    name: str = "witness.example/w1"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def vkey(self) -> str:
        public = self.key.public_key().public_bytes_raw()
        return VerifierKey(name=self.name, type=4, public_key=public).text

    def cosign(self, note: bytes, age: int = 0) -> bytes:
        moment = int(time.time()) - age
        line = build_cosignature(parse_note(note).text, self.name, self.key, moment)
        return add_lines(note, (line,))


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.delay:
            time.sleep(self.server.delay)
        changed = self.server.changes.get(self.path.lstrip("/"))
        if changed is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(changed)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(changed)

    def log_message(self, *_arguments: object) -> None:
        return


class Server(ThreadingHTTPServer):
    """A static web server over a folder, as anybody may put up; `changes` are its lies."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.changes: dict[str, bytes] = {}
        self.delay = 0.0

        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_arguments: object) -> None:
        return  # a client that had enough


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder until the test is over."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def build_log(entries: int, every: int = 1_000) -> LogMaker:
    """Return a log with a tag root after each `every` entries, and some at the end uncounted."""
    maker = LogMaker().add_statement()
    while maker.size < entries:
        maker.add_persons(min(every, entries - maker.size))
        if maker.size < entries:
            maker.add_root()
    return maker


def read_folder(folder: Path, *, without: Sequence[str] = ()) -> dict[str, bytes]:
    """Return every file below a folder, to see what changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in without
    }
