"""Errors of the protocol: each refusal has its own code, and none repeats what was refused.

A code is stable, lower-case and may be shown to anyone; a `detail` is one sentence for people.
Neither ever holds a value that came from outside: an error that echoes its input is a leak.
"""

from __future__ import annotations


class DatwatError(Exception):
    """Base of every error that a party may turn into an answer.

    Subclasses set `code`; `detail` says in one sentence what is wrong and what to do, `place` where
    (a JSON path made of member names and indices, never of values).
    """

    code = "error"
    default_detail = "Something went wrong."

    def __init__(self, detail: str | None = None, *, place: str | None = None) -> None:
        """Keep the sentence for people and the place; neither may hold a value from outside."""
        self.detail = detail or self.default_detail
        self.place = place
        super().__init__(self.detail)


class ProtocolError(DatwatError):
    """Something that travelled does not hold: its form, its signature, its time or its proof."""

    code = "protocol_error"
    default_detail = "The message does not follow the protocol."
