"""Figures of this process for Prometheus: how much, how fast, how old, and nothing of anybody.

Rules: a figure and its labels stand in `metric_rows.py`, and no other can be counted or shown; what
is counted costs microseconds (a lock and an addition); what is only looked at is read when somebody
asks, from memory. Source: docs/decisions/0028-figures-and-events.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from datwat.party.metric_rows import METRICS, OPERATIONS, TOGETHER, MetricRow

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Reading(NamedTuple):
    """What a gauge stands at; `labels` in the order of its row. None: not known, so not shown."""

    name: str
    value: float | None
    labels: tuple[str, ...] = ()


# No second series for each of when it began: the process says that once.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library gives it no types
_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
_counters: dict[str, Counter] = {}
_histograms: dict[str, Histogram] = {}
_found: dict[tuple[str, ...], Counter | Histogram] = {}
_operations: set[str] = set(TOGETHER)
# Two threads that count the same for the first time make it once.
_making = threading.Lock()


def allow_operations(names: Iterable[str]) -> None:
    """Let these operation ids of a document of this process be values of the label `operation`."""
    _operations.update(names)


def find_counter(name: str, *labels: str) -> Counter:
    """Return what counts `name` with these label values, in the order of its row.

    Raises ValueError for a figure, or a value of a label, that is not declared.
    """
    found = _found.get((name, *labels))
    if not isinstance(found, Counter):
        row = _require_row(name, "counter", labels)
        with _making:
            if name not in _counters:
                names = tuple(row.labels)
                _counters[name] = Counter(name, row.means, names, registry=_registry)
        found = _counters[name].labels(*labels) if labels else _counters[name]
        _found[name, *labels] = found
    return found


def find_histogram(name: str, *labels: str) -> Histogram:
    """Return what measures `name` with these label values; as `find_counter`."""
    found = _found.get((name, *labels))
    if not isinstance(found, Histogram):
        row = _require_row(name, "histogram", labels)
        with _making:
            if name not in _histograms:
                names = tuple(row.labels)
                _histograms[name] = Histogram(
                    name, row.means, names, registry=_registry, buckets=row.buckets
                )
        found = _histograms[name].labels(*labels) if labels else _histograms[name]
        _found[name, *labels] = found
    return found


def count(name: str, *labels: str, by: float = 1) -> None:
    """Add to a counter."""
    find_counter(name, *labels).inc(by)


def observe(name: str, value: float, *labels: str) -> None:
    """Put one value, such as seconds, into a histogram."""
    find_histogram(name, *labels).observe(value)


def begin(party: str) -> None:
    """Have every counter of this kind of party there from its start: a rate needs a zero.

    Not those by operation, of which most are never asked for here.
    """
    for name, row in METRICS.items():
        if party not in row.parties or row.kind == "gauge" or OPERATIONS in row.labels.values():
            continue
        find = find_counter if row.kind == "counter" else find_histogram
        if "event" in row.labels:
            find_counter(name, "fault", "error")
            continue
        for labels in product(*row.labels.values()):
            find(name, *labels)


def render(readings: Iterable[Reading]) -> bytes:
    """Return everything that was counted, and these readings, as Prometheus reads it.

    Raises ValueError for a reading that is not declared.
    """
    return generate_latest(_Everything(readings))


class _Everything(Collector):
    """What `generate_latest` walks: the registry, then what is read now."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._gauges = build_gauges(readings)

    def collect(self) -> Iterator[Metric]:
        """Yield every family of figures."""
        yield from _registry.collect()
        yield from self._gauges.values()


def build_gauges(readings: Iterable[Reading]) -> Mapping[str, GaugeMetricFamily]:
    """Return the families of these readings by name; raise ValueError for an undeclared one."""
    gauges: dict[str, GaugeMetricFamily] = {}
    for one in readings:
        row = _require_row(one.name, "gauge", one.labels)
        if one.value is None:
            continue
        if one.name not in gauges:
            family = GaugeMetricFamily(one.name, row.means, labels=tuple(row.labels))
            gauges[one.name] = family
        gauges[one.name].add_metric(one.labels, float(one.value))
    return gauges


def _require_row(name: str, kind: str, labels: tuple[str, ...]) -> MetricRow:
    row = METRICS.get(name)
    if row is None or row.kind != kind or len(labels) != len(row.labels):
        msg = f"{name} is no {kind} of metric_rows.py with these labels"
        raise ValueError(msg)
    for value, (label, allowed) in zip(labels, row.labels.items(), strict=True):
        known = _operations if allowed is OPERATIONS else allowed
        if value not in known:
            msg = f"a value of the label {label} of {name} is not declared"
            raise ValueError(msg)
    return row
