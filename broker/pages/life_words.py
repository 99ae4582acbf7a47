"""The words of the life of a purpose: states and effects, each with how it is drawn."""

from __future__ import annotations

from typing import Final

from broker.purposes.life import ProposalState, RevisionState
from datwat.protocol.purpose_approval import Effect
from datwat.web.i18n import mark

# How a state is drawn (`macros/status.html`), and its word.
REVISION_STATES: Final[dict[RevisionState, tuple[str, str]]] = {
    "approved": ("later", mark("Approved, in force later")),
    "in_force": ("done", mark("In force")),
    "superseded": ("ended", mark("Replaced")),
    "ended": ("ended", mark("Ended")),
    "withdrawn": ("ended", mark("Withdrawn")),
}
PROPOSAL_STATES: Final[dict[ProposalState, tuple[str, str]]] = {
    "proposed": ("waiting", mark("Waits for approval")),
    "stale": ("warning", mark("Out of date: something else was published")),
    "taken_back": ("ended", mark("Taken back")),
    "published": ("done", mark("Published")),
}
EFFECTS: Final[dict[Effect, str]] = {
    "revise": mark("New revision"),
    "withdraw": mark("Withdrawal"),
    "roll_back": mark("Roll-back"),
}
