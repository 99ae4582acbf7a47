"""Writes docs/reference/metrics.md: every figure at `/metrics`, with its labels.

The table is the source: `datwat/party/metric_rows.py`.
"""

from __future__ import annotations

import sys

from generated import write_page  # type: ignore[import-not-found] # beside this script

from datwat.party.metric_rows import LOUD_EVENTS, METRICS, OPERATIONS, TOGETHER

_HEAD = """# Figures

Written by `scripts/list_metrics.py` from `datwat/party/metric_rows.py`, which is also what is
enforced: a figure, a label or a value of one that is not declared there cannot be shown.

Every process shows them at `GET /metrics`, in Prometheus' text format, on this machine only and for
a token: [Watch it](../how-to/watch.md). Besides these it shows `process_*` (CPU, memory, open
files, start). No label names a person, a partner, a purpose or an occasion; why:
[decision 0028](../decisions/0028-figures-and-events.md).

| figure | kind | who | labels | what it is |
|---|---|---|---|---|
"""
_WHO = {"keyholder": "key holder"}


def build_document() -> str:
    """Return the whole document."""
    rows = []
    for name, row in METRICS.items():
        labels = "; ".join(
            f"`{label}`: {_describe(values)}" for label, values in row.labels.items()
        )
        who = "all" if len(row.parties) == 5 else ", ".join(_WHO.get(p, p) for p in row.parties)  # noqa: PLR2004 - every party
        rows.append(f"| `{name}` | {row.kind} | {who} | {labels or '–'} | {row.means} |\n")
    return _HEAD + "".join(rows)


def _describe(values: tuple[str, ...]) -> str:
    if values is OPERATIONS:
        words = ", ".join(f"`{word}`" for word in TOGETHER)
        return f"an operation id of that process's own OpenAPI document, or one of {words}"
    if values is LOUD_EVENTS:
        return "a name in [events.md](events.md)"
    return ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    sys.exit(write_page("metrics.md", build_document()))
