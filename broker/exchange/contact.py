"""Contact requests: relayed, and revealing nothing to whoever asks.

Rules: towards the requester a request is only ever *sent*, and one that reaches nobody looks the
same and writes the same rows; the source answers by its own reference. Source: "Dat and wat",
second rung of the ladder; protocol.md section 10.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes, name_party
from broker.exchange.answers import build_silent_weighing, select_shown
from broker.exchange.inquire import find_pointers
from broker.exchange.question import Prepared, PreparedChunk, Weighed, write_nothing
from broker.involvement.contacts import ContactRequest, derive_contact_ends
from broker.involvement.special_situations import SpecialSituationRow
from broker.pseudonyms.reference_rows import Audience
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Contact
from datwat.protocol.answers import ActPart
from datwat.protocol.messages import ContactRequestObject


class RequestContact:
    """`request_contact`: a wish to be called by one source."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the requests to keep, relayed or not."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        message, call_back = desk.question.object, desk.statement.call_back
        assert isinstance(message, ContactRequestObject)  # noqa: S101 - chosen by type
        assert call_back is not None  # noqa: S101 - admission saw to it
        shown = select_shown(weighed.decision, find_pointers(desk, weighed))
        partner = desk.directory.partners.get(message.source)
        reachable = partner is not None and partner.gateway_url is not None
        asked = [held for held, _ in shown if held.source == message.source and reachable]
        relayed, keeps_own = bool(asked), any(held.confidential for held in asked)
        reference = None
        if weighed.decision.stated_permit:
            audience: Audience = "own" if keeps_own else weighed.decision.audience
            reference = self._keep(
                desk, weighed, message.source, call_back, writes, relayed=relayed, audience=audience
            )
        part = ActPart(
            type="act",
            weighing=build_silent_weighing(weighed.decision),
            handle=weighed.gathered.handle,
            contact_request=reference,
            state="sent" if reference else "refused",
        )
        return Prepared(
            weighed=weighed,
            part=part,
            detail=Detail(contact_state="relayed" if relayed else "not_relayed"),
            keeps_own=keeps_own,
        )

    def _keep(
        self,
        desk: Desk,
        weighed: Weighed,
        source: str,
        call_back: Contact,
        writes: list[Write],
        *,
        relayed: bool,
        audience: Audience,
    ) -> bytes:
        """Add the request and both parties' references; return the requester's."""
        references, now = desk.registers.references, desk.now
        due_at, until_at = derive_contact_ends(now)
        occasion = weighed.gathered.facts.occasion
        request = ContactRequest(
            id=draw_id(),
            requester=desk.partner,
            source=source,
            subject_id=weighed.subject_id,
            relayed=relayed,
            asked_at=now,
            due_at=due_at,
            until_at=until_at,
            call_back=call_back,
            occasion_id=occasion.id if occasion else None,
            audience=audience,
        )
        reference = references.draw()
        theirs = references.draw()

        def write(conn: Connection) -> None:
            desk.registers.contacts.add(conn, request)
            for party, given in ((desk.partner, reference), (source, theirs)):
                references.add_reference(
                    conn, party, "contact_request", request.id, given, until_at=until_at, now=now
                )

        writes.append(write)
        return reference


class AnswerContact:
    """`answer_contact`: the source has seen a request, or has called."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answer, and the step of the request."""
        (weighed,) = desk.people
        part = weighed.gathered.part
        request = self._find(desk, weighed)
        if not weighed.decision.permit or request is None or part.contact_state is None:
            return PreparedChunk([build_refused(weighed)], write_nothing)
        contacts, state, now = desk.registers.contacts, part.contact_state, desk.now
        prepared = Prepared(
            weighed=weighed,
            part=build_act(weighed, state),
            detail=Detail(
                contact_state=state, other_party=name_party(desk.directory, request.requester)
            ),
            keeps_own=request.audience == "own",
            delayed_by=_find_delaying(desk, request),
        )

        def write(conn: Connection) -> None:
            contacts.move(conn, request.id, state, now)

        return PreparedChunk([prepared], write)

    def _find(self, desk: Desk, weighed: Weighed) -> ContactRequest | None:
        registers, cited = desk.registers, weighed.gathered.part.contact_request
        target = (
            registers.references.find_target(
                desk.conn, desk.partner, "contact_request", cited, desk.now
            )
            if cited
            else None
        )
        found = registers.contacts.find(desk.conn, target.target, desk.now) if target else None
        own = (
            found is not None
            and found.source == desk.partner
            and found.subject_id == weighed.subject_id
        )
        return found if own else None


def _find_delaying(desk: Desk, request: ContactRequest) -> SpecialSituationRow | None:
    """Return the special situation that the request waits for, if it is not opened."""
    if request.occasion_id is None:
        return None
    held = desk.registers.special_situations.find_situation(desk.conn, request.occasion_id)
    return held if held is not None and held.opened_at is None else None
