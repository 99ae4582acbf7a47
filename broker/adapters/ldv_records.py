"""A record of Logboek Dataverwerkingen in two spellings: its own members, and OTLP's JSON. Pure.

The names of a draft stand here only, so that a rename is one edit. Sources: Logboek
Dataverwerkingen 0.8, "Logregel"; OpenTelemetry Protocol 1.x, JSON encoding (ids in hexadecimal,
64-bit numbers as text).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import orjson

from broker.adapters.ldv_outbox import SpanRecord

FindActivity = Callable[[str | None, str], UUID]
SUBJECT_TYPE = "datwat-pseudonym"
_ACTIVITY = "dpl.core.processing_activity_id"
_SUBJECT = "dpl.core.data_subject_id"
_SUBJECT_TYPE = "dpl.core.data_subject_id_type"
_PROCESSOR = "dpl.core.foreign_operation.processor"
_SERVER_SPAN = 2
_CODES = {"Unset": 0, "Ok": 1, "Error": 2}
_NANOSECONDS = 1_000_000


class RecordWriter:
    """Spells records; `base_url` is where the register of processing activities is published."""

    def __init__(self, base_url: str, find_activity: FindActivity, service: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._find_activity = find_activity
        self._service = service

    def build_attributes(self, record: SpanRecord) -> dict[str, str]:
        """Return what a record says beside its ids and times."""
        activity = self._find_activity(record.purpose, record.name)
        attributes = {
            _ACTIVITY: f"{self._base_url}/v1/processing-activities/{activity}",
            _PROCESSOR: f"urn:oin:{record.caller.partition(':')[0]}",
        }
        if record.subject is not None:
            attributes |= {_SUBJECT: record.subject, _SUBJECT_TYPE: SUBJECT_TYPE}
        return attributes

    def build_line(self, record: SpanRecord) -> bytes:
        """Return a record as one line of JSON, in LDV's own members."""
        members = {
            "trace_id": record.trace_id,
            "span_id": record.span_id,
            "status": record.status,
            "name": record.name,
            "start_time": record.began_ms,
            "end_time": record.ended_ms,
            "attributes": self.build_attributes(record),
        }
        if record.parent_span_id is not None:
            members["parent_span_id"] = record.parent_span_id
        return orjson.dumps(members) + b"\n"

    def build_request(self, records: Sequence[SpanRecord]) -> bytes:
        """Return an OTLP/HTTP request (`ExportTraceServiceRequest`) as JSON."""
        spans = [self._build_span(record) for record in records]
        scope = {"scope": {"name": "datwat"}, "spans": spans}
        resource = {"attributes": [_build_pair("service.name", self._service)]}
        return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})

    def _build_span(self, record: SpanRecord) -> dict[str, Any]:
        span: dict[str, Any] = {
            "traceId": record.trace_id,
            "spanId": record.span_id,
            "name": record.name,
            "kind": _SERVER_SPAN,
            "startTimeUnixNano": str(record.began_ms * _NANOSECONDS),
            "endTimeUnixNano": str(record.ended_ms * _NANOSECONDS),
            "attributes": [
                _build_pair(name, value) for name, value in self.build_attributes(record).items()
            ],
            "status": {"code": _CODES[record.status]},
        }
        if record.parent_span_id is not None:
            span["parentSpanId"] = record.parent_span_id
        return span


def _build_pair(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}
