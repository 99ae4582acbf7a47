"""Approving what was proposed, and publishing it with the last approval that is needed.

Rules enforced: an approval is two signatures by the one policy key that the register has for this
approver, over exactly what was proposed; author and approvers are different people with different
keys; who lost the role since counts no more; with the threshold of the trust list the bundle is
kept, stated and published in one transaction, then put where it is read and taken up at once. A
crash between the two leaves it kept: the next round puts it there (`catch_up`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection

from broker.audit.records import Appendable, Job
from broker.policy.authoring_ports import PolicyKeys
from broker.policy.public_statements import state_approval, state_publication
from broker.policy.shown import ApprovalDone
from broker.purposes.drafts import PROPOSAL_TERM, ApprovalRow, Approver, ProposalRow, PublicationRow
from broker.purposes.life import (
    build_approval,
    list_counting,
    require_ahead,
    require_may_approve,
)
from broker.purposes.life_errors import (
    ActivationRefusedError,
    ApprovalInvalidError,
    ApproverKeyDiffersError,
    PassphraseBusyError,
    ProposalStaleError,
    ProposalUnknownError,
)
from broker.purposes.roles import Acting, Role, require_role
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol.bundle import BundleStatement
from datwat.protocol.documents import SignedDocument, require_threshold
from datwat.protocol.errors import ProtocolError
from datwat.protocol.purpose_approval import (
    ApprovalSignatures,
    build_statement_bytes,
    require_approval,
    sign_approval,
)

if TYPE_CHECKING:
    from broker.policy.overview import Overview

# Passphrases that are tried at once, and how long the next one waits for its turn.
MOST_OPENED_AT_ONCE = 2
_TURN_SECONDS = 5.0
_KEEP_SECONDS = 30.0
_MOST_TOLD = 10
_log = get_logger("broker")


class ToSign(NamedTuple):
    """A proposal that may be approved: in which role, and the bundle that it would make.

    `earlier` is the signed document of the publication that a roll-back returns to.
    """

    row: ProposalRow
    role: Role
    archive: bytes
    earlier: bytes | None


class Approving:
    """Takes approvals, and publishes."""

    def __init__(self, overview: Overview) -> None:
        """Keep what reads proposals; its ports are those of every act."""
        self._overview = overview
        self._ports = overview.ports
        self._publishing = asyncio.Lock()
        self._opening = asyncio.Semaphore(MOST_OPENED_AT_ONCE)

    async def approve(
        self, acting: Acting, proposal_id: str, signatures: ApprovalSignatures
    ) -> ApprovalDone:
        """Take an approver's two signatures; publish where they are the last that is needed.

        Raises RoleMissingError, ProposalUnknownError, ProposalStaleError (with what changed),
        ProposalOverError, EffectiveDateError, ApprovalInvalidError, OwnProposalError,
        ApproverKeyDiffersError, ApprovedAlreadyError, ActivationRefusedError, LogError.
        """
        async with self._publishing:
            found = await asyncio.to_thread(self.read_to_sign, acting, proposal_id)
            row, role, archive, _ = found
            keys = self._ports.read_policy_keys()
            kid = _require_signed(signatures, row, keys)
            now = self._ports.clock()
            approval = ApprovalRow(
                proposal_id=row.id,
                kid=kid,
                approver=Approver(staff=acting.staff, organisation=role.organisation),
                approval=signatures.approval.to_bytes(),
                bundle=signatures.bundle.to_bytes(),
                at=now,
                until_at=now + PROPOSAL_TERM,
            )
            done, document = await self._write(acting, row, approval, archive)
            if document is not None:
                await self._put(archive, document)
            return done

    async def approve_sealed(
        self, acting: Acting, proposal_id: str, passphrase: str
    ) -> ApprovalDone:
        """Approve with one's policy key that lies sealed at this broker.

        Raises what `approve` raises, SealedKeyMissingError, PassphraseWrongError,
        TooManyTriesError, PassphraseBusyError.
        """
        row = (await asyncio.to_thread(self.read_to_sign, acting, proposal_id)).row
        kid = await asyncio.to_thread(self._ports.register.find_kid, acting.staff)
        if kid is None:
            raise ApproverKeyDiffersError
        async with self._take_turn():
            now = self._ports.clock()
            key = await asyncio.to_thread(self._ports.sealed_keys.open, kid, passphrase, now)
        signatures = sign_approval(build_approval(row), build_statement(row), key)
        return await self.approve(acting, proposal_id, signatures)

    @asynccontextmanager
    async def _take_turn(self) -> AsyncIterator[None]:
        """Wait a little until a passphrase may be tried: each takes 128 MB, and a thread."""
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._opening.acquire()
        except TimeoutError:
            raise PassphraseBusyError from None
        try:
            yield
        finally:
            self._opening.release()

    async def run(self) -> None:
        """Keep what is in force and put what was published where it is read, for ever."""
        while True:
            try:
                await self.catch_up()
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                _log.warning("publication_not_kept", exception=name_failure(error))
            await asyncio.sleep(_KEEP_SECONDS)

    async def catch_up(self) -> None:
        """Keep the bundle in force for a roll-back; publish again what a crash kept from being so.

        Idempotent. Raises LogError.
        """
        async with self._publishing:
            bundle, document = self._ports.read_bundle(), self._ports.read_document()
            now = self._ports.clock()
            row = PublicationRow(bundle.seq, bundle.digest, bundle.revision, now, None)
            newest = await asyncio.to_thread(self._find_newest)
            if newest is None or newest.seq < bundle.seq:

                def work(conn: Connection) -> Sequence[Appendable]:
                    self._ports.store.add_publication(conn, row, bundle.archive, document)
                    return []

                await self._ports.log.append(Job(work))
            elif newest.seq > bundle.seq:
                kept = await asyncio.to_thread(self._read_publication, newest.seq)
                if kept is not None:
                    await self._ports.publish(*kept)

    async def _write(
        self, acting: Acting, row: ProposalRow, approval: ApprovalRow, archive: bytes
    ) -> tuple[ApprovalDone, bytes | None]:
        """Write an approval, and the publication with the last one; return the signed document."""
        now, keys = approval.at, self._ports.read_policy_keys()
        made: list[tuple[ApprovalDone, bytes | None]] = []

        def work(conn: Connection) -> Sequence[Appendable]:
            role, counting = self._add(conn, acting, row, approval)
            stated = [state_approval(row, approval, role, now)]
            document = None
            if len(counting) >= keys.threshold:
                document = _build_document(row, counting, keys)
                self._publish(conn, row, (archive, document), now)
                stated.append(state_publication(row, [one.kid for one in counting], now))
            done = ApprovalDone(document is not None, row.seq, len(counting), keys.threshold)
            made.append((done, document))
            return stated

        await self._ports.log.append(Job(work))
        return made[-1]

    def _add(
        self, conn: Connection, acting: Acting, row: ProposalRow, approval: ApprovalRow
    ) -> tuple[Role, list[ApprovalRow]]:
        """Write an approval that may be; return the role, and all that count with it."""
        store, roles = self._ports.store, self._ports.register.read_rows(conn)
        role = require_role(acting, roles, ("approver",))
        state = self._overview.derive_state(conn, row)
        if state == "stale":
            raise ProposalStaleError
        held = store.list_approvals(conn, row.id)
        require_may_approve(row, state, held, roles, staff=acting.staff, kid=approval.kid)
        store.add_approval(conn, approval)
        listed = self._ports.read_policy_keys().kids
        return role, list_counting(row, (*held, approval), roles, listed)

    def _publish(
        self, conn: Connection, row: ProposalRow, files: tuple[bytes, bytes], now: datetime
    ) -> None:
        """Keep archive and document as a publication; the draft is done."""
        store = self._ports.store
        publication = PublicationRow(row.seq, row.bundle_digest, row.revision, now, row.id)
        if not store.add_publication(conn, publication, *files):
            raise ProposalStaleError
        if row.words.draft_id is not None:
            store.drop_draft(conn, row.words.draft_id)

    async def _put(self, archive: bytes, document: bytes) -> None:
        refused = await self._ports.publish(archive, document)
        if refused is not None:
            raise ActivationRefusedError(
                "It was published, but could not be taken up, and the policy before it stays in "
                f"force: {refused}"
            )

    def read_to_sign(self, acting: Acting, proposal_id: str) -> ToSign:
        """Return a proposal that may be approved now, and the bundle that it would make.

        Waits for the database. Raises RoleMissingError, ProposalUnknownError, ProposalStaleError
        (with what changed), EffectiveDateError.
        """
        role = self._ports.register.require(acting, "approver")
        with self._ports.reading() as conn:
            row = self._overview.require_proposal(conn, proposal_id)
            state = self._overview.derive_state(conn, row)
            archive = self._ports.store.read_archive(conn, row.id)
            to_seq = row.words.to_seq
            kept = to_seq and self._ports.store.find_publication(conn, to_seq)
        if state == "stale":
            changes = self._overview.list_since(row, "en")
            told = " ".join(changes[:_MOST_TOLD])
            raise ProposalStaleError(
                f"Something else was published since this was proposed: {told} Its author can "
                "propose it anew."
            )
        if archive is None:
            raise ProposalUnknownError
        require_ahead(row.words.valid_from, self._ports.clock())
        return ToSign(row, role, archive, kept[1] if kept else None)

    def _find_newest(self) -> PublicationRow | None:
        with self._ports.reading() as conn:
            found = self._ports.store.list_publications(conn, 1)
        return found[0] if found else None

    def _read_publication(self, seq: int) -> tuple[bytes, bytes] | None:
        with self._ports.reading() as conn:
            return self._ports.store.find_publication(conn, seq)


def build_statement(row: ProposalRow) -> BundleStatement:
    """Return the statement over the bundle that a proposal would make."""
    return BundleStatement(
        v=1,
        type="policy_bundle",
        bundle_digest=row.bundle_digest,
        revision=row.revision,
        seq=row.seq,
    )


def _require_signed(given: ApprovalSignatures, row: ProposalRow, keys: PolicyKeys) -> str:
    try:
        return require_approval(given, build_approval(row), build_statement(row), keys.keys)
    except ProtocolError:
        raise ApprovalInvalidError from None


def _build_document(row: ProposalRow, counting: list[ApprovalRow], keys: PolicyKeys) -> bytes:
    """Return the bundle's statement under all signatures that count; raise where they do not."""
    signatures = tuple(SignedDocument.from_bytes(one.bundle).signatures[0] for one in counting)
    payload = build_statement_bytes(build_statement(row))
    document = SignedDocument(payload=payload, signatures=signatures)
    require_threshold(document, {key.kid: key for key in keys.keys}, keys.threshold)
    return document.to_bytes()
