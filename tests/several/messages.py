"""Messages that come in wrong, twice, or half: nothing of it is a fault of the broker."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import suppress
from urllib.parse import urlsplit

from connectors.client.outgoing import ROUTES, Person, Sent
from datwat.protocol.acts import Statement
from tests.faults.world import NOOR
from tests.several.load import Load, Partner
from tests.several.told import read_entries


class Messages:
    """A partner whose network and software are bad; each method says whether it was."""

    def __init__(self, load: Load, rng: random.Random) -> None:
        self._load, self._rng = load, rng
        self._partners = {
            name: Partner(load.covenant, name, load.told, rng)
            for name in ("social-team", "youth-help")
        }
        self._urls = self._partners["social-team"].urls

    def close(self) -> None:
        """End the connections."""
        for partner in self._partners.values():
            partner.http.close()

    def request_cut(self) -> bool:
        """Send a part of a message, and go away: in order, or with a reset."""
        _, sent, _ = self._draw_recent()
        raw = self._build_http(ROUTES[sent.act], sent.wire)
        return self._write_raw(raw[: self._rng.randrange(1, len(raw))])

    def answer_not_read(self) -> bool:
        """Send a whole message and go away; the same bytes come again and are lived once."""
        team = self._partners["social-team"]
        child = self._rng.choice(self._load.children)
        statement = Statement(professional=NOOR, occasion=child.occasion)
        sent = team.build(
            "inquire", [Person(handle=child.handle)], statement, purpose=team.purpose(), rung="dat"
        )
        is_cut = self._write_raw(self._build_http(ROUTES["inquire"], sent.wire))
        if is_cut:
            team.carry_out(sent, is_over=lambda: False)
        return is_cut

    def malformed(self) -> bool:
        """Change one byte of a message, or leave out its end: refused, and never a fault."""
        name, sent, _ = self._draw_recent()
        wire = bytearray(sent.wire)
        place = self._rng.randrange(len(wire))
        if self._rng.random() < 0.5:
            del wire[place:]
        else:
            wire[place] ^= 1 << self._rng.randrange(7)
        answer = self._post(name, sent.act, bytes(wire))
        assert answer is None or answer[0] in {400, 401, 403, 404, 409, 413, 503}, answer
        return True

    def replayed(self) -> bool:
        """Send again what was answered: the same answer, from whichever process."""
        name, sent, places = self._draw_recent()
        answer = self._post(name, sent.act, sent.wire)
        if answer is not None and answer[0] == 200:
            assert tuple(read_entries(answer[1])) == places, "lived twice"
        else:
            assert answer is None or answer[0] == 503, answer
        return True

    def id_used_again(self) -> bool:
        """Send another message under an id that was answered: refused."""
        name, sent, _ = self._draw_recent()
        partner = self._partners[name]
        statement = Statement(professional=NOOR)
        other = partner.build(
            *("inquire", [Person(handle=bytes(16))], statement),
            rid=sent.rid,
            purpose=partner.purpose(),
            rung="dat",
        )
        answer = self._post(name, "inquire", other.wire)
        assert answer is None or answer[0] in {409, 503}, answer
        return True

    def _draw_recent(self) -> tuple[str, Sent, tuple[int, ...]]:
        return self._rng.choice(self._load.told.recent)

    def _post(self, name: str, act: str, wire: bytes) -> tuple[int, bytes] | None:
        number = self._rng.choice(list(self._urls))
        answer = self._partners[name].try_once(number, ROUTES[act], wire)
        return None if answer is None else (answer.status_code, answer.content)

    def _build_http(self, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: broker\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _write_raw(self, raw: bytes) -> bool:
        place = urlsplit(self._rng.choice(list(self._urls.values())))
        is_reset = self._rng.random() < 0.5
        with suppress(OSError):
            with socket.create_connection((place.hostname, place.port), timeout=5) as connection:
                connection.sendall(raw)
                if is_reset:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return True
        return False
