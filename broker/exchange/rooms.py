"""What the life of a question, and what runs beside it, works with: every room, named together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.ended import JobLog
from broker.audit.proofs import Proofs
from broker.audit.records import SubjectKeys
from broker.audit.sealing import Sealing
from broker.exchange.acts import Act
from broker.exchange.gather import TicketKeys
from broker.exchange.processing import NoProcessingLog, ProcessingLog
from broker.exchange.recorded import Ledger
from broker.exchange.registers import Registers
from broker.policy.engine import PolicyEngine
from broker.pseudonyms.veil import Veil
from datwat.party.trust_list import Directory


class TrustView(Protocol):
    """What this process goes by at this moment."""

    @property
    def directory(self) -> Directory:
        """Who is in force."""

    @property
    def ticket_keys(self) -> TicketKeys:
        """What opens tickets."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that the life of a question works with."""

    registers: Registers
    engine: PolicyEngine
    sealing: Sealing
    log: JobLog
    proofs: Proofs
    ledger: Ledger
    veil: Veil
    trust: TrustView
    acts: Mapping[str, Act]
    reading: Callable[[], AbstractContextManager[Connection]]
    write_known: Callable[[Connection, SubjectKeys, datetime], None]
    clock: Callable[[], datetime]
    processing: ProcessingLog = NoProcessingLog()  # noqa: RUF009 - it holds nothing
