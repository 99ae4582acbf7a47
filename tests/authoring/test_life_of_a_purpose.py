"""From an empty draft to in force, superseded, withdrawn and rolled back, at a real broker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.policy.asked import DraftAsked, RollBackAsked, WithdrawalAsked
from broker.purposes.life_errors import (
    ApprovalInvalidError,
    ApprovedAlreadyError,
    ApproverKeyDiffersError,
    DraftOutdatedError,
    NumberFoundError,
    OwnProposalError,
    ProposalOverError,
    ProposalStaleError,
)
from broker.purposes.models import derive_digest
from broker.purposes.roles import ApprovalsWaitingError, EndAsked, GiveAsked, RoleMissingError
from datwat.protocol.purpose_approval import ApprovalSignatures
from datwat.protocol.values import decode_moment
from tests.authoring.world import (
    AUTHOR,
    BAKKER,
    NAMES,
    OFFICER,
    PURPOSE,
    RIJNSTAD,
    SECOND_AUTHOR,
    SMIT,
    Office,
    number,
    soon,
)
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [
    ON_EACH_DATABASE,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
]


async def test_a_revision_is_published_ahead_of_its_date_by_two_who_did_not_write_it(
    office: Office,
) -> None:
    before, seq = office.list_revisions(), office.broker.policy.bundle.seq
    proposed = await office.propose(office.write(sentence=number(400)))
    assert proposed.line.state == "proposed"
    assert (proposed.line.approvals, proposed.line.needed) == (0, 2)
    assert any("400" in one for one in proposed.changes), proposed.changes
    assert office.list_revisions() == before
    told = [one for one in office.authoring.calendar("en") if one.is_proposed]
    assert [(one.purpose, one.digest) for one in told] == [(PURPOSE, proposed.line.digest)]
    assert told[0].title not in {PURPOSE, office.authoring.calendar("nl")[0].title}
    first = await office.approve(proposed.line.id, BAKKER, 0)
    assert (first.published, first.approvals) == (False, 1)
    assert office.list_revisions() == before
    last = await office.approve(proposed.line.id, SMIT, 1)
    assert last.published
    assert office.broker.policy.bundle.seq == seq + 1
    assert office.list_revisions() == [*before, proposed.line.digest]

    line = office.authoring.history(PURPOSE)[0]
    assert (line.state, line.is_in_force, len(line.kids)) == ("approved", True, 2)
    later = office.at(timedelta(days=31))
    assert later.history(PURPOSE)[0].state == "in_force"
    digest = proposed.line.digest
    told = [one for one in office.authoring.calendar() if one.digest == digest]
    assert [(one.purpose, one.what, one.is_proposed) for one in told] == [
        (PURPOSE, "begins", False)
    ]
    assert not any(one.digest == digest for one in later.calendar())
    found = {one.id: one for one in office.authoring.list_purposes("nl")}[PURPOSE]
    assert found.state == "in_force"
    assert proposed.line.valid_from in found.upcoming
    assert not any(one.purpose == PURPOSE for one in office.authoring.list_drafts(AUTHOR))


async def test_every_act_is_a_statement_that_names_nobody(office: Office) -> None:
    proposed = await office.propose(office.write("income_support", sentence=number(404)))
    await office.publish(proposed.line.id)
    stated = office.list_statements()
    kinds = [one["type"] for one in stated]
    for kind in ("role_given", "purpose_proposed", "purpose_approved", "purpose_published"):
        assert kind in kinds
    approved = [one for one in stated if one["type"] == "purpose_approved"]
    assert {one["key"] for one in approved} == {office.keys[0].kid, office.keys[1].kid}
    assert all(one["organisation"] == RIJNSTAD for one in approved)
    assert not any(name in str(stated) for name in NAMES)


async def test_nobody_approves_what_they_wrote(office: Office) -> None:
    text = office.write("income_support", sentence=number(401))
    proposed = await office.propose(text, acting=SECOND_AUTHOR)
    signed = office.sign(proposed.line.id, office.keys[2])
    shown = office.authoring.show_proposal(SECOND_AUTHOR, proposed.line.id)
    assert (shown.is_mine, shown.may_approve) == (True, False)
    with pytest.raises(OwnProposalError):
        await office.authoring.approve(SECOND_AUTHOR, proposed.line.id, signed)
    assert office.authoring.show_proposal(BAKKER, proposed.line.id).may_approve


async def test_an_approval_is_by_ones_own_key_over_exactly_this_and_once(office: Office) -> None:
    proposed = await office.propose(office.write("income_support", sentence=number(402)))
    other = await office.propose(office.write("income_support", sentence=number(403)))
    name, approve = proposed.line.id, office.authoring.approve
    with pytest.raises(RoleMissingError):
        await approve(OFFICER, name, office.sign(name, office.keys[0]))
    with pytest.raises(ApproverKeyDiffersError):
        await approve(BAKKER, name, office.sign(name, office.keys[1]))
    with pytest.raises(ApprovalInvalidError):
        await approve(BAKKER, name, office.sign(other.line.id, office.keys[0]))
    mine, its = office.sign(name, office.keys[0]), office.sign(other.line.id, office.keys[0])
    foreign = office.sign(name, office.keys[1])
    for bundle in (its.bundle, foreign.bundle):
        mixed = ApprovalSignatures(approval=mine.approval, bundle=bundle)
        with pytest.raises(ApprovalInvalidError):
            await approve(BAKKER, name, mixed)
    await approve(BAKKER, name, mine)
    with pytest.raises(ApprovedAlreadyError):
        await approve(BAKKER, name, mine)
    assert office.authoring.show_proposal(BAKKER, name).line.approvals == 1
    await office.authoring.take_back(AUTHOR, name)
    with pytest.raises(ProposalOverError):
        await approve(SMIT, name, office.sign(name, office.keys[1]))
    await office.authoring.take_back(AUTHOR, other.line.id)


async def test_of_two_that_race_one_wins_and_the_other_is_told_what_changed(
    office: Office,
) -> None:
    mine = await office.draft(office.write("wmo_intake", sentence=number(300)))
    theirs = await office.draft(
        office.write("wmo_intake", sentence=number(200), valid_from=soon(20)), acting=SECOND_AUTHOR
    )
    first = await office.authoring.propose(AUTHOR, mine)
    second = await office.authoring.propose(SECOND_AUTHOR, theirs)
    await office.approve(first.line.id, BAKKER, 0)
    await office.publish(second.line.id)

    shown = office.authoring.show_proposal(AUTHOR, first.line.id, "en")
    assert shown.line.state == "stale"
    assert any("200" in one for one in shown.stale_changes), shown.stale_changes
    with pytest.raises(ProposalStaleError, match="200"):
        await office.approve(first.line.id, SMIT, 1)
    with pytest.raises(DraftOutdatedError, match="200"):
        await office.authoring.propose(AUTHOR, mine)
    draft = office.authoring.show_draft(AUTHOR, mine, "en")
    assert draft.line.is_outdated
    assert any("200" in one for one in draft.changes), draft.changes

    newest = derive_digest(office.authoring.grounds.read().catalogue.purposes["wmo_intake"][-1])
    asked = DraftAsked(draft_id=mine, text=draft.text, base_digest=newest)
    await office.authoring.save_draft(AUTHOR, asked)
    again = await office.authoring.propose(AUTHOR, mine)
    assert again.line.state == "proposed"
    assert again.line.approvals == 0
    await office.authoring.take_back(AUTHOR, again.line.id)


async def test_an_approver_of_what_is_to_come_keeps_the_role_unless_it_is_said_why(
    office: Office,
) -> None:
    coming = await office.propose(office.write(sentence=number(405)))
    await office.publish(coming.line.id)
    give = {"organisation": RIJNSTAD, "role": "approver", "staff": "c.smit"}
    with pytest.raises(ApprovalsWaitingError, match=PURPOSE):
        await office.broker.role_register.end(EndAsked.model_validate(give))
    numbered = EndAsked.model_validate({**give, "keep_approvals": "Zie 999990019."})
    with pytest.raises(NumberFoundError):
        await office.broker.role_register.end(numbered)
    asked = EndAsked.model_validate({**give, "keep_approvals": "Leaves on the first."})
    proposed = await office.propose(office.write("early_debt_signals", sentence=number(100)))
    await office.approve(proposed.line.id, SMIT, 1)
    ended = await office.broker.role_register.end(asked)
    assert PURPOSE in {one.purpose for one in ended.kept}
    # What was not published yet loses the approval of who is no approver any more.
    done = await office.approve(proposed.line.id, BAKKER, 0)
    assert (done.published, done.approvals) == (False, 1)
    shown = office.authoring.show_proposal(AUTHOR, proposed.line.id)
    assert sorted(one.counts for one in shown.approvals) == [False, True]
    with pytest.raises(RoleMissingError):
        await office.approve(proposed.line.id, SMIT, 1)
    await office.authoring.take_back(AUTHOR, proposed.line.id)
    stated = [one for one in office.list_statements() if one["type"] == "role_ended"][-1]
    assert stated["approvals_kept"]
    assert "reason" not in stated
    back = GiveAsked.model_validate({**give, "key": office.keys[1].kid})
    await office.broker.role_register.give(back)


async def test_a_withdrawal_and_a_roll_back_are_publications_of_one_step_each(
    office: Office,
) -> None:
    coming = await office.propose(office.write(sentence=number(406)))
    await office.publish(coming.line.id)
    seq, before = office.broker.policy.bundle.seq, office.broker.policy.bundle.archive
    held = office.list_revisions()
    asked = WithdrawalAsked(purpose=PURPOSE, reason="The basis is gone.")
    gone = await office.authoring.propose_withdrawal(AUTHOR, asked)
    assert "ingetrokken" in gone.text
    await office.publish(gone.line.id)
    assert office.list_revisions() == []
    assert office.broker.policy.bundle.seq == seq + 1
    assert office.authoring.history(PURPOSE)[0].effect == "withdraw"
    # The revision that was still to come is gone with it.
    revised = [one for one in office.authoring.history(PURPOSE) if one.effect == "revise"]
    assert {one.state for one in revised} == {"withdrawn"}

    back = await office.authoring.propose_roll_back(
        AUTHOR, RollBackAsked(seq=seq, reason="It was needed after all.")
    )
    assert any(PURPOSE in one for one in back.changes), back.changes
    await office.publish(back.line.id)
    assert office.broker.policy.bundle.seq == seq + 2
    assert office.broker.policy.bundle.archive == before
    assert office.list_revisions() == held


async def test_a_revision_that_is_to_come_can_be_withdrawn_alone(office: Office) -> None:
    held = office.list_revisions()
    coming = await office.propose(office.write(sentence=number(407)))
    await office.publish(coming.line.id)
    asked = WithdrawalAsked(purpose=PURPOSE, digest=coming.line.digest, reason="Not needed.")
    proposed = await office.authoring.propose_withdrawal(AUTHOR, asked)
    await office.publish(proposed.line.id)
    assert office.list_revisions() == held
    valid_from = office.authoring.grounds.read().catalogue.purposes[PURPOSE][0].valid_from
    assert valid_from == decode_moment("2026-01-01T00:00:00Z")
