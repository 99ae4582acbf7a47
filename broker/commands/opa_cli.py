"""`datwat broker opa-config`: lets an OPA that somebody else runs fetch the policy bundle here.

Rule: neither the token nor the key is ever shown; OPA reads the token from its file.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from broker.adapters.opa_files import OPA_TOKEN, create_opa_secrets, read_opa_key
from broker.policy.bundle import BUNDLE_NAME
from broker.settings import BrokerSettings
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.settings import change_settings, load_settings, require_home

_PARTY = "broker"
_KEY_ID = "broker"


def opa_config(
    *,
    home: HomeOption,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Where on this machine it is served.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Serve the bundle to an OPA that you run yourself, and print what its configuration needs.

    It takes effect when the broker starts again.
    """
    require_home(home, _PARTY)
    load_settings(BrokerSettings, home)
    create_opa_secrets(home)
    change_settings(home, {"bundles_port": port})
    token = home.resolve() / "secrets" / OPA_TOKEN
    config = build_config(port, str(token), read_opa_key(home).public_pem)
    print_result({"settings": {"bundles_port": port}, "opa": config}, as_json=as_json)


def build_config(port: int, token_path: str, public_pem: str) -> dict[str, Any]:
    """Return the part of OPA's configuration that lets it fetch and check the bundle."""
    return {
        "services": {
            "broker": {
                "url": f"http://127.0.0.1:{port}",
                "credentials": {"bearer": {"token_path": token_path}},
            }
        },
        "bundles": {
            BUNDLE_NAME: {
                "service": "broker",
                "resource": f"bundles/{BUNDLE_NAME}.tar.gz",
                "signing": {"keyid": _KEY_ID},
                "polling": {"min_delay_seconds": 2, "max_delay_seconds": 5},
            }
        },
        "keys": {_KEY_ID: {"algorithm": "ES256", "key": public_pem}},
    }
