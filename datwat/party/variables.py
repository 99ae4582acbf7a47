"""Which variables `DATWAT_…` there are: any other one is a typing mistake, and is refused.

A misspelt `DATWAT_DATABASE_URL` would otherwise start a party on an empty database of its own. All
parties may find one environment (the demo does), so that another party's setting is left alone;
they are named here because no party loads another one's code. A test holds them to the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "DATWAT_"
# What commands read that is no setting.
OF_COMMANDS: Final = frozenset({"home", "opa", "policies", "token_file", "trust"})
_OF_PARTIES = """
backup_days backup_recipient bsn_claim bundle bundles_port client_id declaration exit_url
fetch_seconds follow_seconds home_page issuer kek_days ldv_alarm_seconds ldv_target levels
local_host local_port log_origin log_url opa_deadline_ms opa_url pages_host pages_port pages_url
patience_seconds quota_inquire quota_register quota_self rate_burst rate_per_second
represents_claim staff_client_id staff_id_claim staff_issuer staff_levels staff_role_claim
staff_roles_claim tag_root_seconds theme withheld witness_seconds
"""
OF_PARTIES: Final = frozenset(_OF_PARTIES.split())
_MOST_LETTERS = 64
# What Kubernetes tells each container of a service: NAME_SERVICE_HOST, NAME_PORT_80_TCP_ADDR, ….
_SERVICE = "_SERVICE_HOST"


def find_unknown(environment: Iterable[str], own: Iterable[str]) -> str | None:
    """Return a sentence about the first variable that nobody reads, or None; no value is told.

    `environment` are the names of variables, `own` the names of the asking party's settings.
    """
    known = {name.upper() for name in OF_COMMANDS | OF_PARTIES | set(own)}
    # Only of ASCII letters is upper case what settings take for one name.
    given = sorted(name.upper() if name.isascii() else name for name in environment)
    services = [name.removesuffix(_SERVICE) for name in given if name.endswith(_SERVICE)]
    for name in given:
        if (
            name[: len(PREFIX)].upper() == PREFIX
            and name.removeprefix(PREFIX) not in known
            and not any(_is_of(name, service) for service in services)
        ):
            return _describe(name, known)
    return None


def _is_of(name: str, service: str) -> bool:
    rest = name.removeprefix(service)
    return rest != name and (rest == "_PORT" or rest.startswith(("_SERVICE_", "_PORT_")))


def _describe(variable: str, known: Iterable[str]) -> str:
    near = get_close_matches(variable.removeprefix(PREFIX), sorted(known), n=1)
    meant = f" Is {PREFIX}{near[0]} meant?" if near else ""
    return (
        f"No setting is named as the variable {variable[:_MOST_LETTERS]}.{meant} Correct it, or "
        "unset it."
    )
