"""Occasions and what is recorded on them, by the partner's own numbers.

Rule: an act that changes an occasion names every member by handle, so that each gets exactly one
entry (protocol.md section 5).
"""

from __future__ import annotations

from typing import Any

from connectors.client.desk import Desk, build_act_results
from connectors.client.outgoing import Draft
from connectors.client.requests import (
    Close,
    DeclareSpecialSituation,
    HandOver,
    Member,
    OpenOccasion,
    RecordConversation,
)
from connectors.client.results import ActResults
from connectors.errors import ReferenceTakenError
from datwat.party import clock
from datwat.protocol.acts import Statement
from datwat.protocol.answers import ActPart


class Occasions(Desk):
    """Opening, changing and closing occasions, and what is recorded about their members."""

    async def open_occasion(self, request: OpenOccasion) -> ActResults:
        """Open an occasion under the partner's own number; permitted for each member or for none.

        Raises ReferenceTakenError where the number is in use.
        """
        if self.store.find_occasion(request.occasion) is not None:
            raise ReferenceTakenError(place="$.occasion")
        numbers = [member.client for member in request.members]
        stated = [_build_member(member) for member in request.members]
        persons = await self.resolve(request.members, stated)
        statement = self.build_statement(request.professional, opens=request.opens)
        done = await self.carry_out(Draft("open_occasion", persons, statement), numbers)
        references = {
            person.part.occasion
            for person in done.answer.persons
            if isinstance(person.part, ActPart) and person.part.occasion is not None
        }
        if len(references) == 1:
            self.store.add_occasion(request.occasion, references.pop(), numbers, clock.now())
            self.own_occasions.keep(request.occasion, request.opens)
        return build_act_results(done, numbers)

    async def hand_over(self, request: HandOver) -> ActResults:
        """Give an occasion to other handlers."""
        statement = self.build_statement(
            request.professional, request.occasion, handlers=request.handlers
        )
        results = await self._change("hand_over", request.occasion, statement)
        if all(result.weighing.permitted for result in results.results):
            self.own_occasions.hand_over(request.occasion, request.handlers)
        return results

    async def close_occasion(self, request: Close) -> ActResults:
        """Close an occasion: the right to ask on it ends."""
        statement = self.build_statement(
            request.professional, request.occasion, closes=request.closes
        )
        results = await self._change("close_occasion", request.occasion, statement)
        if all(result.weighing.permitted for result in results.results):
            self.store.close_occasion(request.occasion, clock.now())
        return results

    async def declare_special_situation(self, request: DeclareSpecialSituation) -> ActResults:
        """Say that the members of an occasion are told later."""
        statement = self.build_statement(
            request.professional, request.occasion, special_situation=request.special_situation
        )
        return await self._change("declare_special_situation", request.occasion, statement)

    async def record_conversation(self, request: RecordConversation) -> ActResults:
        """Record conversations with members of an occasion."""
        statement = self.build_statement(request.professional, request.occasion)
        numbers = [row.client for row in request.rows]
        members = [{"conversation": row.conversation} for row in request.rows]
        return await self.about("record_conversation", numbers, members, statement)

    async def _change(self, act: str, occasion: str, statement: Statement) -> ActResults:
        members = self.require_occasion(occasion).members
        return await self.about(act, members, [{}] * len(members), statement)


def _build_member(member: Member) -> dict[str, Any]:
    return {
        "role": member.role,
        "source": member.source,
        "told_at": member.told_at,
        "may_look_up": member.may_look_up,
        "identity": member.identity,
        "age_band": member.age_band,
        "conversation": member.conversation,
    }
