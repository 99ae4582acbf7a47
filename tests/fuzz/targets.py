"""What is fuzzed: everything that reads bytes from outside, with seeds from the vectors.

A target returns what it believed of its input: the bytes that somebody is said to have signed, or
None where it only parses. Rule: whatever comes in, it is refused with an error of ours; and what
is believed was signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from datwat.party.trust_list import parse_list
from datwat.protocol.access_log import ProvedLog
from datwat.protocol.bundle import read_archive
from datwat.protocol.canonical import decode_canonical, encode_canonical
from datwat.protocol.card_data import build_told_data, read_all_told
from datwat.protocol.checkpoint import verify_checkpoint, verify_cosignatures
from datwat.protocol.completeness import read_bundle
from datwat.protocol.cosigning import parse_add_checkpoint, read_cosignature_lines
from datwat.protocol.documents import SignedDocument, require_threshold
from datwat.protocol.entry import open_content, parse_entry
from datwat.protocol.envelope import EnvelopeBody, open_envelope
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import ExchangeKey, SigningKey, VerifyKey
from datwat.protocol.notes import VerifierKey, parse_note
from datwat.protocol.order_checks import read_order
from datwat.protocol.sealing import seal
from datwat.protocol.signing import open_message
from datwat.protocol.ticket import parse_ticket_header
from datwat.protocol.tiles import TilePath, decode_bundle, decode_tile
from datwat.protocol.tlog_proof import parse_tlog_proof, verify_tlog_proof

_VECTORS = Path(__file__).parents[1] / "vectors"
REFUSED = (DatwatError, ValidationError)
"""How an input is refused; the readers of models raise Pydantic's own, which the edge maps."""


@dataclass(frozen=True)
class Target:
    """One reader of outside bytes: its seeds, and what may be believed of any input."""

    name: str
    seeds: Sequence[bytes]
    read: Callable[[bytes], object]
    believed: frozenset[object] = frozenset({None})

    def run(self, data: bytes) -> None:
        """Read the input; raise AssertionError if it is believed without a signature."""
        try:
            found = self.read(data)
        except REFUSED:
            return
        if found not in self.believed:
            raise AssertionError("something that nobody signed was believed")


