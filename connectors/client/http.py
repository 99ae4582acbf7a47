"""The typed Python client of the local API, for a partner's own software.

The methods are those of the service, with the same names. A refusal is a typed result; what could
not be done raises `ConnectorProblem` with the connector's own code. Example:

    with ConnectorClient("http://127.0.0.1:8090", token) as connector:
        answer = connector.ask_who_is_involved(Ask(professional=..., clients=(...), purpose=...))
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from connectors.client import requests, results
from datwat.party.tracing import build_trace_headers, find_trace

_OK = 200
_SECONDS = 150.0
_POLL_SECONDS = 0.1
ModelT = TypeVar("ModelT", bound=BaseModel)


class ConnectorProblem(Exception):  # noqa: N818 - a problem in the sense of RFC 9457
    """The connector could not do it: HTTP status, stable code, a sentence, the place at fault."""

    def __init__(self, status: int, code: str, detail: str, place: str | None = None) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.place = place
        super().__init__(f"{code}: {detail}" + (f" (at {place})" if place else ""))


class SyncRun(BaseModel):
    """The newest run of a sync, None where there was none."""

    run: results.SyncState | None


class ConnectorClient:
    """One application's connection to its connector; close it, or use it as a context manager."""

    def __init__(self, url: str, token: str, *, seconds: float = _SECONDS) -> None:
        """Connect to `url` (without /local) as the application that `token` belongs to."""
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/local/v1/",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=seconds,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def register(self, request: requests.Register) -> results.BatchResults:
        """Register or reconfirm involvements; a result per row."""
        return self._post("registrations", request, results.BatchResults)

    def end(self, request: requests.End) -> results.BatchResults:
        """End involvements; a result per row."""
        return self._post("endings", request, results.BatchResults)

    def open_occasion(self, request: requests.OpenOccasion) -> results.ActResults:
        """Open an occasion with its household."""
        return self._post("occasions", request, results.ActResults)

    def hand_over(self, request: requests.HandOver) -> results.ActResults:
        """Give an occasion to other handlers."""
        return self._post("hand-overs", request, results.ActResults)

    def close_occasion(self, request: requests.Close) -> results.ActResults:
        """Close an occasion."""
        return self._post("closings", request, results.ActResults)

    def record_conversation(self, request: requests.RecordConversation) -> results.ActResults:
        """Record that members of an occasion were spoken with."""
        return self._post("conversations", request, results.ActResults)

    def record_consent(self, request: requests.RecordConsent) -> results.ActResults:
        """Record an explicit consent or a written no-objection."""
        return self._post("consents", request, results.ActResults)

    def record_objection(self, request: requests.RecordObjection) -> results.ActResults:
        """Record an objection."""
        return self._post("objections", request, results.ActResults)

    def record_authority(self, request: requests.RecordAuthority) -> results.ActResults:
        """Record who has authority over a client."""
        return self._post("authorities", request, results.ActResults)

    def declare_special_situation(
        self, request: requests.DeclareSpecialSituation
    ) -> results.ActResults:
        """Say that the residents on an occasion are told later."""
        return self._post("special-situations", request, results.ActResults)

    def introduce(self, request: requests.Introduce) -> results.ActResults:
        """Introduce clients to one other partner; each result has a one-time code."""
        return self._post("introductions", request, results.ActResults)

    def redeem_introduction(self, request: requests.RedeemIntroduction) -> results.ActResults:
        """Redeem a one-time code."""
        return self._post("redemptions", request, results.ActResults)

    def ask_who_is_involved(self, request: requests.Ask) -> results.InquiryResults:
        """Ask who is involved with clients."""
        return self._post("inquiries", request, results.InquiryResults)

    def ask_what_is_known(self, request: requests.AskKnown) -> results.ReleaseResult:
        """Ask one source for fields about one client."""
        return self._post("releases", request, results.ReleaseResult)

    def request_contact(self, request: requests.RequestContact) -> results.ActResults:
        """Ask to be called by one source."""
        return self._post("contact-requests", request, results.ActResults)

    def answer_contact(self, request: requests.AnswerContact) -> results.ActResults:
        """Say that a delivered contact request was seen or answered."""
        return self._post("contact-answers", request, results.ActResults)

    def report_wrong_person(self, request: requests.ReportWrongPerson) -> results.ActResults:
        """Say that a client number stands for somebody else."""
        return self._post("wrong-persons", request, results.ActResults)

    def fetch_figures(self, request: requests.FetchFigures) -> results.Figures:
        """Return the figures of the own use of a month; without one of the last that is over."""
        return self._post("figures", request, results.Figures)

    def list_purposes(self) -> results.PurposeList:
        """Return the purposes in force."""
        return self._read(self._send("GET", "purposes"), results.PurposeList)

    def list_contacts(self) -> results.ContactList:
        """Return the contact requests that were delivered here and are not answered."""
        return self._read(self._send("GET", "contacts"), results.ContactList)

    def start_sync(self, request: requests.Sync) -> results.SyncState:
        """Start a sync in the background and return its state."""
        return _require_run(self._post("syncs", request, SyncRun))

    def find_sync(self) -> results.SyncState | None:
        """Return the state of the newest sync."""
        return self._read(self._send("GET", "syncs"), SyncRun).run

    def sync(self, request: requests.Sync, *, seconds: float = 600.0) -> results.SyncState:
        """Start a sync and wait for its end; its state tells whether it finished or stopped.

        Raises ConnectorProblem, with code `sync_running`, where it takes longer than `seconds`.
        """
        state = self.start_sync(request)
        until = time.monotonic() + seconds
        while state.finished_at is None:
            if time.monotonic() > until:
                raise ConnectorProblem(409, "sync_running", "The sync has not finished yet.")
            time.sleep(_POLL_SECONDS)
            state = _require_run(SyncRun(run=self.find_sync()))
        return state

    def _post(self, route: str, request: BaseModel, kind: type[ModelT]) -> ModelT:
        return self._read(self._send("POST", route, request), kind)

    def _send(self, method: str, route: str, request: BaseModel | None = None) -> httpx.Response:
        content = request.model_dump_json() if request is not None else None
        # Within a request to an own system (`use_trace`) the question is part of its chain.
        headers = build_trace_headers() if find_trace() is not None else {}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._client.request(method, route, content=content, headers=headers)
        except httpx.HTTPError:
            where = self._client.base_url
            raise ConnectorProblem(
                0,
                "connector_unreachable",
                f"The connector at {where.scheme}://{where.netloc.decode()} does not answer: "
                "check the address, and that it is served.",
            ) from None

    def _read(self, response: httpx.Response, kind: type[ModelT]) -> ModelT:
        if response.status_code != _OK:
            raise _read_problem(response)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            raise ConnectorProblem(
                response.status_code, "connector_version", "The connector is of another version."
            ) from None


def _require_run(answer: SyncRun) -> results.SyncState:
    if answer.run is None:
        raise ConnectorProblem(404, "not_found", "There is no such sync.")
    return answer.run


def _read_problem(response: httpx.Response) -> ConnectorProblem:
    try:
        members = response.json()
        return ConnectorProblem(
            response.status_code, members["code"], members["detail"], members.get("place")
        )
    except (ValueError, KeyError, TypeError):
        return ConnectorProblem(response.status_code, "unknown", "The answer cannot be read.")
