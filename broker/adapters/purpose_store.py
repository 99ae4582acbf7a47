"""Where drafts, proposals, approvals and publications lie (port: `broker.purposes.drafts`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from broker.adapters import rows
from broker.adapters.purpose_tables import (
    PublicationRecord,
    PurposeApprovalRecord,
    PurposeDraftRecord,
    PurposeProposalRecord,
)
from broker.adapters.tables import table_of
from broker.purposes.drafts import (
    MOST_DRAFTS,
    ApprovalRow,
    Approver,
    DraftRow,
    DraftWords,
    ProposalRow,
    ProposalWords,
    PublicationRow,
)

_D = table_of(PurposeDraftRecord)
_STANDING = _D.c.until_at > bindparam("b_now")
_FIND_DRAFT = select(_D).where(_D.c.id == bindparam("b_id"), _STANDING)
_LIST_DRAFTS = select(_D).where(_STANDING).order_by(_D.c.changed_at.desc(), _D.c.id)
_DROP_DRAFT = delete(_D).where(_D.c.id == bindparam("b_id"))
_INSERT_DRAFT = insert(_D)

_P = table_of(PurposeProposalRecord)
# Without the bundle, which may be megabytes.
_PROPOSAL = select(*(column for column in _P.c if column.name != "archive"))
_FIND_PROPOSAL = _PROPOSAL.where(_P.c.id == bindparam("b_id"))
_LIST_PROPOSALS = _PROPOSAL.order_by(_P.c.at.desc(), _P.c.seq.desc()).limit(bindparam("b_limit"))
_ARCHIVE = select(_P.c.archive).where(_P.c.id == bindparam("b_id"))
_INSERT_PROPOSAL = insert(_P)
_TAKE_BACK = (
    update(_P)
    .where(_P.c.id == bindparam("b_id"), _P.c.taken_back_at.is_(None))
    .values(taken_back_at=bindparam("b_now"))
)

_A = table_of(PurposeApprovalRecord)
_INSERT_APPROVAL = rows.build_insert(_A)
_LIST_APPROVALS = (
    select(_A).where(_A.c.proposal_id == bindparam("b_id")).order_by(_A.c.at, _A.c.kid)
)

_U = table_of(PublicationRecord)
_PUBLICATION = select(_U.c.seq, _U.c.bundle_digest, _U.c.revision, _U.c.at, _U.c.proposal_id)
_INSERT_PUBLICATION = rows.build_insert(_U)
_FIND_PUBLICATION = select(_U.c.archive, _U.c.document).where(_U.c.seq == bindparam("b_seq"))
_LIST_PUBLICATIONS = _PUBLICATION.order_by(_U.c.seq.desc()).limit(bindparam("b_limit"))
_LIST_WAITING = _PROPOSAL.where(
    _P.c.base_bundle_digest == bindparam("b_base"),
    _P.c.taken_back_at.is_(None),
    ~select(_U.c.seq).where(_U.c.proposal_id == _P.c.id).exists(),
)
_FIND_PUBLISHED = _PUBLICATION.where(_U.c.proposal_id == bindparam("b_id"))


class SqlPurposes:
    """What officers wrote, proposed, approved and published, in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def put_draft(self, conn: Connection, row: DraftRow) -> None:
        """Write a draft, or replace it."""
        conn.execute(_DROP_DRAFT, {"b_id": row.id})
        values = {
            "id": row.id,
            "changed_at": row.changed_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_D.name, row.words, row.id),
        }
        conn.execute(_INSERT_DRAFT, values)

    def drop_draft(self, conn: Connection, draft_id: bytes) -> None:
        """Destroy a draft; nothing where there is none."""
        conn.execute(_DROP_DRAFT, {"b_id": draft_id})

    def find_draft(self, conn: Connection, draft_id: bytes, now: datetime) -> DraftRow | None:
        """Return a draft that is not over."""
        found = conn.execute(_FIND_DRAFT, {"b_id": draft_id, "b_now": now}).first()
        return None if found is None else self._build_draft(found)

    def list_drafts(self, conn: Connection, now: datetime) -> list[DraftRow]:
        """Return the drafts that are not over, the last changed first."""
        found = conn.execute(_LIST_DRAFTS.limit(MOST_DRAFTS + 1), {"b_now": now})
        return [self._build_draft(row) for row in found]

    def add_proposal(self, conn: Connection, row: ProposalRow, archive: bytes) -> None:
        """Write a proposal and the bundle that it would make."""
        values = {
            "id": row.id,
            "seq": row.seq,
            "revision": row.revision,
            "bundle_digest": row.bundle_digest,
            "base_bundle_digest": row.base_bundle_digest,
            "at": row.at,
            "taken_back_at": row.taken_back_at,
            "until_at": row.until_at,
            "archive": archive,
            "sealed": self._sealer.seal(_P.name, row.words, row.id),
        }
        conn.execute(_INSERT_PROPOSAL, values)

    def take_back(self, conn: Connection, proposal_id: bytes, now: datetime) -> bool:
        """Mark a proposal as taken back; return whether it stood."""
        return rows.is_written(conn, _TAKE_BACK, {"b_id": proposal_id, "b_now": now})

    def find_proposal(self, conn: Connection, proposal_id: bytes) -> ProposalRow | None:
        """Return a proposal."""
        found = conn.execute(_FIND_PROPOSAL, {"b_id": proposal_id}).first()
        return None if found is None else self._build_proposal(found)

    def list_proposals(self, conn: Connection, limit: int) -> list[ProposalRow]:
        """Return proposals, newest first."""
        found = conn.execute(_LIST_PROPOSALS, {"b_limit": limit})
        return [self._build_proposal(row) for row in found]

    def list_waiting(self, conn: Connection, base_bundle_digest: str) -> list[ProposalRow]:
        """Return the proposals on a bundle that were neither taken back nor published."""
        found = conn.execute(_LIST_WAITING, {"b_base": base_bundle_digest})
        return [self._build_proposal(row) for row in found]

    def read_archive(self, conn: Connection, proposal_id: bytes) -> bytes | None:
        """Return the candidate bundle of a proposal."""
        found: bytes | None = conn.execute(_ARCHIVE, {"b_id": proposal_id}).scalar()
        return found

    def add_approval(self, conn: Connection, row: ApprovalRow) -> bool:
        """Write an approval; return False where this key approved before."""
        values = {
            "proposal_id": row.proposal_id,
            "kid": row.kid,
            "at": row.at,
            "until_at": row.until_at,
            "approval": row.approval,
            "bundle": row.bundle,
            "sealed": self._sealer.seal(_A.name, row.approver, row.proposal_id, row.kid.encode()),
        }
        return rows.is_written(conn, _INSERT_APPROVAL[conn.dialect.name], values)

    def list_approvals(self, conn: Connection, proposal_id: bytes) -> list[ApprovalRow]:
        """Return the approvals of a proposal, oldest first."""
        return [
            ApprovalRow(
                proposal_id=bytes(row.proposal_id),
                kid=row.kid,
                approver=self._sealer.unseal(
                    _A.name, Approver, row.sealed, bytes(row.proposal_id), row.kid.encode()
                ),
                approval=bytes(row.approval),
                bundle=bytes(row.bundle),
                at=row.at,
                until_at=row.until_at,
            )
            for row in conn.execute(_LIST_APPROVALS, {"b_id": proposal_id})
        ]

    def add_publication(
        self, conn: Connection, row: PublicationRow, archive: bytes, document: bytes
    ) -> bool:
        """Write a publication; return False where this number is there already."""
        values = {
            "seq": row.seq,
            "revision": row.revision,
            "bundle_digest": row.bundle_digest,
            "at": row.at,
            "proposal_id": row.proposal_id,
            "archive": archive,
            "document": document,
        }
        return rows.is_written(conn, _INSERT_PUBLICATION[conn.dialect.name], values)

    def find_publication(self, conn: Connection, seq: int) -> tuple[bytes, bytes] | None:
        """Return archive and signed document of a publication."""
        found = conn.execute(_FIND_PUBLICATION, {"b_seq": seq}).first()
        return None if found is None else (bytes(found.archive), bytes(found.document))

    def list_publications(self, conn: Connection, limit: int) -> list[PublicationRow]:
        """Return publications, newest first."""
        found = conn.execute(_LIST_PUBLICATIONS, {"b_limit": limit})
        return [_build_publication(row) for row in found]

    def find_published(self, conn: Connection, proposal_id: bytes) -> PublicationRow | None:
        """Return the publication that a proposal led to."""
        found = conn.execute(_FIND_PUBLISHED, {"b_id": proposal_id}).first()
        return None if found is None else _build_publication(found)

    def _build_draft(self, row: rows.AnyRow) -> DraftRow:
        draft_id = bytes(row.id)
        words = self._sealer.unseal(_D.name, DraftWords, row.sealed, draft_id)
        return DraftRow(draft_id, words, row.changed_at, row.until_at)

    def _build_proposal(self, row: rows.AnyRow) -> ProposalRow:
        proposal_id = bytes(row.id)
        return ProposalRow(
            id=proposal_id,
            words=self._sealer.unseal(_P.name, ProposalWords, row.sealed, proposal_id),
            seq=row.seq,
            revision=row.revision,
            bundle_digest=row.bundle_digest,
            base_bundle_digest=row.base_bundle_digest,
            at=row.at,
            taken_back_at=row.taken_back_at,
            until_at=row.until_at,
        )


def _build_publication(row: rows.AnyRow) -> PublicationRow:
    found: Any = row.proposal_id
    return PublicationRow(
        seq=row.seq,
        bundle_digest=row.bundle_digest,
        revision=row.revision,
        at=row.at,
        proposal_id=None if found is None else bytes(found),
    )
