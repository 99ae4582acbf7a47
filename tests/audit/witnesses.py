"""Witnesses for tests, over real HTTP: one that follows the specification, and some that do not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.protocol.checkpoint import Checkpoint, build_cosignature, parse_checkpoint
from datwat.protocol.cosigning import (
    SIZE_MEDIA_TYPE,
    AddCheckpoint,
    CosigningError,
    CosigningSizeError,
    Vouched,
    add_lines,
    build_size_answer,
    parse_add_checkpoint,
    require_growth,
    require_known_log,
)
from datwat.protocol.notes import COSIGNATURE_TYPE, VerifierKey, parse_note
from datwat.protocol.trust import LogEntry, Witness


@dataclass
class TestWitness:
    """A witness of one log, as C2SP tlog-witness says; `mood` is how it behaves instead."""

    __test__ = False

    name: str
    log: LogEntry
    mood: str = "honest"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    vouched: Vouched = field(default_factory=Vouched)
    shown: bytes | None = None
    asked: int = 0

    def list_at(self, url: str | None) -> Witness:
        """Return its row in a trust list."""
        public = self.key.public_key().public_bytes_raw()
        key = VerifierKey(name=self.name, type=COSIGNATURE_TYPE, public_key=public)
        return Witness(name=self.name, vkey=key.text, url=url)

    def build_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/add-checkpoint", self._add, methods=["POST"]),
                Route("/{origin}/checkpoint", self._show),
            ]
        )

    async def _show(self, _request: Request) -> Response:
        if self.shown is None:
            return Response("not found\n", 404)
        return Response(self.shown, media_type="text/plain; charset=utf-8")

    async def _add(self, request: Request) -> Response:
        self.asked += 1
        refusal = await self._misbehave()
        if refusal is not None:
            return refusal
        try:
            asked = parse_add_checkpoint(await request.body())
            checkpoint = require_known_log(asked, self.log.origin, self.log.vkeys)
            require_growth(asked, checkpoint, self.vouched)
        except CosigningSizeError as error:
            return Response(build_size_answer(error.size), 409, media_type=SIZE_MEDIA_TYPE)
        except CosigningError as error:
            return Response(error.code, error.status)
        return self._vouch(asked, checkpoint)

    async def _misbehave(self) -> Response | None:
        if self.mood == "slow":
            await asyncio.sleep(30)
        answers = {
            "broken": Response("no", 500),
            "endless": Response(b"x" * 1_000_000),
            "ahead": Response(build_size_answer(10**9), 409, media_type=SIZE_MEDIA_TYPE),
            "never content": Response(
                build_size_answer(self.asked % 2), 409, media_type=SIZE_MEDIA_TYPE
            ),
        }
        return answers.get(self.mood)

    def _vouch(self, asked: AddCheckpoint, checkpoint: Checkpoint) -> Response:
        self.vouched = Vouched(checkpoint.size, checkpoint.root)
        text = parse_note(asked.checkpoint).text
        moment = int(time.time()) + (10**6 if self.mood == "of another time" else 0)
        key = Ed25519PrivateKey.generate() if self.mood == "forging" else self.key
        line = build_cosignature(text, self.name, key, moment)
        if self.mood == "forging":  # the id of its own key over another's signature
            honest = build_cosignature(text, self.name, self.key, moment)
            line = honest.model_copy(update={"signature": line.signature})
        if self.mood == "of another log":
            other = parse_checkpoint(text).model_copy(update={"size": checkpoint.size + 1})
            line = build_cosignature(other.text, self.name, self.key, moment)
        self.shown = add_lines(asked.checkpoint, [line])
        return Response(line.text, media_type="text/plain; charset=utf-8")
