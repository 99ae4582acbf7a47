"""The residents' identity provider of the demo: oidc-provider-mock, a process of its own, loopback.

Run: `python -m demo.identity PORT USERS_FILE`; the file maps a login name to its claims.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import timedelta
from pathlib import Path

import oidc_provider_mock  # type: ignore[import-untyped]
from werkzeug.serving import make_server

# OIDC NL GOV: an ID token lives five minutes at most.
_TOKEN_AGE = timedelta(minutes=5)


def main() -> None:
    """Serve until stopped."""
    port, users_file = int(sys.argv[1]), Path(sys.argv[2])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    users = json.loads(users_file.read_text(encoding="utf-8"))
    app = oidc_provider_mock.app(
        require_nonce=True,
        issue_refresh_token=False,
        access_token_max_age=_TOKEN_AGE,
        user_claims=[oidc_provider_mock.User(sub=name, claims=users[name]) for name in users],
    )
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
