"""Asking: introductions, who is involved, what is known, and a wish to be called.

Rules: a purpose goes out with the digest of the signed bundle; the reply key of a release is made
for it, lives in memory and dies with the answer; a stranger's record is discarded, never shown.
"""

from __future__ import annotations

from connectors.client.desk import Desk, Done, build_act_results
from connectors.client.opening import OpenedRelease, open_release
from connectors.client.outgoing import Draft
from connectors.client.requests import Ask, AskKnown, Introduce, RequestContact
from connectors.client.results import (
    ActResults,
    InquiryResult,
    InquiryResults,
    ReleaseResult,
    ShownPointer,
)
from connectors.client.store import Pointer
from connectors.client.verification import VerifiedPerson
from connectors.errors import PartnerUnknownError, ReferenceUnknownError
from datwat.party import clock
from datwat.party.telemetry import get_logger
from datwat.protocol.answers import ActPart, InquiryPart, ReleasePart
from datwat.protocol.blinding import normalise_bsn
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.messages import FailureCode
from datwat.protocol.values import encode_bytes

_log = get_logger("questions")


class Questions(Desk):
    """Everything by which a partner learns something, or lets another partner act."""

    async def introduce(self, request: Introduce) -> ActResults:
        """Introduce clients to one other partner; each result has a one-time code for it."""
        numbers = [ref.client for ref in request.clients]
        persons = await self.resolve(request.clients, [{"role": request.role}] * len(numbers))
        statement = self.build_statement(request.professional, request.occasion)
        draft = Draft("introduce", persons, statement, {"to": request.to})
        return build_act_results(await self.carry_out(draft, numbers), numbers)

    async def ask_who_is_involved(self, request: Ask) -> InquiryResults:
        """Ask who is involved with each client, up to a rung, for one purpose.

        Raises PurposeUnknownError, ReferenceUnknownError, IdentityMissingError: nothing was sent.
        """
        purpose = await self.policy.require_purpose(request.purpose)
        numbers = [ref.client for ref in request.clients]
        stated = [{"identity": ref.identity} for ref in request.clients]
        persons = await self.resolve(request.clients, stated)
        statement = self.build_statement(
            request.professional, request.occasion, motivation=request.motivation
        )
        extra = {"purpose": purpose.model_dump(mode="json"), "rung": request.rung}
        done = await self.carry_out(Draft("inquire", persons, statement, extra), numbers)
        results = tuple(
            self._show(done, number, person)
            for number, person in zip(numbers, done.answer.persons, strict=True)
        )
        return InquiryResults(rid=done.sent.rid, results=results)

    async def ask_what_is_known(self, request: AskKnown) -> ReleaseResult:
        """Ask one source for fields about one client, and open what it releases.

        Raises PurposeUnknownError, PartnerUnknownError, ReferenceUnknownError: nothing was sent.
        """
        purpose = await self.policy.require_purpose(request.purpose)
        pointer = self._find_pointer(request)
        source = request.source or (pointer.source if pointer else None)
        if source is None:
            raise ReferenceUnknownError(place="$.source")
        self._require_partner(source)
        members = {"involvement": pointer.reference} if pointer else {}
        persons = await self.resolve([request.client], [members])
        statement = self.build_statement(
            request.professional,
            request.occasion,
            motivation=request.motivation,
            internal_reason=request.internal_reason,
        )
        reply_key = ExchangeKey.generate()
        extra = {
            "purpose": purpose.model_dump(mode="json"),
            "source": source,
            "product": request.product,
            "fields": list(request.fields),
            "reply_key": encode_bytes(reply_key.public.raw),
        }
        number = request.client.client
        bsn = await self._find_bsn(request, source)
        draft = Draft("release", persons, statement, extra, reply_key)
        return self._open(await self.carry_out(draft, [number]), number, source, bsn)

    async def request_contact(self, request: RequestContact) -> ActResults:
        """Ask to be called by one source; the answer says *sent* and nothing else."""
        purpose = await self.policy.require_purpose(request.purpose)
        self._require_partner(request.source)
        persons = await self.resolve([request.client], [{}])
        statement = self.build_statement(
            request.professional,
            request.occasion,
            call_back=request.call_back,
            motivation=request.motivation,
        )
        extra = {"purpose": purpose.model_dump(mode="json"), "source": request.source}
        numbers = [request.client.client]
        done = await self.carry_out(Draft("request_contact", persons, statement, extra), numbers)
        part = done.answer.persons[0].part
        if isinstance(part, ActPart) and part.contact_request is not None:
            self.store.keep_contact_request(
                part.contact_request, numbers[0], request.source, clock.now()
            )
        return build_act_results(done, numbers)

    def _require_partner(self, partner_id: str) -> None:
        if partner_id not in self.exchange.directory.partners:
            raise PartnerUnknownError(place="$.source")

    def _find_pointer(self, request: AskKnown) -> Pointer | None:
        """Return the pointer asked about; it must have been shown about this very client."""
        if request.pointer is None:
            return None
        pointer = self.store.find_pointer(request.pointer)
        if pointer is None or pointer.client != request.client.client:
            raise ReferenceUnknownError(place="$.pointer")
        return pointer

    def _show(self, done: Done, number: str, person: VerifiedPerson) -> InquiryResult:
        part = person.part
        assert isinstance(part, InquiryPart)  # noqa: S101 - the verification reads it as such
        shown = [(pointer.involvement, pointer.source) for pointer in part.pointers]
        numbers = self.store.keep_pointers(number, shown, clock.now())
        return InquiryResult(
            client=number,
            weighing=part.weighing,
            entry=done.find_entry(person),
            scope=part.scope,
            pointers=tuple(
                ShownPointer(
                    pointer=numbers[pointer.involvement],
                    **pointer.model_dump(exclude={"involvement", "contact"}),
                    contact=pointer.contact,
                )
                for pointer in part.pointers
            ),
        )

    async def _find_bsn(self, request: AskKnown, source: str) -> str | None:
        """Return the BSN to compare, where both sides may use one and it is at hand."""
        partners = self.exchange.directory.partners
        sides = (partners.get(self.exchange.party_id), partners.get(source))
        if any(side is None or not side.may_use_bsn for side in sides):
            return None
        if request.client.record is not None:
            return normalise_bsn(request.client.record.bsn)
        own = await self.find_own_record(request.client.client)
        return normalise_bsn(own.bsn) if own is not None and own.bsn is not None else None

    def _open(self, done: Done, number: str, source: str, bsn: str | None) -> ReleaseResult:
        person = done.answer.persons[0]
        part = person.part
        assert isinstance(part, ReleasePart)  # noqa: S101 - the verification reads it as such
        opened, failure = None, part.failure
        if done.answer.envelope is not None:
            opened, failure = self._open_envelope(done, source, bsn)
        return ReleaseResult(
            client=number,
            weighing=part.weighing,
            entry=done.find_entry(person),
            rid=done.sent.rid,
            fields=part.fields,
            withheld=part.withheld,
            legal_basis=part.legal_basis,
            values=dict(opened.values) if opened is not None else None,
            failure=failure,
            identity_checked=opened is not None and opened.is_person is not None,
        )

    def _open_envelope(
        self, done: Done, source: str, bsn: str | None
    ) -> tuple[OpenedRelease | None, FailureCode | None]:
        """Return what was released, or why nothing of it may be shown."""
        assert done.sent.reply_key is not None  # noqa: S101 - every release is drafted with one
        try:
            opened = open_release(
                done.answer,
                done.sent,
                source=source,
                recipient=done.sent.reply_key,
                directory=self.exchange.directory,
                now=clock.now(),
                bsn=bsn,
            )
        except DatwatError as error:
            _log.warning("envelope_refused", code=error.code)
            return None, "source_answer_invalid"
        if opened.is_person is False:
            return None, "source_other_person"
        return opened, None
