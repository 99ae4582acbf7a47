"""What is set up otherwise for a broker of several processes; docs/how-to/several-brokers.md."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from datwat.party.settings import change_settings
from demo.covenant import ROOT, Covenant, carry_out, is_listening
from demo.processes import Processes
from demo.several.servers import APPLICATION, OWNER, Servers


def use_servers(home: Path, servers: Servers) -> None:
    """Have a broker that was made run as a role that owns nothing, with its ratchet elsewhere."""
    roles = ["--owner", OWNER, "--application", APPLICATION, "--apply", servers.administrator_url]
    carry_out("database", "roles", "--home", str(home), *roles)
    change_settings(home, {"database_url": servers.url, "ratchet_url": servers.ratchet_url})


def start_balancer(covenant: Covenant, processes: Processes) -> None:
    """Start the proxy before the broker's processes."""
    port, first = covenant.doors["broker"], covenant.ports["broker"]
    row = [str(first + more) for more in range(covenant.brokers)]
    command = [sys.executable, "-m", "demo.several.balancer", str(port), *row]
    child = processes.start("balancer", command, environment={"PYTHONPATH": str(ROOT)})
    processes.await_ready(child, partial(is_listening, port))


def start_other_brokers(covenant: Covenant, processes: Processes) -> None:
    """Start the broker's other processes, once the first one has tried the policy for all."""
    home, numbers = covenant.home("broker"), range(2, covenant.brokers + 1)
    children = {number: processes.start_party("broker", home, number) for number in numbers}
    for number, child in children.items():
        processes.await_party(child, home, number)
