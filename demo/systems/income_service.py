"""The income department's own web service, a process of its own: pages, a key, other names.

Run: `python -m demo.systems.income_service PORT KEY_FILE`.
"""

from __future__ import annotations

import hmac
import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_DATA = json.loads(Path(__file__).with_name("income.json").read_text(encoding="utf-8"))
_KEY_HEADER = "X-Api-Sleutel"


def find_answer(path: str) -> dict[str, Any] | None:
    """Return what lies at a path of this service, or None."""
    match [unquote(step) for step in path.strip("/").split("/")]:
        case ["personen"]:
            return {"personen": _DATA["personen"], "volgende": None}
        case ["personen", code]:
            found = (one for one in _DATA["personen"] if one["klantcode"] == code)
            return next(found, None)
        case ["uitkeringen", code] if code in _DATA["uitkeringen"]:
            return {"uitkeringen": _DATA["uitkeringen"][code]}
    return None


class Handler(BaseHTTPRequestHandler):
    """Answers GET for who knows the key."""

    key = ""

    def do_GET(self) -> None:
        """Answer one request."""
        if not hmac.compare_digest(self.headers.get(_KEY_HEADER, ""), self.key):
            self._answer(HTTPStatus.UNAUTHORIZED, {"fout": "sleutel"})
            return
        found = find_answer(self.path)
        status = HTTPStatus.OK if found is not None else HTTPStatus.NOT_FOUND
        self._answer(status, found if found is not None else {"fout": "onbekend"})

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a path holds a client number."""

    def _answer(self, status: HTTPStatus, members: dict[str, Any]) -> None:
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until stopped."""
    port, key_file = int(sys.argv[1]), Path(sys.argv[2])
    Handler.key = json.loads(key_file.read_text(encoding="utf-8"))[_KEY_HEADER]
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
