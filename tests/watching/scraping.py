"""Reading a running party's figures as Prometheus does, and what they may be made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from datwat.party.metric_rows import METRICS, OPERATIONS, TOGETHER
from datwat.party.metrics_http import TOKEN_NAME
from datwat.party.running import require_running

PARTIES = ("broker", "key-holder", "portal", "witness", "social-team", "youth-help")
COMMANDS = {"key-holder": "keyholder"}


class Sample(NamedTuple):
    """One line of figures."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def scrape(home: Path, listener: str = "admin") -> str:
    """Return the figures of the party that runs from `home`."""
    token = (home / "secrets" / TOKEN_NAME).read_text(encoding="ascii")
    port = require_running(home).ports[listener]
    answer = httpx.get(
        f"http://127.0.0.1:{port}/metrics",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def read_samples(text: str) -> Iterator[Sample]:
    """Yield every line of figures of ours; raise ValueError where the text is not well formed."""
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name.startswith("datwat_"):
                yield Sample(one.name, tuple(sorted(one.labels.items())), one.value)


def find_value(text: str, name: str, **labels: str) -> float:
    """Return the one figure of this name with these labels among its own."""
    wanted = set(labels.items())
    found = [one for one in read_samples(text) if one.name == name and wanted <= set(one.labels)]
    assert len(found) == 1, (name, labels, found)
    return found[0].value


def find_undeclared(text: str, operations: frozenset[str]) -> list[str]:
    """Return each figure, label or value that `metric_rows.py` does not have."""
    found = []
    for one in read_samples(text):
        base = one.name
        for suffix in ("_bucket", "_sum", "_count"):
            if base not in METRICS and base.endswith(suffix):
                base = base.removesuffix(suffix)
        row = METRICS.get(base)
        labels = dict(one.labels)
        labels.pop("le", None)
        if row is None or labels.keys() != row.labels.keys():
            found.append(str(one))
            continue
        for label, value in labels.items():
            allowed = row.labels[label]
            known = operations | set(TOGETHER) if allowed is OPERATIONS else set(allowed)
            if value not in known:
                found.append(str(one))
    return found
