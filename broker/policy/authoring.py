"""The acts of the life of a purpose: write, propose, take back, approve, withdraw, roll back.

Rules enforced: each act reads the register of roles anew, at its beginning and again in the
transaction that writes it; a draft is its author's; a proposal passed every check (form, guard
rails, cases under the candidate bundle, sign-off of what a replay found newly allowed) and rests on
the bundle in force; each act but the writing of drafts is a statement on the log, which names role,
organisation, keys and digests, and nobody. Pages and commands call exactly this.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from sqlalchemy import Connection

from broker.audit.records import Appendable, Job
from broker.policy.approving import Approving
from broker.policy.asked import DraftAsked, RollBackAsked, WithdrawalAsked
from broker.policy.authoring_ports import Ports, open_archive
from broker.policy.candidate import (
    By,
    Candidate,
    build_revision,
    build_roll_back,
    build_withdrawal,
)
from broker.policy.draft_reading import (
    Ground,
    find_id,
    read_draft,
    require_no_number,
    require_no_number_read,
)
from broker.policy.draft_rules import MOST_TOLD, derive_base, describe_outdated, require_room
from broker.policy.overview import Overview
from broker.policy.public_statements import state_proposal
from broker.policy.shown import ApprovalDone, DraftShown, ProposalShown
from broker.purposes.bundled_cases import read_cases
from broker.purposes.drafts import (
    DRAFT_TERM,
    ID_LENGTH,
    MOST_OWN_PROPOSALS,
    PROPOSAL_TERM,
    DraftRow,
    DraftWords,
    ProposalRow,
)
from broker.purposes.life_errors import (
    ChecksFailedError,
    DraftOutdatedError,
    DraftUnknownError,
    ProposalOverError,
    ProposalsFullError,
    ProposalStaleError,
    PublicationUnknownError,
    ReplayMissingError,
    SignOffMissingError,
)
from broker.purposes.models import derive_digest
from broker.purposes.roles import Acting, Role, RoleName, require_role
from datwat.protocol.bundle import BundleError
from datwat.protocol.purpose_approval import ApprovalSignatures


class Authoring(Overview):
    """What officers do with purposes; reads are those of `Overview`."""

    def __init__(self, ports: Ports) -> None:
        """Keep the ports; an approver's role does not end while approvals carry what is to come."""
        super().__init__(ports)
        self.approving = Approving(self)
        ports.register.watch_approvals(self.find_carried)

    async def save_draft(self, acting: Acting, asked: DraftAsked) -> DraftShown:
        """Keep a draft as it is, however unfinished; return it.

        Raises RoleMissingError, NumberFoundError, DraftUnknownError, DraftsFullError,
        OwnDraftsFullError, LogError.
        """
        role = await self._require(acting, "author")
        await asyncio.to_thread(require_no_number_read, asked.text, asked.cases)
        ground = await self.grounds.fetch()
        now = self.ports.clock()
        held = None
        if asked.draft_id is not None:
            held = await asyncio.to_thread(self._require_own, acting, asked.draft_id)
        words = DraftWords(
            author=acting.staff,
            organisation=held.words.organisation if held else role.organisation,
            purpose=find_id(asked.text),
            text=asked.text,
            cases=asked.cases,
            base_digest=derive_base(asked, held, ground),
        )
        draft_id = held.id if held else os.urandom(ID_LENGTH)
        row = DraftRow(draft_id, words, now, now + DRAFT_TERM)

        def work(conn: Connection) -> Sequence[Appendable]:
            self._require_still(conn, acting)
            if held is None:
                require_room(acting, self.ports.store.list_drafts(conn, now))
            self.ports.store.put_draft(conn, row)
            return []

        await self.ports.log.append(Job(work))
        return await asyncio.to_thread(self.show_draft, acting, row.id.hex())

    async def drop_draft(self, acting: Acting, draft_id: str) -> None:
        """Destroy one's own draft. Raises RoleMissingError, DraftUnknownError, LogError."""
        await self._require(acting, "author")
        row = await asyncio.to_thread(self._require_own, acting, draft_id)

        def work(conn: Connection) -> Sequence[Appendable]:
            self._require_still(conn, acting)
            self.ports.store.drop_draft(conn, row.id)
            return []

        await self.ports.log.append(Job(work))

    async def propose(self, acting: Acting, draft_id: str) -> ProposalShown:
        """Propose one's own draft, once every check passed.

        Raises what `read_draft` raises, RoleMissingError, DraftUnknownError, DraftOutdatedError
        (with what changed), ChecksFailedError, ReplayMissingError, SignOffMissingError,
        ProposalStaleError, ProposalsFullError, LogError. The last two: so does each proposal.
        """
        await self._require(acting, "author")
        row = await asyncio.to_thread(self._require_own, acting, draft_id)
        ground = await self.grounds.fetch()
        seq = await asyncio.to_thread(self._next_seq)
        candidate = await asyncio.to_thread(self._build_revision, row, ground, seq)
        digest = candidate.words.digest or ""
        state = await asyncio.to_thread(self.ports.read_sign_off, digest)
        if state == "none":
            raise ReplayMissingError
        if state == "newly_allowed":
            raise SignOffMissingError
        return await self._keep(acting, candidate, ground)

    async def propose_withdrawal(self, acting: Acting, asked: WithdrawalAsked) -> ProposalShown:
        """Propose that a purpose, or one revision of it, goes.

        Raises RoleMissingError, RevisionUnknownError, ChecksFailedError, ProposalStaleError,
        NumberFoundError, LogError.
        """
        by = await self._name(acting, asked.reason)
        ground = await self.grounds.fetch()
        seq = await asyncio.to_thread(self._next_seq)
        candidate = await asyncio.to_thread(
            build_withdrawal, ground, asked.purpose, asked.digest, by, seq
        )
        return await self._keep(acting, candidate, ground)

    async def propose_roll_back(self, acting: Acting, asked: RollBackAsked) -> ProposalShown:
        """Propose that the content of an earlier publication is in force again.

        Raises RoleMissingError, PublicationUnknownError, NothingChangedError, ChecksFailedError,
        ProposalStaleError, NumberFoundError, LogError.
        """
        by = await self._name(acting, asked.reason)
        ground = await self.grounds.fetch()
        seq = await asyncio.to_thread(self._next_seq)
        candidate = await asyncio.to_thread(self._build_roll_back, ground, asked, by, seq)
        return await self._keep(acting, candidate, ground)

    async def take_back(self, acting: Acting, proposal_id: str) -> None:
        """Take one's own proposal back.

        Raises RoleMissingError, ProposalOverError, ProposalUnknownError, LogError.
        """
        await self._require(acting, "author")
        now = self.ports.clock()

        def work(conn: Connection) -> Sequence[Appendable]:
            role = self._require_still(conn, acting)
            row = self.require_proposal(conn, proposal_id)
            if row.words.author != acting.staff:
                raise ProposalOverError("Only who proposed it can take it back.")
            state = self.derive_state(conn, row)
            if state == "published" or not self.ports.store.take_back(conn, row.id, now):
                raise ProposalOverError
            return [state_proposal("purpose_taken_back", row, role, now)]

        await self.ports.log.append(Job(work))

    async def approve(
        self, acting: Acting, proposal_id: str, signatures: ApprovalSignatures
    ) -> ApprovalDone:
        """Approve with signatures made elsewhere; see `Approving.approve`."""
        return await self.approving.approve(acting, proposal_id, signatures)

    async def approve_sealed(
        self, acting: Acting, proposal_id: str, passphrase: str
    ) -> ApprovalDone:
        """Approve with one's key that lies sealed here; see `Approving.approve_sealed`."""
        return await self.approving.approve_sealed(acting, proposal_id, passphrase)

    async def _require(self, acting: Acting, name: RoleName) -> Role:
        return await asyncio.to_thread(self.ports.register.require, acting, name)

    def _require_still(self, conn: Connection, acting: Acting) -> Role:
        """Return the author's role as the register has it in the transaction that writes."""
        return require_role(acting, self.ports.register.read_rows(conn), ("author",))

    async def _name(self, acting: Acting, reason: str) -> By:
        role = await self._require(acting, "author")
        require_no_number(reason)
        return By(acting.staff, role.organisation, reason)

    def _require_few(self, conn: Connection, acting: Acting, row: ProposalRow) -> None:
        """Raise ProposalsFullError where as many of this author wait on the same bundle.

        Those that rest on another bundle are stale: nobody can approve them any more.
        """
        found = self.ports.store.list_waiting(conn, row.base_bundle_digest)
        if sum(one.words.author == acting.staff for one in found) >= MOST_OWN_PROPOSALS:
            raise ProposalsFullError

    def _require_own(self, acting: Acting, draft_id: str) -> DraftRow:
        row = self.require_draft(draft_id)
        if row.words.author != acting.staff:
            raise DraftUnknownError("This draft is somebody else's: begin one of your own.")
        return row

    def _next_seq(self) -> int:
        with self.ports.reading() as conn:
            found = self.ports.store.list_publications(conn, 1)
        newest = found[0].seq if found else 0
        return max(newest, self.ports.read_bundle().seq) + 1

    def _build_revision(self, row: DraftRow, ground: Ground, seq: int) -> Candidate:
        read = read_draft(row.words.text, row.words.cases, ground, self.ports.clock())
        newest = ground.catalogue.find_newest(read.purpose.id)
        if (derive_digest(newest) if newest else None) != row.words.base_digest:
            raise DraftOutdatedError(describe_outdated(self.list_meanwhile(row, ground, "en")))
        own = read.cases
        if own is None:
            held = read_cases(ground.bundle.cases)
            own = tuple(one for one in held if one.purpose == read.purpose.id)
        if not {True, False} <= {one.expect.permit for one in own}:
            raise ChecksFailedError(
                "A purpose needs cases: write one at least that is permitted, and one that is "
                "refused.",
                place="cases",
            )
        return build_revision(ground, read, row, seq)

    def _build_roll_back(self, ground: Ground, asked: RollBackAsked, by: By, seq: int) -> Candidate:
        with self.ports.reading() as conn:
            found = self.ports.store.find_publication(conn, asked.seq)
        if found is None:
            raise PublicationUnknownError
        try:
            earlier = open_archive(found[0], asked.seq)
            return build_roll_back(ground, earlier, asked.seq, by, seq)
        except BundleError:
            raise PublicationUnknownError(
                "This publication is of a form that is not read any more."
            ) from None

    async def _keep(self, acting: Acting, candidate: Candidate, ground: Ground) -> ProposalShown:
        """Weigh the cases under the candidate, then keep it as a proposal and state it."""
        found = await self.ports.run_cases(candidate.archive, None, acting.staff)
        if found:
            told = "; ".join(f"{one.case} ({one.member})" for one in found[:MOST_TOLD])
            more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
            raise ChecksFailedError(f"These cases come out otherwise: {told}{more}.")
        now = self.ports.clock()
        statement = candidate.statement
        row = ProposalRow(
            id=os.urandom(ID_LENGTH),
            words=candidate.words,
            seq=statement.seq,
            revision=statement.revision,
            bundle_digest=statement.bundle_digest,
            base_bundle_digest=ground.bundle.digest,
            at=now,
            taken_back_at=None,
            until_at=now + PROPOSAL_TERM,
        )

        def work(conn: Connection) -> Sequence[Appendable]:
            role = self._require_still(conn, acting)
            if self.derive_state(conn, row) != "proposed":
                raise ProposalStaleError
            self._require_few(conn, acting, row)
            self.ports.store.add_proposal(conn, row, candidate.archive)
            return [state_proposal("purpose_proposed", row, role, now)]

        await self.ports.log.append(Job(work))
        return await asyncio.to_thread(self.show_proposal, acting, row.id.hex())
