"""Reading what is in force, to come, and was published: list, calendar, history.

Rules: nothing here writes; nobody is named; every state is derived at the moment of reading. All
functions wait for the database: call them in a thread.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.policy.authoring_ports import Grounds, Ports, open_archive
from broker.policy.lines import (
    build_history_line,
    build_purpose_line,
    derive_state_of,
    is_published,
    list_moments,
    pick,
)
from broker.policy.shown import CalendarLine, HistoryLine, PurposeLine
from broker.purposes.catalogue import Catalogue
from broker.purposes.drafts import MOST_LISTED, ProposalRow, PublicationRow
from broker.purposes.life import ProposalState, derive_proposal_state
from broker.purposes.models import Purpose
from broker.purposes.naming import choose
from broker.purposes.roles import Carried
from datwat.protocol.bundle import BundleError
from datwat.protocol.catalogue import Language

_MOST_SEARCHED = 20


class Published:
    """What is in force, to come and published."""

    def __init__(self, ports: Ports) -> None:
        """Keep the ports, and what the bundle in force says once it was read."""
        self.ports = ports
        self.grounds = Grounds(ports.read_bundle)

    def list_purposes(self, language: Language) -> list[PurposeLine]:
        """Return every purpose of the bundle in force."""
        now = self.ports.clock()
        catalogue = self.grounds.read().catalogue
        return [build_purpose_line(found, now, language) for found in catalogue.purposes.values()]

    def calendar(self, language: Language = "nl") -> list[CalendarLine]:
        """Return what begins and ends from now on, published and proposed, the first first."""
        now, catalogue = self.ports.clock(), self.grounds.read().catalogue
        found: list[CalendarLine] = []
        for revisions in catalogue.purposes.values():
            for one in revisions:
                found.extend(list_moments(one, now, language))
        with self.ports.reading() as conn:
            for row in self.ports.store.list_proposals(conn, MOST_LISTED):
                words = row.words
                if words.valid_from and self.derive_state(conn, row) == "proposed":
                    name = words.purpose or ""
                    newest = catalogue.find_newest(name)
                    title = name if newest is None else choose(newest.title, language)
                    digest, at = words.digest or "", words.valid_from
                    place = row.id.hex()
                    line = CalendarLine(at, "begins", name, title, digest, True, place)  # noqa: FBT003 - a dataclass
                    found.append(line)
        return sorted(found, key=lambda one: (one.at, one.purpose))

    def history(
        self, purpose_id: str | None = None, language: Language = "nl"
    ) -> list[HistoryLine]:
        """Return what was published, newest first; of one purpose where it is named."""
        catalogue = self.grounds.read().catalogue
        with self.ports.reading() as conn:
            found = self.ports.store.list_publications(conn, MOST_LISTED)
            lines = [self._build_history(conn, one, catalogue, language) for one in found]
        return [one for one in lines if purpose_id is None or one.purpose == purpose_id]

    def find_carried(self, conn: Connection) -> tuple[Carried, ...]:
        """Return the revisions that approvals carry and that are not yet in force."""
        now, data = self.ports.clock(), self.ports.read_bundle().catalogue
        carried = []
        for one in self.ports.store.list_publications(conn, MOST_LISTED):
            row = None
            if one.proposal_id is not None:
                row = self.ports.store.find_proposal(conn, one.proposal_id)
            if row is None or row.words.valid_from is None or row.words.valid_from <= now:
                continue
            if is_published(data, row):
                approvals = self.ports.store.list_approvals(conn, row.id)
                kids = frozenset(approval.kid for approval in approvals)
                words = row.words
                carried.append(
                    Carried(words.purpose or "", words.digest or "", row.words.valid_from, kids)
                )
        return tuple(carried)

    def derive_state(self, conn: Connection, row: ProposalRow) -> ProposalState:
        """Return the state of a proposal now."""
        store = self.ports.store
        newest = store.list_publications(conn, 1)
        return derive_proposal_state(
            row,
            store.find_published(conn, row.id),
            bundle_in_force=self.ports.read_bundle().digest,
            newest_seq=newest[0].seq if newest else 0,
        )

    def _build_history(
        self, conn: Connection, one: PublicationRow, catalogue: Catalogue, language: Language
    ) -> HistoryLine:
        store = self.ports.store
        row = None if one.proposal_id is None else store.find_proposal(conn, one.proposal_id)
        return build_history_line(
            one,
            row,
            () if row is None else store.list_approvals(conn, row.id),
            state=None if row is None else derive_state_of(row, catalogue, self.ports.clock()),
            is_in_force=one.seq == self.ports.read_bundle().seq,
            language=language,
        )

    def find_revision(
        self, purpose_id: str, digest: str | None, catalogue: Catalogue
    ) -> Purpose | None:
        """Return a revision by its digest: of the bundle in force, or of the last before it."""
        if digest is None:
            return None
        found = pick(catalogue.purposes.get(purpose_id, ()), digest)
        if found is not None:
            return found
        with self.ports.reading() as conn:
            for one in self.ports.store.list_publications(conn, _MOST_SEARCHED):
                earlier = self.find_catalogue(conn, one.bundle_digest)
                revisions = () if earlier is None else earlier.purposes.get(purpose_id, ())
                found = pick(revisions, digest)
                if found is not None:
                    return found
        return None

    def find_catalogue(self, conn: Connection, bundle_digest: str) -> Catalogue | None:
        """Return what a published bundle said, if it lies here and can still be read."""
        for one in self.ports.store.list_publications(conn, MOST_LISTED):
            if one.bundle_digest == bundle_digest:
                kept = self.ports.store.find_publication(conn, one.seq)
                try:
                    return kept and Catalogue.from_bundle(open_archive(kept[0], one.seq))
                except BundleError:
                    return None
        return None
