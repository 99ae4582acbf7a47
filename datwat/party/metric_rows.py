"""The table: every figure that a process shows at `/metrics`, with its labels. Data only.

Rule: what is not declared here cannot be shown, and a label has values of a closed set: nothing
about a person, and no partner's name, for a small count beside a name tells of somebody. What is
not told yet (special situations) has no figure. Source: docs/decisions/0028-figures-and-events.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from datwat.party.event_rows import EVENTS

Kind = Literal["counter", "gauge", "histogram"]

LISTENERS: Final = ("api", "gateway", "local", "pages", "opa", "admin", "metrics")
OUTCOMES: Final = ("answered", "refused", "failed", "left")
REQUEST_CLASSES: Final = ("register", "inquire", "self")
# A label whose values are the operations of the documents that this process serves.
OPERATIONS: Final = ("operation ids",)
# What has no operation of its own: the public log, officers' programs, pages, whatever is asked for
# and is not there.
TOGETHER: Final = ("log", "officers", "page", "command", "metrics", "other")
PARTS: Final = (
    "alarms",
    "answers",
    "database",
    "gateway",
    "housekeeping",
    "key_holder",
    "keys",
    "log",
    "partners",
    "policy",
    "policy_engine",
    "processes",
    "processing_log",
    "quotas",
    "scalar",
    "trust_list",
    "vouching",
    "witnesses",
)

LOUD_EVENTS: Final = tuple(sorted(EVENTS))

_ALL: Final = ("broker", "keyholder", "connector", "portal", "witness")
_WITH_DATABASE: Final = ("broker", "keyholder", "connector", "witness")
_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_REQUEST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One figure: who has it, what it counts, in which unit its name says."""

    kind: Kind
    parties: tuple[str, ...]
    means: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()


def _gauge(
    parties: tuple[str, ...], means: str, labels: Mapping[str, tuple[str, ...]] | None = None
) -> MetricRow:
    return MetricRow("gauge", parties, means, labels or {})


def _counter(
    parties: tuple[str, ...], means: str, labels: Mapping[str, tuple[str, ...]] | None = None
) -> MetricRow:
    return MetricRow("counter", parties, means, labels or {})


_B: Final = ("broker",)
_C: Final = ("connector",)
_K: Final = ("keyholder",)
_W: Final = ("witness",)
_AT: Final = "as seconds since 1970"

