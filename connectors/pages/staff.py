"""Who is there: a member of the partner's own staff, from the claims of the staff's own provider.

Rules: a login without a function at this partner lets nobody in; the id has the one spelling in
which it goes out (`staff.py` of the client). What a session holds ends with it: nothing of it is
written anywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from connectors.client.pending import Attempts
from connectors.pages.drafts import Drafts
from connectors.pages.question import Question
from connectors.settings import ConnectorSettings
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Professional
from datwat.web.login import Entrance
from datwat.web.problems import LoginRefusedError
from datwat.web.sessions import make_room
from datwat.web.staff_login import read_staff_id

_MOST_QUESTIONS = 20
_numbers = itertools.count(1)


@dataclass
class Staff:
    """Who is logged in and what they ask in this session, by numbers of this process.

    No number comes twice: what somebody typed at an address in one session never waits for them at
    a question about somebody else in another. `kept` is what other screens keep for as long as the
    session lasts, by their name; `attempts` are its forms that were sent without an answer.
    """

    professional: Professional = field(repr=False)
    questions: dict[int, Question] = field(default_factory=dict, repr=False)
    kept: dict[str, object] = field(default_factory=dict, repr=False)
    attempts: Attempts = field(default_factory=Attempts, repr=False)

    def begin(self, purpose: str) -> Question:
        """Return a new question; the oldest goes where there are too many."""
        make_room(self.questions, _MOST_QUESTIONS)
        question = Question(number=next(_numbers), purpose=purpose)
        self.questions[question.number] = question
        return question

    def require(self, number: int) -> Question:
        """Return a question of this session; raise NotFoundError, also for another's."""
        question = self.questions.get(number)
        if question is None:
            raise NotFoundError
        return question

    def forget(self) -> None:
        """Let go of everything that was asked and answered."""
        self.questions.clear()
        self.kept.clear()
        self.attempts.clear()


def read_professional(claims: Mapping[str, Any], settings: ConnectorSettings) -> Professional:
    """Return who acts, from verified claims; raise LoginRefusedError. Pure."""
    spelled, role = read_staff_id(claims, settings), claims.get(settings.staff_role_claim)
    if not isinstance(role, str) or not role.strip():
        raise LoginRefusedError
    try:
        return Professional(id=spelled, role=role.strip())
    except ValidationError:
        raise LoginRefusedError from None


def build_entrance(settings: ConnectorSettings, drafts: Drafts) -> Entrance[Staff]:
    """Return what the connector does with a login that holds, and at the end of a session."""

    async def enter(claims: Mapping[str, Any], now: datetime) -> tuple[Staff, str]:
        professional = read_professional(claims, settings)
        return Staff(professional, drafts.enter(professional.id, now)), professional.id

    async def leave(staff: Staff) -> None:
        drafts.leave(staff.professional.id, staff.questions)
        staff.forget()

    return Entrance(enter, leave, "/")
