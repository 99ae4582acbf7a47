"""A key service over HTTP, and the adapter to it: an outermost key that can be out of reach.

The service keeps its generations as the broker's own key file does; the adapter is what one to a
KMS would be. Who serves it chooses what the service does not answer at the moment.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.adapters.kek_file import FileKek, KekError
from broker.audit.ports import Generation, KeyStoreError
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.party.web import serving

EVERYTHING = frozenset({"seal", "unseal", "list", "start", "destroy"})


class KekService:
    """Holds the keys; `silent` names what it does not answer, `hiccups` how often it does not."""

    def __init__(self, path: Path) -> None:
        self.silent: frozenset[str] = frozenset()
        self.hiccups = 0
        self._kek = FileKek.open(path) if path.exists() else FileKek.create(path)
        self._lock = threading.Lock()

    @contextmanager
    def cut_off(self, what: frozenset[str] = EVERYTHING) -> Iterator[None]:
        """Answer none of these for a while."""
        self.silent = what
        try:
            yield
        finally:
            self.silent = frozenset()

    def build_app(self) -> Starlette:
        return Starlette(routes=[Route("/{act}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        act, given = request.path_params["act"], await request.json()
        if act in self.silent:
            return Response(status_code=503)
        if self.hiccups:
            self.hiccups -= 1
            return Response(status_code=503)
        try:
            with self._lock:
                return JSONResponse(self._do(act, given))
        except UnsealError:
            return Response(status_code=422)
        except KekError:
            return Response(status_code=409)

    def _do(self, act: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        kek = self._kek
        if act == "seal":
            return encode_bytes(kek.seal(decode_bytes(given["data"]), decode_bytes(given["aad"])))
        if act == "unseal":
            data = kek.unseal(decode_bytes(given["data"]), decode_bytes(given["aad"]))
            return encode_bytes(data)
        if act == "start":
            kek.start_generation(datetime.fromisoformat(given["at"]))
        elif act == "destroy":
            kek.destroy_generation(given["number"])
        return [(one.number, one.started_at.isoformat()) for one in kek.list_generations()]


class ServiceKek:
    """Implements `broker.audit.ports.KekPort` with such a service."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        return "ServiceKek()"

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        return decode_bytes(self._ask("seal", data=plaintext, aad=aad))

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        return decode_bytes(self._ask("unseal", data=sealed, aad=aad))

    def read_generation(self, sealed: bytes) -> int:
        return int.from_bytes(sealed[:2], "big")

    def list_generations(self) -> tuple[Generation, ...]:
        found = self._ask("list")
        return tuple(Generation(number, datetime.fromisoformat(at)) for number, at in found)

    def start_generation(self, now: datetime) -> Generation:
        number, at = self._ask("start", at=now.isoformat())[-1]
        return Generation(number, datetime.fromisoformat(at))

    def destroy_generation(self, number: int) -> None:
        self._ask("destroy", number=number)

    def _ask(self, act: str, **given: Any) -> Any:  # noqa: ANN401 - JSON
        members = {
            name: encode_bytes(value) if isinstance(value, bytes) else value
            for name, value in given.items()
        }
        try:
            url = f"{self._url}/{act}"
            response = httpx.post(url, json=members, trust_env=False, timeout=5)
        except httpx.HTTPError:
            raise KeyStoreError from None
        if response.status_code == 422:
            raise UnsealError
        if response.status_code == 409:
            raise KekError("The newest generation of the key cannot be destroyed.")
        if response.status_code != 200:
            raise KeyStoreError
        return response.json()


@contextmanager
def served(path: Path) -> Iterator[tuple[KekService, str]]:
    """Yield a service over a key file, and its address."""
    service = KekService(path)
    with serving(service.build_app()) as url:
        yield service, url
