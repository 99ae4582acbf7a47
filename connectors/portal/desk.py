"""What the portal does at the broker for somebody who is logged in: open, read, wish, end.

Rules: the BSN goes into one blind look-up of class `self` and nowhere else; a handle is good for
one session; nothing of an answer is used before all of it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from connectors.client.exchange import Exchange, LogMemory
from connectors.client.outgoing import Draft, Person, Sent
from connectors.client.verification import MAX_ANSWER_BYTES, VerifiedAnswer, read_model
from connectors.errors import AnswerFormError
from connectors.policy import PolicyKeeper
from connectors.portal.errors import OrganisationUnknownError, OwnLogError
from connectors.portal.login import Identity
from connectors.portal.own_log import verify_own_log
from connectors.portal.own_proof import MAX_PROOF_BYTES, Asked, verify_own_proof
from connectors.portal.pace import Pace
from datwat.party import clock
from datwat.party.http_out import PeerRefusedError
from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import DeskVisit, Page, ProofRequest, Wish
from datwat.protocol.bundle import Bundle
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.completeness_checks import LogTrust, Verdict
from datwat.protocol.errors import ProtocolError
from datwat.protocol.own_affairs import KnownOrganisation, OwnInvolvements, OwnWishes
from datwat.protocol.texts import Texts
from datwat.protocol.trust import TrustList
from datwat.web.problems import LoginRefusedError, SessionMissingError

OwnT = TypeVar("OwnT", OwnInvolvements, OwnWishes)
# Somebody waits in front of a screen.
PATIENCE: Final = timedelta(seconds=8)
# The provider established who it is, at the level that the settings ask.
_IDENTITY: Final[Mapping[str, Any]] = {"identity": "document"}


@dataclass(frozen=True, slots=True)
class Handles:
    """What the broker calls two persons in this session; the second where one is represented."""

    own: bytes = field(repr=False)
    represented: bytes | None = field(repr=False)


class ResidentDesk:
    """The portal's side of its acts in protocol.md section 5."""

    def __init__(self, exchange: Exchange, memory: LogMemory, policy: PolicyKeeper) -> None:
        """Keep the exchange, what the log stated to this portal, and the signed texts."""
        self._exchange = exchange
        self._memory = memory
        self._policy = policy
        self._pace = Pace()
        self._texts: tuple[Bundle, Texts] | None = None

    async def open_session(self, identity: Identity) -> Handles:
        """Return the handles for who logged in; raise LoginRefusedError where there is none.

        A represented person has a handle whatever the broker decided: where it refused, the handle
        leads to an empty log, as that of somebody unknown does. None where nobody is represented.
        """
        bsns = [bsn for bsn in (identity.bsn, identity.represented) if bsn is not None]
        persons = [Person(bsn=bsn, members=_IDENTITY) for bsn in bsns]
        answer = await self._exchange.act(Draft("open_session", persons))
        handles = [
            person.part.handle if person.part.weighing.permitted else None
            for person in answer.persons
        ]
        if handles[0] is None:
            raise LoginRefusedError
        return Handles(handles[0], handles[1] if len(handles) > 1 else None)

    async def end_session(self, handles: Handles) -> None:
        """End both handles at the broker; raise PeerError."""
        held = [handle for handle in (handles.own, handles.represented) if handle is not None]
        persons = [Person(handle=handle) for handle in held]
        await self._exchange.act(Draft("end_session", persons))

    async def fetch_access_log(self, handle: bytes, page: Page) -> AccessLog:
        """Return a page of somebody's own log: every proof in it checked, its sentences our own.

        Raises SessionMissingError where the broker ended the session, TooFastError, OwnLogError,
        PeerError.
        """
        await self._pace.take(handle)
        sent = await self._exchange.prepare(_draft("access_log", handle, {"page": page}))
        try:
            raw = await self._exchange.deliver(sent)
        except PeerRefusedError as error:
            raise _end_or(error) from None
        log, bundle = self._exchange.directory.trust.log, await self.require_bundle()
        texts = self._read_texts(bundle)
        found, checkpoint = verify_own_log(raw, sent.rid, log, texts, bundle.view)
        self._memory.accept(checkpoint)
        return found

    def _read_texts(self, bundle: Bundle) -> Texts:
        """Return the texts of a bundle, made once: what is rendered from them is kept with them."""
        if self._texts is None or self._texts[0] is not bundle:
            self._texts = (bundle, Texts(bundle.texts))
        return self._texts[1]

    @property
    def trust(self) -> TrustList:
        """The trust list in force: whose keys a resident's own check goes by."""
        return self._exchange.directory.trust

    async def fetch_proof(self, handle: bytes, asked: Asked) -> CompletenessBundle:
        """Return the bundle of `fetch_checked_proof`."""
        bundle, _ = await self.fetch_checked_proof(handle, asked)
        return bundle

    async def fetch_checked_proof(
        self, handle: bytes, asked: Asked
    ) -> tuple[CompletenessBundle, Verdict]:
        """Return a bundle that nothing is withheld from, as far as it goes, and what it proves.

        Raises SessionMissingError where the broker ended the session, CompletenessError, NoteError,
        TagTwiceError, PeerError.
        """
        await self._pace.take(handle)
        members = {"proof": ProofRequest(quarters=asked.quarters)}
        sent = await self._exchange.prepare(_draft("access_log_proof", handle, members))
        try:
            raw = await self._exchange.deliver(sent, max_bytes=MAX_PROOF_BYTES)
        except PeerRefusedError as error:
            raise _end_or(error) from None
        trust = LogTrust.from_list(self._exchange.directory.trust)
        bundle, verdict = await asyncio.to_thread(
            verify_own_proof, raw, sent.rid, asked, trust, clock.now()
        )
        self._memory.accept(Checkpoint(origin=verdict.origin, size=verdict.size, root=verdict.root))
        return bundle, verdict

    async def require_bundle(self) -> Bundle:
        """Return the signed bundle in force here; raise PeerError or OwnLogError where none is."""
        try:
            return await self._policy.require_bundle()
        except ProtocolError:  # what the broker offers is not what the policy keys signed
            raise OwnLogError from None

    async def fetch_involvements(self, handle: bytes) -> OwnInvolvements:
        """Return who is involved with somebody now, and who was; see `OwnInvolvements`.

        It is the broker's word: what proves it are the entries whose numbers it names.
        Raises SessionMissingError where the broker ended the session, AnswerFormError, PeerError.
        """
        return await self._read_own("own_involvements", handle, OwnInvolvements)

    async def fetch_wishes(self, handle: bytes) -> OwnWishes:
        """Return the consents, objections, questions, blocks and shield of somebody.

        Raises SessionMissingError where the broker ended the session, AnswerFormError, PeerError.
        """
        return await self._read_own("own_wishes", handle, OwnWishes)

    def list_organisations(self) -> tuple[KnownOrganisation, ...]:
        """Return every partner of the trust list in force but portals, by name."""
        partners = self._exchange.directory.partners.values()
        found = [
            KnownOrganisation(id=one.id, name=one.name, domain=one.domain, contact=one.contact)
            for one in partners
            if not any("self" in right.uses for right in one.bsn_rights)
        ]
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.id)))

    async def _read_own(self, act: str, handle: bytes, kind: type[OwnT]) -> OwnT:
        await self._pace.take(handle)
        sent = await self._exchange.prepare(_draft(act, handle, {}))
        try:
            raw = await self._exchange.deliver(sent)
        except PeerRefusedError as error:
            raise _end_or(error) from None
        found = read_model(kind, raw, max_bytes=MAX_ANSWER_BYTES)
        if found.rid != sent.rid:
            raise AnswerFormError
        return found

    async def record_wish(self, handle: bytes, wish: Wish) -> VerifiedAnswer:
        """Record what somebody wishes and return the proved answer; see `Wish`.

        Raises what `prepare_wish` and `deliver_wish` raise.
        """
        return await self.deliver_wish(await self.prepare_wish(handle, wish))

    async def prepare_wish(self, handle: bytes, wish: Wish, visit: DeskVisit | None = None) -> Sent:
        """Return the signed message of a wish; nothing of it has left the portal.

        `visit` is set where the person is at a counter, and not logged in.

        Raises NumberInTextError, OrganisationUnknownError, TooFastError, TrustListExpiredError.
        """
        named = {wish.blocks, wish.asks.to if wish.asks else None} - {None}
        if not named <= {one.id for one in self.list_organisations()}:
            raise OrganisationUnknownError
        await self._pace.take(handle)
        members = {"wish": wish, **({"desk": visit} if visit else {})}
        return await self._exchange.prepare(_draft("wish", handle, members))

    async def deliver_wish(self, sent: Sent) -> VerifiedAnswer:
        """Send a wish and return the proved answer; sent again within ten minutes, it is done once.

        Raises SessionMissingError where the broker ended the session, AnswerRefusedError,
        PeerError; PeerRefusedError alone tells that nothing was written down.
        """
        try:
            raw = await self._exchange.deliver(sent)
        except PeerRefusedError as error:
            raise _end_or(error) from None
        return await self._exchange.verify(raw, sent)


def _draft(act: str, handle: bytes, members: Mapping[str, Any]) -> Draft:
    return Draft(act, [Person(handle=handle, members=members)])


def _end_or(error: PeerRefusedError) -> PeerRefusedError | SessionMissingError:
    return SessionMissingError() if error.peer_code == "handle_unknown" else error
