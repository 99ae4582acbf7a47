"""Which key is which in the covenant, by what everybody may know of it. Reads by commands only."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from datwat.party.trust_list import parse_list
from demo.covenant import Covenant, run_command


class Listed(NamedTuple):
    """A key that the trust list names: the party's command, its home, and the key's name."""

    command: str
    home: str
    key: str


_OF_PARTIES: Final = (
    Listed("broker", "broker", "signing"),
    Listed("broker", "broker", "exchange"),
    Listed("broker", "broker", "log"),
    Listed("keyholder", "key-holder", "exchange"),
    Listed("witness", "witness", "signing"),
    Listed("portal", "portal", "signing"),
)


def list_keys(covenant: Covenant) -> tuple[Listed, ...]:
    """Return every key that the trust list names, but those of covenant and policy."""
    partners = (Listed("connector", name, "signing") for name in covenant.partners)
    return (*_OF_PARTIES, *partners)


def read_names(covenant: Covenant) -> dict[str, str]:
    """Return how every key is known now, by its place: first signs of public keys, or numbers."""
    found: dict[str, str] = {}
    homes = dict.fromkeys((one.command, one.home) for one in list_keys(covenant))
    for command, home in homes:
        said = run_command(command, "keys", "status", "--home", str(covenant.home(home)))
        found |= {f"{home} {row['name']}": row["key"] for row in said["keys"]}
        if command == "broker":
            found["broker row"] = f"number {said['row_key']}"
            found["broker kek"] = f"generation {said['kek']}"
    card = json.loads((covenant.home("key-holder") / "card.json").read_text(encoding="utf-8"))
    epochs = [one["epoch"] for one in card["key_holder"]["epochs"]]
    found["key-holder scalar"] = f"epoch {epochs[0]}"
    trust = parse_list((covenant.home("trust") / "trust-list.json").read_bytes())[0].trust
    for name, keys in (("policy", trust.policy.keys), ("covenant", trust.covenant.keys)):
        found[f"{name} keys"] = " ".join(sorted(key.x.hex()[:8] for key in keys))
    return found


def find_kept(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what differs from *each key is another one*: places whose key stayed, or is gone."""
    kept = [f"{name} is still {key}" for name, key in before.items() if after.get(name) == key]
    kept += [f"{name} is gone" for name in before if name not in after]
    for name in {"policy keys", "covenant keys"} & set(before):
        shared = set(before[name].split()) & set(after.get(name, "").split())
        kept += [f"{name} still have {key}" for key in sorted(shared)]
    return sorted(set(kept))