METRICS: Final[Mapping[str, MetricRow]] = {
    "datwat_requests_total": _counter(
        _ALL,
        "Requests by listener, operation and outcome: answered (below 400), refused (below 500), "
        "failed, or left (the caller went away).",
        {"listener": LISTENERS, "operation": OPERATIONS, "outcome": OUTCOMES},
    ),
    "datwat_request_seconds": MetricRow(
        "histogram",
        _ALL,
        "How long a request took, from its head to the last byte of its answer; without what was "
        "refused or left.",
        {"listener": LISTENERS, "operation": OPERATIONS},
        _REQUEST,
    ),
    "datwat_requests_open": _gauge(
        _ALL, "Requests that have a place now, by listener.", {"listener": LISTENERS}
    ),
    "datwat_events_total": _counter(
        _ALL,
        "Events in the log at warning or above, by name (events.md says what each asks for).",
        {"event": LOUD_EVENTS, "level": ("warning", "error", "critical")},
    ),
    "datwat_part_state": _gauge(
        _ALL,
        "Each part of `datwat status`: 0 works or is not in use, 1 look at this, 2 does not work.",
        {"part": PARTS},
    ),
    "datwat_trust_list_seq": _gauge(_ALL, "Number of the trust list in force."),
    "datwat_trust_list_ends_timestamp_seconds": _gauge(
        _ALL, f"Until when the trust list is in force, {_AT}."
    ),
    "datwat_policy_seq": _gauge(
        ("broker", "connector", "portal"), "Number of the policy bundle in force here."
    ),
    "datwat_policy_revision_number": _gauge(
        ("broker", "connector", "portal"),
        "The first twelve hexadecimal digits of the revision in force, as a number: the same at "
        "every party with the same bundle.",
    ),
    "datwat_database_connections": _gauge(
        _WITH_DATABASE,
        "Connections of the pool, by whether they are lent out now.",
        {"state": ("lent", "free")},
    ),
    "datwat_housekeeping_timestamp_seconds": _gauge(
        ("broker", "connector"), f"When housekeeping last went round, {_AT}."
    ),
    "datwat_housekeeping_failing": _gauge(
        ("broker", "connector"), "How many steps of the last round of housekeeping failed."
    ),
    "datwat_housekeeping_ended": _gauge(
        ("broker", "connector"),
        "Rows and contents that this process destroyed because they were over, since its start.",
    ),
    "datwat_policy_engine_up": _gauge(_B, "1 while OPA answers with the bundle in force."),
    "datwat_policy_engine_starts_total": _counter(
        _B, "Starts of the broker's own OPA: the first, each new bundle, each after a loss."
    ),
    "datwat_policy_engine_lost_total": _counter(_B, "How often the broker's own OPA was lost."),
    "datwat_decisions_total": _counter(
        _B,
        "Decisions on one person each: permitted, refused, or none that may be believed.",
        {"outcome": ("permitted", "refused", "unavailable")},
    ),
    "datwat_decision_seconds": MetricRow(
        "histogram", _B, "How long one decision took, OPA and the way to it.", {}, _FAST
    ),
    "datwat_key_holder_up": _gauge(_B, "1 while the key holder answers the broker."),
    "datwat_database_up": _gauge(_B, "1 while the database answers."),
    "datwat_database_answer_seconds": _gauge(_B, "How long the database took when last asked."),
    "datwat_log_entries": _gauge(_B, "Entries below the newest checkpoint that was signed."),
    "datwat_log_shown_entries": _gauge(
        _B, "Entries below the newest checkpoint that is shown to outsiders."
    ),
    "datwat_log_cosignatures": _gauge(
        _B, "Witnesses that vouch for the newest checkpoint that enough of them vouch for."
    ),
    "datwat_log_cosigned_timestamp_seconds": _gauge(
        _B, f"From when the oldest of those cosignatures that are needed is, {_AT}."
    ),
    "datwat_log_waiting": _gauge(_B, "Jobs that wait for the one writer of the log."),
    "datwat_log_batch_seconds": MetricRow(
        "histogram", _B, "How long a batch took: written, durable, signed.", {}, _REQUEST
    ),
    "datwat_log_batch_jobs": MetricRow("histogram", _B, "Jobs in a batch.", {}, _BATCH),
    "datwat_witnesses": _gauge(
        _B, "Witnesses of the trust list by how they answered last.", {"state": ("well", "failing")}
    ),
    "datwat_gateways_silent": _gauge(
        _B, "Gateways of partners that did not answer when last asked."
    ),
    "datwat_overdue": _gauge(
        _B,
        "What residents wait for beyond its term.",
        {"what": ("objections", "questions", "erasures", "contact_requests")},
    ),
    "datwat_contents_to_end": _gauge(
        _B, "Contents of entries whose end has come and that are still there."
    ),
    "datwat_outbox_unreadable": _gauge(
        _B, "Rows of the outbox that do not open, and are tried again."
    ),
    "datwat_over_quota_total": _counter(
        _B, "Messages that were refused because their partner sent too many."
    ),
    "datwat_kek_age_seconds": _gauge(_B, "Age of the oldest key that opens stored data."),
    "datwat_trials_running": _gauge(
        _B, "Processes beside the broker that try a draft: cases, mutation checks, replays."
    ),
    "datwat_processes": _gauge(_B, "Processes of this broker that run, as this one knows them."),
    "datwat_process_current": _gauge(
        _B, "1 while this process knows what the others changed; else it answers nobody."
    ),
    "datwat_process_keeps_house": _gauge(_B, "1 at the one process that keeps house."),
    "datwat_processing_waiting": _gauge(
        _B, "Records that the collector of processing has to take."
    ),
    "datwat_evaluations_total": _counter(
        _K,
        "Blinded points that were evaluated, by class.",
        {"request_class": REQUEST_CLASSES},
    ),
    "datwat_quota_refused_total": _counter(
        _K, "Look-ups beyond a quota, by class.", {"request_class": REQUEST_CLASSES}
    ),
    "datwat_quota_used_ratio": _gauge(
        _K,
        "Of the partner that used most of today's quota: which part of it, by class.",
        {"request_class": REQUEST_CLASSES},
    ),
    "datwat_partners": _gauge(
        _K, "Partners of the trust list, by whether they are open.", {"state": ("open", "closed")}
    ),
    "datwat_gateway_alarm": _gauge(_C, "1 while an alarm stops the gateway: a person looks."),
    "datwat_gateway_log_entries": _gauge(
        _C, "Entries of the log, as far as this gateway followed it."
    ),
    "datwat_gateway_uncovered_timestamp_seconds": _gauge(
        _C, f"Since when something waits for enough witnesses, {_AT}; absent while nothing does."
    ),
    "datwat_vouched_entries": _gauge(_W, "Entries below the checkpoint that it vouched for last."),
    "datwat_vouched_timestamp_seconds": _gauge(_W, f"When it vouched last, {_AT}."),
    "datwat_alarms": _gauge(_W, "Alarms that stand until a person has looked."),
}
