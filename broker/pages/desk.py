"""What the pages work with: the services that the commands call too, each behind one member.

Rule: a page decides nothing. Whoever adds a screen adds one member here, fills it in
`broker/pages_wiring.py`, and asks `desk.roles.require_role` before it shows and before it acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.pages.answers_port import AnswersPort
from broker.pages.officer import Roles
from broker.pages.oversight_port import OversightPort
from broker.pages.trial_port import ReplaysPort, TrialsPort
from broker.policy.authoring import Authoring
from broker.policy.authoring_ports import Grounds
from broker.status import Part
from datwat.party.trust_list import Directory


@dataclass(frozen=True)
class OfficerDesk:
    """The services of the broker, for its pages."""

    roles: Roles
    list_parts: Callable[[], tuple[Part, ...]]
    authoring: Authoring
    grounds: Grounds
    read_directory: Callable[[], Directory]
    answers: AnswersPort
    trials: TrialsPort
    replays: ReplaysPort
    oversight: OversightPort