def _load(name: str) -> Any:  # noqa: ANN401 - a vector is any JSON
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def _parses(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def parse(data: bytes) -> None:
        read(data)

    return parse


def _read_text(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def parse(data: bytes) -> None:
        read(data.decode("utf-8", errors="replace"))

    return parse


def _key(seed: str) -> Mapping[str, VerifyKey]:
    public = SigningKey.from_seed(bytes.fromhex(seed)).public
    return {public.kid: public}


def _build_message() -> Target:
    vector = _load("message")
    keys = _key(vector["inputs"]["ed25519_seed"])
    signed = bytes.fromhex(vector["outputs"]["object"])
    return Target(
        "message",
        [bytes.fromhex(vector["outputs"]["wire"])],
        lambda data: open_message(data, keys).object_bytes,
        frozenset({signed}),
    )


def _build_document() -> Target:
    vector = _load("document")
    keys: dict[str, VerifyKey] = {}
    for seed in vector["inputs"]["ed25519_seeds"]:
        keys |= _key(seed)
    return Target(
        "document",
        [bytes.fromhex(vector["outputs"]["wire"])],
        lambda data: require_threshold(SignedDocument.from_bytes(data), keys, 2),
        frozenset({bytes.fromhex(vector["inputs"]["payload"])}),
    )


def _build_order() -> Target:
    vector = _load("order")
    wire = bytes.fromhex(vector["outputs"]["wire"])
    return Target("order", [wire], _parses(read_order))


def _build_checkpoint() -> Target:
    vector = _load("receipt")
    note = vector["checkpoint"]
    origin, vkey, witness = vector["log"], vector["vkey"], vector["witness_vkey"]

    def read(data: bytes) -> object:
        found = verify_checkpoint(data, origin, [vkey])
        for cosigned in verify_cosignatures(parse_note(data), [witness]):
            assert cosigned.timestamp == vector["cosigned_at"]
        return found.text

    text = parse_note(note.encode()).text
    seeds = [note.encode(), (note + vector["cosignature"]).encode()]
    return Target("checkpoint", seeds, read, frozenset({text}))


def _build_proof() -> Target:
    vector = _load("tlog-proof")
    leaf = bytes.fromhex(vector["leaf_hash"])

    def read(data: bytes) -> object:
        found, _ = verify_tlog_proof(
            parse_tlog_proof(data),
            leaf,
            origin=vector["log"],
            vkeys=[vector["vkey"]],
            witness_vkeys=[vector["witness_vkey"]],
            threshold=1,
        )
        return (found.size, found.root)

    believed = frozenset({(vector["size"], bytes.fromhex(vector["root"]))})
    seeds = [vector["plain"].encode(), vector["with_extra"].encode()]
    return Target("tlog-proof", seeds, read, believed)


def _build_cosigning() -> list[Target]:
    vector = _load("add-checkpoint")
    checkpoint = parse_add_checkpoint(vector["request"].encode()).checkpoint
    witness = [vector["witness_vkey"]]

    def read_answer(data: bytes) -> object:
        lines = read_cosignature_lines(checkpoint, data, witness)
        return tuple(line.text for line in lines)

    answer = vector["answer"]
    seeds = [vector["request"].encode(), vector["first_request"].encode()]
    return [
        Target("add-checkpoint", seeds, _parses(parse_add_checkpoint)),
        Target(
            "cosignatures",
            [answer.encode()],
            read_answer,
            frozenset({(), (answer,), (answer, answer)}),
        ),
    ]


def _build_envelope() -> Target:
    vector = _load("envelope")
    recipient = ExchangeKey.from_seed(bytes.fromhex(vector["inputs"]["recipient_seed"]))
    core_hash = bytes.fromhex(vector["inputs"]["core_hash"])
    paths = list(vector["inputs"]["values"])

    def read(data: bytes) -> object:
        body = EnvelopeBody.model_validate_json(data)
        return encode_canonical(open_envelope(body, recipient, core_hash, paths).values)

    believed = frozenset({encode_canonical(vector["inputs"]["values"])})
    return Target("envelope", [encode_canonical(vector["outputs"]["body"])], read, believed)


def _build_content() -> Target:
    """The inside of a sealed content, as one who has the key could have made it."""
    vector = _load("entry")
    key, commit = bytes(32), bytes.fromhex(vector["commit"])
    core, payload = vector["core"].encode(), vector["payload"].encode()
    body = bytes.fromhex(vector["salt"])
    for half in (core, payload):
        body += len(half).to_bytes(4, "big") + half

    def read(data: bytes) -> object:
        found = open_content(key, seal(key, data, b"dw1\x00\x01\x01" + commit), commit)
        return (found.core, found.payload)

    seeds = [body + bytes(-len(body) % 1_024)]
    return Target("content", seeds, read, frozenset({(core, payload)}))


def _build_access_log() -> Target:
    seed = encode_canonical(_load("access-log")["outputs"]["answer"])

    def read(data: bytes) -> None:
        for card in ProvedLog.model_validate_json(data).cards:
            build_told_data(read_all_told(card.proofs))

    return Target("access-log", [seed], read)


def build_targets() -> dict[str, Target]:
    """Return every target by its name."""
    ticket = bytes.fromhex(_load("ticket")["outputs"]["ticket"])
    trust = bytes.fromhex(_load("trust-list")["outputs"]["wire"])
    tiles = _load("tiles")
    two = bytes.fromhex(tiles["bundle_of_two"])
    targets = [
        _build_message(),
        _build_document(),
        _build_order(),
        _build_checkpoint(),
        _build_proof(),
        *_build_cosigning(),
        _build_envelope(),
        _build_content(),
        _build_access_log(),
        Target("canonical", [encode_canonical(tiles)], _parses(decode_canonical)),
        Target("trust-list", [trust], _parses(parse_list)),
        Target("ticket", [ticket], _parses(parse_ticket_header)),
        Target("entry", [two[2:68]], _parses(parse_entry)),
        Target("verifier-key", [_load("receipt")["vkey"].encode()], _read_text(VerifierKey.parse)),
        Target("tile-path", [path.encode() for path in tiles["paths"]], _read_text(TilePath.parse)),
        Target("tile", [bytes(64)], _parses(lambda data: decode_tile(data, 2))),
        Target("entry-bundle", [two], _parses(lambda data: decode_bundle(data, 2))),
        Target("archive", [_build_archive()], _parses(read_archive)),
        Target("completeness", [b"{}"], _parses(read_bundle)),
    ]
    return {target.name: target for target in targets}


def _build_archive() -> bytes:
    import gzip  # noqa: PLC0415 - for this one seed
    import io  # noqa: PLC0415
    import tarfile  # noqa: PLC0415

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name in (".manifest", "data.json"):
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"{}"))
    return gzip.compress(raw.getvalue(), mtime=0)
