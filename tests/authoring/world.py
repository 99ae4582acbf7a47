"""Officers of two organisations at one broker, which is real: log, database, OPA, trial processes.

Three policy keys, of which two must sign. `a.auteur` writes; `b.bakker` and `c.smit` approve, each
with a key of their own; `d.toezicht` reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker.policy.approving import build_statement
from broker.policy.asked import DraftAsked
from broker.policy.authoring import Authoring
from broker.policy.authoring_ports import Ports
from broker.policy.shown import ApprovalDone, ProposalShown
from broker.purposes.life import build_approval
from broker.purposes.roles import Acting, GiveAsked, Role
from broker.wiring import Broker
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.purpose_approval import ApprovalSignatures, sign_approval
from datwat.protocol.values import encode_moment
from tests.exchange.world import Running, World

RIJNSTAD = "rijnstad"
PURPOSE = "school_attendance"


def act_as(staff: str, *names: str, organisation: str = RIJNSTAD) -> Acting:
    return Acting(staff, frozenset(Role.parse(f"{organisation}:{name}") for name in names))


AUTHOR = act_as("a.auteur", "author")
SECOND_AUTHOR = act_as("e.tweede", "author", "approver")
BAKKER = act_as("b.bakker", "approver")
SMIT = act_as("c.smit", "approver")
OFFICER = act_as("d.toezicht", "data_protection_officer")
NAMES = ("a.auteur", "b.bakker", "c.smit", "d.toezicht", "e.tweede")


def build_world(folder: Path, database_url: str) -> World:
    return World(
        folder,
        database_url=database_url,
        more_policy_keys=(SigningKey.generate(), SigningKey.generate()),
        policy_threshold=2,
    )


@dataclass
class Office:
    """The officers and their broker."""

    running: Running

    @property
    def broker(self) -> Broker:
        return self.running.broker

    @property
    def authoring(self) -> Authoring:
        return self.broker.authoring

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        world = self.running.world
        return (world.policy_key, *world.more_policy_keys)

    async def appoint(self) -> None:
        """Give everybody their role; the approvers the second and third key, by command's form."""
        give = self.broker.role_register.give
        for staff, role, key in (
            ("a.auteur", "author", None),
            ("b.bakker", "approver", self.keys[0].kid),
            ("c.smit", "approver", self.keys[1].kid),
            ("d.toezicht", "data_protection_officer", None),
            ("e.tweede", "author", None),
            ("e.tweede", "approver", self.keys[2].kid),
        ):
            members = {"organisation": RIJNSTAD, "role": role, "staff": staff, "key": key}
            await give(GiveAsked.model_validate(members))

    def write(self, purpose: str = PURPOSE, **changes: Any) -> str:  # noqa: ANN401 - members
        """Return the YAML of the newest revision of a purpose, with other members."""
        text, _, _ = self.authoring.begin_draft(purpose)
        members = read_yaml_text(text, "draft", DatwatError)
        return write_yaml({**members, "valid_from": soon(), **changes})

    async def draft(self, text: str, cases: str = "", acting: Acting = AUTHOR) -> str:
        """Keep a draft and return its id."""
        shown = await self.authoring.save_draft(acting, DraftAsked(text=text, cases=cases))
        return shown.line.id

    async def propose(self, text: str, cases: str = "", acting: Acting = AUTHOR) -> ProposalShown:
        draft_id = await self.draft(text, cases, acting)
        return await self.authoring.propose(acting, draft_id)

    def sign(self, proposal_id: str, key: SigningKey) -> ApprovalSignatures:
        """Return the two signatures of a key over a proposal as it lies at the broker."""
        with self.authoring.ports.reading() as conn:
            row = self.authoring.require_proposal(conn, proposal_id)
        return sign_approval(build_approval(row), build_statement(row), key)

    async def approve(
        self, proposal_id: str, acting: Acting = BAKKER, number: int = 0
    ) -> ApprovalDone:
        signed = self.sign(proposal_id, self.keys[number])
        return await self.authoring.approve(acting, proposal_id, signed)

    async def publish(self, proposal_id: str) -> ApprovalDone:
        """Approve as both approvers."""
        await self.approve(proposal_id, BAKKER, 0)
        return await self.approve(proposal_id, SMIT, 1)

    def at(self, moment: timedelta, **changes: Any) -> Authoring:  # noqa: ANN401 - ports
        """Return the same office as it will be later, or with other ports."""
        ports: Ports = self.authoring.ports
        clock = ports.clock
        made = Authoring(replace(ports, clock=lambda: clock() + moment, **changes))
        ports.register.watch_approvals(self.authoring.find_carried)
        return made

    def list_statements(self) -> list[dict[str, Any]]:
        """Return the JSON statements of the log, oldest first."""
        with self.authoring.ports.reading() as conn:
            found = conn.exec_driver_sql(
                "SELECT document FROM log_entries WHERE document IS NOT NULL ORDER BY idx"
            )
            documents = [json.loads(bytes(row[0])) for row in found]
        return [one for one in documents if "type" in one]

    def list_revisions(self, purpose: str = PURPOSE) -> list[str]:
        """Return the digests of a purpose's revisions in the bundle in force."""
        data = self.broker.policy.bundle.catalogue["purposes"]
        return [one["digest"] for one in data[purpose]["revisions"]] if purpose in data else []


def number(value: int) -> dict[str, str]:
    """Return a resident's sentence with a number in it, by which a revision is known again."""
    return {"nl": f"Dit is zin {value}.", "en": f"This is sentence {value}."}


def soon(days: float = 30) -> str:
    return encode_moment(datetime.now(UTC).replace(microsecond=0) + timedelta(days=days))
