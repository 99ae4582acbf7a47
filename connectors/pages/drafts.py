"""What somebody had filled in when their session ended by itself: it waits for them, for a while.

Rules: without any answer and any BSN, in memory, for a quarter of an hour, for the same person at
their next login; whoever logs out leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.pages.question import Question
from datwat.web.sessions import IDLE, LONGEST, PARKED


@dataclass
class Open:
    """The questions of one session, from when on it is there, and when a page was last shown."""

    questions: dict[int, Question] = field(repr=False)
    opened_at: datetime
    seen_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When the session ends if nothing more is done."""
        return min(self.seen_at + IDLE, self.opened_at + LONGEST)


class Drafts:
    """The newest session of each of the staff, by their id."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._open: dict[str, Open] = {}

    def enter(self, professional: str, now: datetime) -> dict[int, Question]:
        """Return the questions that somebody begins with: what waited, where a session had ended.

        Another session of theirs that has not ended keeps its own.
        """
        self.purge(now)
        earlier = self._open.get(professional)
        questions: dict[int, Question] = {}
        if earlier is not None and now >= earlier.ends_at:
            questions = earlier.questions
        self._open[professional] = Open(questions, now, now)
        return questions

    def see(self, professional: str, questions: Mapping[int, Question], now: datetime) -> None:
        """Note that a page of a session was shown."""
        held = self._open.get(professional)
        if held is not None and held.questions is questions:
            held.seen_at = now

    def leave(self, professional: str, questions: Mapping[int, Question]) -> None:
        """Forget a session that its person ended."""
        held = self._open.get(professional)
        if held is not None and held.questions is questions:
            del self._open[professional]

    def purge(self, now: datetime) -> None:
        """Keep of sessions that ended what was filled in, and nothing that waited too long."""
        for professional, held in list(self._open.items()):
            if now >= held.ends_at + PARKED:
                del self._open[professional]
            elif now >= held.ends_at:
                held.questions = {
                    number: question.build_draft() for number, question in held.questions.items()
                }
