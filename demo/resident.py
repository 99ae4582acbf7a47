"""A resident at a browser: logs in, reads their log, says what they want, and checks the proofs.

Rule: what is checked here is checked with the log's key from the signed trust list and with
`datwat.protocol` alone, as anybody could who does not believe broker or portal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from datwat.party.errors import PartyError
from datwat.party.trust_list import parse_list
from datwat.protocol.access_log import AccessCard, AccessLog
from datwat.protocol.entry import derive_payload_hash
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.receipt import require_receipt
from datwat.protocol.trust import LogEntry

_OK = 200
_SEE_OTHER = 303
_SECONDS = 20.0
_MOST_CARDS = 100


class PortalFailedError(PartyError):
    """The portal did not do what a resident asked."""

    code = "demo_portal_failed"
    default_detail = "The portal did not do what was asked."


@dataclass(frozen=True)
class OwnLog:
    """Somebody's log, oldest first, with every proof in it checked; `proofs` is how many."""

    cards: tuple[AccessCard, ...]
    proofs: int


class Resident:
    """One login at the portal; use it as a context manager."""

    def __init__(self, portal: str, login: str, log: LogEntry) -> None:
        """Remember where the portal is, who logs in, and the pinned log."""
        self._portal = portal
        self._login = login
        self._log = log
        self._client = httpx.Client(timeout=_SECONDS, trust_env=False, follow_redirects=False)
        self._csrf = ""

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._post("/v1/logout", {})
        finally:
            self._client.close()

    def read_log(self, person: str = "self") -> OwnLog:
        """Return the whole log of this session's person, each proof checked."""
        cards: list[AccessCard] = []
        proofs, before = 0, None
        while True:
            page = {"limit": _MOST_CARDS, "before": before}
            asked = {"person": person, "page": page}
            found = AccessLog.model_validate_json(self._post("/v1/me/access-log", asked))
            proofs += check_proofs(found, self._log)
            cards += found.cards
            if found.next is None:
                return OwnLog(tuple(reversed(cards)), proofs)
            before = found.next

    def withdraw(self, number: int) -> dict[str, Any]:
        """Take the consent with this number in the log back."""
        wish = {"withdraws": number}
        answer: dict[str, Any] = json.loads(
            self._post("/v1/me/wishes", {"person": "self", "wish": wish})
        )
        return answer

    def _enter(self) -> None:
        """Follow the redirects of the login as a browser does, choosing a name on the way."""
        away = self._client.get(f"{self._portal}/login")
        chosen = self._client.post(_require_next(away), data={"sub": self._login})
        back = self._client.get(_require_next(chosen))
        if back.status_code != _SEE_OTHER:
            raise PortalFailedError(f"Login of {self._login}: {_describe(back)}")
        me = self._client.get(f"{self._portal}/v1/me", headers={"Accept": "application/json"})
        if me.status_code != _OK:
            raise PortalFailedError(f"Login of {self._login}: {_describe(me)}")
        self._csrf = me.json()["csrf_token"]

    def _post(self, path: str, members: dict[str, Any]) -> str:
        headers = {"X-CSRF-Token": self._csrf, "Accept": "application/json"}
        answer = self._client.post(f"{self._portal}{path}", json=members, headers=headers)
        if answer.status_code != _OK:
            raise PortalFailedError(f"{path}: {_describe(answer)}")
        return answer.text


def check_proofs(page: AccessLog, log: LogEntry) -> int:
    """Find every entry of a page in the log under its pinned key; return how many there were.

    Raises NoteError, ReceiptError, ReceiptOutsideError.
    """
    count = 0
    for card in page.cards:
        for proof in card.proofs:
            require_receipt(
                core=proof.core,
                payload_hash=derive_payload_hash(proof.salt, proof.payload),
                tag=proof.tag,
                receipt=ReceiptPath(index=proof.index, path=proof.path),
                checkpoint=page.checkpoint.encode(),
                origin=log.origin,
                vkeys=log.vkeys,
            )
            count += 1
    return count


def read_pinned_log(trust_list: Path) -> LogEntry:
    """Return name and keys of the log from the signed list; raise TrustListError."""
    accepted, _, _ = parse_list(trust_list.read_bytes())
    return accepted.trust.log


def _require_next(response: httpx.Response) -> str:
    target = response.headers.get("location")
    if target is None:
        raise PortalFailedError(f"The login stopped: {_describe(response)}")
    return str(target)


def _describe(response: httpx.Response) -> str:
    try:
        code = response.json().get("code", "")
    except ValueError:
        code = ""
    return f"status {response.status_code} {code}".strip()
