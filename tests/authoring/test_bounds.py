"""What one author has at once, and how many passphrases are tried at once: each with its error."""

from __future__ import annotations

import asyncio

import pytest

from broker.policy import approving
from broker.policy.asked import DraftAsked
from broker.purposes.life_errors import (
    DraftsFullError,
    OwnDraftsFullError,
    PassphraseBusyError,
    PassphraseWrongError,
    ProposalsFullError,
)
from tests.authoring.world import AUTHOR, BAKKER, SECOND_AUTHOR, Office, number
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [
    ON_EACH_DATABASE,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
]
PASSPHRASE = "vijf woorden die niets betekenen"


async def test_an_author_keeps_so_many_drafts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.policy.draft_rules.MOST_OWN_DRAFTS", 3)
    kept = [await office.draft("id: unfinished\n") for _ in range(3)]
    with pytest.raises(OwnDraftsFullError):
        await office.draft("id: unfinished\n")
    # One's own draft is gone on with, and another's room is their own.
    again = DraftAsked(draft_id=kept[0], text="id: other\n")
    assert (await office.authoring.save_draft(AUTHOR, again)).text == "id: other\n"
    await office.draft("id: unfinished\n", acting=SECOND_AUTHOR)
    monkeypatch.setattr("broker.policy.draft_rules.MOST_DRAFTS", 4)
    with pytest.raises(DraftsFullError) as refused:
        await office.draft("id: unfinished\n", acting=SECOND_AUTHOR)
    assert not isinstance(refused.value, OwnDraftsFullError)
    await office.authoring.drop_draft(AUTHOR, kept[0])
    await office.draft("id: unfinished\n")


async def test_an_author_has_so_many_proposals_open(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.policy.authoring.MOST_OWN_PROPOSALS", 2)
    first = await office.propose(office.write(sentence=number(820)))
    await office.propose(office.write(sentence=number(821)))
    refused = office.write(sentence=number(822))
    with pytest.raises(ProposalsFullError):
        await office.propose(refused)
    assert len([one for one in office.authoring.list_proposals() if one.state == "proposed"]) == 2
    await office.authoring.take_back(AUTHOR, first.line.id)
    third = await office.propose(refused)
    # With the next publication the others are stale, and take no room any more.
    await office.publish(third.line.id)
    for value in (823, 824):
        await office.propose(office.write("debt_counselling", sentence=number(value)))


async def test_so_many_passphrases_are_tried_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.authoring.ports.sealed_keys.put(office.keys[0], PASSPHRASE)
    proposed = await office.propose(office.write("income_support", sentence=number(825)))
    monkeypatch.setattr(approving, "_TURN_SECONDS", 0.05)

    async def guess() -> str:
        try:
            await office.authoring.approve_sealed(BAKKER, proposed.line.id, "not this one at all")
        except PassphraseWrongError:
            return "wrong"
        except PassphraseBusyError:
            return "busy"
        return "approved"

    found = sorted(await asyncio.gather(*(guess() for _ in range(6))))
    assert found == ["busy"] * 4 + ["wrong"] * 2
    # Who was turned away tried nothing: two of five are spent, and the right one opens.
    done = await office.authoring.approve_sealed(BAKKER, proposed.line.id, PASSPHRASE)
    assert done.approvals == 1
