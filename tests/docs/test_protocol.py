"""Section 3 of the protocol names every route and command of every party, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import broker.app
import connectors.app
import connectors.portal.app
import keyholder.app
import witness.app
from broker.api.authzen import METADATA_PATH
from broker.api.log_routes import PublicLog
from broker.api.table import describe_operations
from broker.others_wiring import SERVER_METADATA_PATH
from connectors.gateway.gateway import build_gateway_operations
from connectors.portal.api import PortalApi
from connectors.portal.pages.screens import build_site
from connectors.portal.settings import PortalSettings
from datwat.party.gate import OPENAPI_PATH
from datwat.web.login import Login

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "protocol.md"
ROW = re.compile(r"^\|([^|]*)\|([^|]*)\|(?!-)", re.MULTILINE)
# Routes and commands are built without what answers them: nothing is called here.
NOTHING = cast("Any", None)
Routes = dict[str, set[str]]


def read_table(heading: str) -> Routes:
    """Return what the second column of a table of section 3 names, by party."""
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## 3. ")[1].split("\n## ")[0]
    found: Routes = {}
    party = ""
    for first, second in ROW.findall(section.split(heading)[1].split("\n\n")[0]):
        party = first.strip() or party
        found.setdefault(party, set()).update(re.findall(r"`([^`]+)`", second))
    return found


def list_routes(tmp_path: Path) -> Routes:
    settings = PortalSettings(
        home=tmp_path,
        id="00000099000000009000:portal",
        name="Portal",
        url="https://portal.example",
        issuer="https://login.example",
        client_id="portal",
    )
    site = build_site(settings)
    portal = PortalApi(site, NOTHING, settings.url)
    login = Login(site, NOTHING, NOTHING)
    operations = {
        "key holder": keyholder.app.build_operations(NOTHING, NOTHING, NOTHING),
        "broker": describe_operations(),
        "gateway": build_gateway_operations(NOTHING),
        "portal": portal.build_operations(),
        "witness": witness.app.build_operations(NOTHING, NOTHING, NOTHING),
    }
    found = {
        party: {f"{one.method} {one.path}" for one in declared}
        for party, declared in operations.items()
    }
    public = PublicLog(NOTHING, NOTHING).build_routes()
    found["broker"] |= {f"GET {route.path}" for route in public}
    found["broker"] |= {f"GET {path}" for path in (METADATA_PATH, SERVER_METADATA_PATH)}
    # What each page shows is not protocol: the ways in and out, and the static files, are.
    for route in (*login.build_routes(), *site.pages.assets.build_routes()):
        found["portal"] |= {f"{one} {route.path}" for one in route.methods or () if one != "HEAD"}
    routes = witness.app.build_witness_routes(NOTHING, NOTHING, NOTHING)
    for route in routes:
        found["witness"] |= {f"{one} {route.path}" for one in route.methods or () if one != "HEAD"}
    return found


def list_commands() -> Routes:
    return {
        "key holder": set(keyholder.app.build_commands(*[NOTHING] * 4)),
        "broker": set(broker.app.build_commands(NOTHING, NOTHING)),
        "connector": set(connectors.app.build_commands(NOTHING)),
        "portal": set(connectors.portal.app.build_commands(*[NOTHING] * 5)),
        "witness": set(witness.app.build_commands(NOTHING, NOTHING, NOTHING, NOTHING)),
    }


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    described = read_table("| Party | Route |")
    everybody = described.pop("all")
    assert everybody == {"GET /v1/health", f"GET {OPENAPI_PATH}"}
    built = {party: routes - everybody for party, routes in list_routes(tmp_path).items()}
    assert described == built


def test_every_command_is_in_the_table() -> None:
    assert read_table("| Party | Command |") == list_commands()
