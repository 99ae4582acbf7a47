"""Reading what is being written and proposed: a preview, drafts, proposals.

Rules: nothing here writes; nobody is named; every state is derived at the moment of reading. All
functions wait for the database: call them in a thread.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.policy.candidate import list_bundle_changes, list_case_changes, list_changes
from broker.policy.draft_reading import DraftRead, Ground, read_draft
from broker.policy.lines import build_draft_line, may_approve
from broker.policy.published import Published
from broker.policy.shown import (
    ApprovalShown,
    DraftLine,
    DraftShown,
    Preview,
    ProposalLine,
    ProposalShown,
    Warned,
)
from broker.purposes.bundled_cases import read_bases, read_cases
from broker.purposes.case_texts import write_case_text
from broker.purposes.drafts import MOST_LISTED, DraftRow, ProposalRow
from broker.purposes.life import list_counting
from broker.purposes.life_errors import (
    DraftInvalidError,
    DraftUnknownError,
    ProposalUnknownError,
    RevisionUnknownError,
)
from broker.purposes.models import derive_digest
from broker.purposes.plain import find_unplain_purpose
from broker.purposes.roles import Acting
from broker.purposes.sentences import describe_purpose
from datwat.party.errors import PartyError
from datwat.party.strict_yaml import write_yaml
from datwat.protocol.catalogue import Language


class Overview(Published):
    """What is in force, to come, being written, proposed and published."""

    def preview(self, text: str, cases: str, language: Language) -> Preview:
        """Return what a draft would be, or what is wrong with it; nothing is kept."""
        ground = self.grounds.read()
        try:
            read = read_draft(text, cases, ground, self.ports.clock())
        except DraftInvalidError as error:
            return Preview(None, None, faults=error.faults)
        except PartyError as error:
            fault = DraftInvalidError(error.detail, place=error.place).faults[0]
            return Preview(None, None, faults=(fault,))
        purpose, catalogue = read.purpose, read.catalogue
        base = ground.catalogue.find_newest(purpose.id)
        return Preview(
            purpose=purpose.id,
            digest=derive_digest(purpose),
            sentences=tuple(describe_purpose(purpose, catalogue, ground.texts, language)),
            changes=(
                *list_changes(base, purpose, catalogue, ground, language),
                *self._list_case_changes(read, ground, language),
            ),
            warnings=tuple(
                Warned(one.place, one.remark.render(language))
                for one in find_unplain_purpose(purpose)
            ),
        )

    def _list_case_changes(
        self, read: DraftRead, ground: Ground, language: Language
    ) -> tuple[str, ...]:
        """Return what a draft does to the cases in force: nothing where it says none."""
        if read.cases is None:
            return ()
        return list_case_changes(read.purpose, read.cases, read.catalogue, ground, language)

    def begin_draft(self, purpose_id: str) -> tuple[str, str, str]:
        """Return YAML of the newest revision of a purpose, of its cases, and its digest.

        Raises RevisionUnknownError.
        """
        ground = self.grounds.read()
        newest = ground.catalogue.find_newest(purpose_id)
        if newest is None:
            raise RevisionUnknownError
        own = [one for one in read_cases(ground.bundle.cases) if one.purpose == purpose_id]
        members = newest.model_dump(mode="json", exclude_defaults=True)
        cases = write_case_text(own, read_bases(ground.bundle.cases))
        return write_yaml(members), cases, derive_digest(newest)

    def list_drafts(self, acting: Acting) -> list[DraftLine]:
        """Return the drafts that are being written, the last changed first."""
        catalogue, now = self.grounds.read().catalogue, self.ports.clock()
        with self.ports.reading() as conn:
            found = self.ports.store.list_drafts(conn, now)
        return [build_draft_line(one, acting, catalogue) for one in found]

    def show_draft(self, acting: Acting, draft_id: str, language: Language = "nl") -> DraftShown:
        """Return a draft; raise DraftUnknownError."""
        ground, row = self.grounds.read(), self.require_draft(draft_id)
        line = build_draft_line(row, acting, ground.catalogue)
        changes = self.list_meanwhile(row, ground, language) if line.is_outdated else ()
        words = row.words
        return DraftShown(line, words.text, words.cases, words.base_digest, changes)

    def require_draft(self, draft_id: str) -> DraftRow:
        """Return a draft that is not over; raise DraftUnknownError."""
        with self.ports.reading() as conn:
            row = self.ports.store.find_draft(conn, read_id(draft_id), self.ports.clock())
        if row is None:
            raise DraftUnknownError
        return row

    def list_meanwhile(self, row: DraftRow, ground: Ground, language: Language) -> tuple[str, ...]:
        """Return in words what others changed of its purpose since a draft was begun."""
        if row.words.purpose is None:
            return ()
        base = self.find_revision(row.words.purpose, row.words.base_digest, ground.catalogue)
        newest = ground.catalogue.find_newest(row.words.purpose)
        return list_changes(base, newest, ground.catalogue, ground, language)

    def list_proposals(self) -> list[ProposalLine]:
        """Return the newest proposals, newest first."""
        with self.ports.reading() as conn:
            rows = self.ports.store.list_proposals(conn, MOST_LISTED)
            return [self._build_proposal_line(conn, row) for row in rows]

    def show_proposal(
        self, acting: Acting, proposal_id: str, language: Language = "nl"
    ) -> ProposalShown:
        """Return a proposal as this person may read and decide it; raise ProposalUnknownError."""
        with self.ports.reading() as conn:
            row = self.require_proposal(conn, proposal_id)
            line = self._build_proposal_line(conn, row)
            approvals = self.ports.store.list_approvals(conn, row.id)
            roles = self.ports.register.read_rows(conn)
        listed = self.ports.read_policy_keys().kids
        counting = {one.kid for one in list_counting(row, approvals, roles, listed)}
        kid = self.ports.register.find_kid(acting.staff)
        stale = self.list_since(row, language) if line.state == "stale" else ()
        words = row.words
        return ProposalShown(
            line=line,
            text=words.text_nl if language == "nl" else words.text_en,
            changes=words.changes_nl if language == "nl" else words.changes_en,
            reason=words.reason,
            base_digest=words.base_digest,
            bundle_digest=row.bundle_digest,
            approvals=tuple(
                ApprovalShown(one.kid, one.approver.organisation, one.at, one.kid in counting)
                for one in approvals
            ),
            stale_changes=stale,
            is_mine=words.author == acting.staff,
            may_approve=line.state == "proposed"
            and may_approve(row, approvals, roles, acting, kid),
            has_sealed_key=kid is not None and kid in self.ports.sealed_keys.list_kids(),
            draft_id=None if words.draft_id is None else words.draft_id.hex(),
        )

    def require_proposal(self, conn: Connection, proposal_id: str) -> ProposalRow:
        """Return a proposal; raise ProposalUnknownError."""
        row = self.ports.store.find_proposal(conn, read_id(proposal_id))
        if row is None:
            raise ProposalUnknownError
        return row

    def list_since(self, row: ProposalRow, language: Language) -> tuple[str, ...]:
        """Return in words what was published since a proposal was made."""
        ground = self.grounds.read()
        with self.ports.reading() as conn:
            before = self.find_catalogue(conn, row.base_bundle_digest)
        if before is None:
            return ()
        return list_bundle_changes(before, ground.catalogue, ground, language)

    def _build_proposal_line(self, conn: Connection, row: ProposalRow) -> ProposalLine:
        store = self.ports.store
        approvals = store.list_approvals(conn, row.id)
        keys, roles = self.ports.read_policy_keys(), self.ports.register.read_rows(conn)
        counting = list_counting(row, approvals, roles, keys.kids)
        state = self.derive_state(conn, row)
        words = row.words
        return ProposalLine(
            id=row.id.hex(),
            effect=words.effect,
            purpose=words.purpose,
            digest=words.digest,
            valid_from=words.valid_from,
            seq=row.seq,
            state=state,
            at=row.at,
            organisation=words.organisation,
            approvals=len(approvals) if state == "published" else len(counting),
            needed=keys.threshold,
        )


def read_id(text: str) -> bytes:
    """Return an id of its hex; anything else is an id that nothing has."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
