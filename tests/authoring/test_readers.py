"""Who reads drafts, proposals and history by command: whoever holds a role now, and nobody else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from broker.app import build_commands
from broker.purposes.roles import GiveAsked, RoleMissingError
from broker.trying.replays import ReplayUnknownError
from datwat.party.admin import Holder, RoleCommand
from tests.authoring.world import AUTHOR, PURPOSE, RIJNSTAD, Office, number
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [ON_EACH_DATABASE, pytest.mark.asyncio(loop_scope="module")]
BEING_WRITTEN = ("purpose_drafts", "purpose_draft")
ALL = (
    "purpose_list",
    "purpose_calendar",
    "purpose_history",
    "purpose_preview",
    "purpose_begin",
    "purpose_proposals",
    "purpose_proposal",
    *BEING_WRITTEN,
)
# One whose role ended, whatever their token says, and one that never had any.
NOT_HELD = (
    Holder("e.tweede", RIJNSTAD, "reviewer"),
    Holder("z.niemand", RIJNSTAD, "author"),
    Holder("a.auteur", "elsewhere", "author"),
    Holder("a.auteur", RIJNSTAD, "nothing"),
)


async def look(office: Office, name: str, holder: Holder | None) -> dict[str, Any]:
    draft = await office.draft("id: unfinished\n")
    proposals = office.authoring.list_proposals()
    proposal = proposals[0].id if proposals else "0" * 32
    members = {
        "purpose_history": {"purpose": PURPOSE},
        "purpose_preview": {"text": "id: x"},
        "purpose_begin": {"purpose": PURPOSE},
        "purpose_draft": {"id": draft},
        "purpose_proposal": {"id": proposal},
    }.get(name, {})
    command = build_commands(office.broker, lambda: None)[name]
    assert isinstance(command, RoleCommand)
    try:
        return await (command(members) if holder is None else command.run_as(members, holder))
    finally:
        await office.authoring.drop_draft(AUTHOR, draft)


@pytest.mark.parametrize("name", ALL)
async def test_a_role_that_is_not_held_reads_nothing(office: Office, name: str) -> None:
    for holder in NOT_HELD:
        with pytest.raises(RoleMissingError):
            await look(office, name, holder)


@pytest.mark.parametrize("name", ALL)
async def test_whoever_holds_a_role_reads_as_on_the_pages(office: Office, name: str) -> None:
    if name == "purpose_proposal":
        await office.propose(office.write(sentence=number(810)))
    for holder in (Holder("d.toezicht", RIJNSTAD, "data_protection_officer"), None):
        assert await look(office, name, holder)
    operator = Holder("o.beheer", RIJNSTAD, "operator")
    give = {"organisation": RIJNSTAD, "role": "operator", "staff": "o.beheer", "key": None}
    if not office.broker.role_register.find_roles("o.beheer"):
        await office.broker.role_register.give(GiveAsked.model_validate(give))
    if name in BEING_WRITTEN:
        with pytest.raises(RoleMissingError):
            await look(office, name, operator)
    else:
        assert await look(office, name, operator)


async def test_what_came_of_a_trial_is_read_by_who_may_read_the_draft(office: Office) -> None:
    """It says the draft's own sentences, and what it would newly allow."""
    give = {"organisation": RIJNSTAD, "role": "operator", "staff": "o.beheer", "key": None}
    if not office.broker.role_register.find_roles("o.beheer"):
        await office.broker.role_register.give(GiveAsked.model_validate(give))
    commands = build_commands(office.broker, lambda: None)
    for name in ("trial_mutation", "replay_status", "replay_list"):
        command = commands[name]
        assert isinstance(command, RoleCommand)
        with pytest.raises(RoleMissingError):
            await command.run_as({}, Holder("o.beheer", RIJNSTAD, "operator"))
        approver = Holder("b.bakker", RIJNSTAD, "approver")
        for look_at in (command({}), command.run_as({}, approver)):
            with suppress(ReplayUnknownError):  # there is none to read
                await look_at
