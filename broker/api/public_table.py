"""The table of the routes that anybody may read: figures of a month, and the register of AVG 30.

Rule: what they give is fixed, names nobody and is the same for everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from datwat.party.openapi import Operation

INDICATORS_PATH = "/v1/indicators/{month}"
INDICATORS_CSV_PATH = "/v1/indicators/{month}/csv"
REGISTER_PATH = "/v1/processing-activities"
ACTIVITY_PATH = "/v1/processing-activities/{activity}"
_Endpoint = Callable[[Request], Awaitable[Response]]


class Title(BaseModel):
    """What a code is called, in both languages."""

    nl: str
    en: str


class PublicCell(BaseModel):
    """One row of a table: its code, or several where they were put together.

    `count` is 0, or ten and more; null: all of the table together are fewer than ten.
    """

    codes: tuple[str, ...]
    title: Title
    count: int | None = Field(ge=0)


class PublicTable(BaseModel):
    """One table, by its code."""

    table: str
    title: Title
    cells: tuple[PublicCell, ...]


class PublicIndicators(BaseModel):
    """The public tables of a month (`2026-10`), always the same ones, counted once."""

    v: Literal[1]
    month: str
    tables: tuple[PublicTable, ...]


class ProcessingActivity(BaseModel):
    """One processing activity by the model `rvva` v0.1, with a version for each revision of it.

    A version's members are `name`, `purpose`, `legalBasis`, `dataSubjects`, `personalData`,
    `processingOptions`, `recipients`, `measures`, `validFrom`, `version`; under `datwat` what that
    model has no member for.
    """

    id: str
    active: bool
    latestVersion: int  # noqa: N815 - as rvva spells it
    versions: tuple[dict[str, Any], ...]


class ProcessingRegister(BaseModel):
    """The register of processing activities (AVG 30) of the policy bundle and trust list named."""

    v: Literal[1]
    rvva: str
    bundle_digest: str
    bundle_seq: int
    list_seq: int
    processing_activities: tuple[ProcessingActivity, ...]
    entities: tuple[dict[str, Any], ...]


_ROUTES: tuple[tuple[str, str, str, type[BaseModel] | None, str | None], ...] = (
    # First the longer path: the shorter one would take it for a month.
    (
        INDICATORS_CSV_PATH,
        "getIndicatorsCsv",
        "The public tables of a month that is over, as CSV.",
        None,
        "text/csv",
    ),
    (
        INDICATORS_PATH,
        "getIndicators",
        "The public tables of a month that is over.",
        PublicIndicators,
        None,
    ),
    (
        REGISTER_PATH,
        "listProcessingActivities",
        "The register of processing activities of what is in force.",
        ProcessingRegister,
        None,
    ),
    (
        ACTIVITY_PATH,
        "getProcessingActivity",
        "The processing activity that a record of Logboek Dataverwerkingen names.",
        ProcessingActivity,
        None,
    ),
)


def list_public_operations(find: Callable[[str], _Endpoint]) -> tuple[Operation, ...]:
    """Return the operations for anybody, with the endpoint that `find` gives for its id."""
    return tuple(
        Operation(
            path=path,
            operation_id=name,
            summary=summary,
            endpoint=find(name),
            answer=answer,
            media_type=media_type,
            method="GET",
            tag="account",
            statuses=(404, 503),
        )
        for path, name, summary, answer, media_type in _ROUTES
    )
