"""A process that dies between keeping a publication and taking it up; a bundle that is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from broker.policy.publication import find_publication
from broker.purposes.life_errors import ActivationRefusedError
from tests.authoring.world import AUTHOR, BAKKER, SMIT, Office, number

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


async def test_what_was_kept_is_published_by_the_next_round(office: Office) -> None:
    class KilledError(BaseException):
        pass

    async def die(_archive: bytes, _document: bytes) -> str | None:
        raise KilledError

    seq = office.broker.policy.bundle.seq
    proposed = await office.propose(office.write(sentence=number(420)))
    await office.approve(proposed.line.id, BAKKER, 0)
    dying = office.at(timedelta(0), publish=die)
    with pytest.raises(KilledError):
        await dying.approve(SMIT, proposed.line.id, office.sign(proposed.line.id, office.keys[1]))
    assert office.broker.policy.bundle.seq == seq
    await office.authoring.approving.catch_up()
    assert office.broker.policy.bundle.seq == seq + 1
    assert proposed.line.digest in office.list_revisions()
    found = find_publication(Path(office.broker.settings.bundle))
    assert found is not None
    assert found.statement.seq == seq + 1
    await office.authoring.approving.catch_up()
    assert office.broker.policy.bundle.seq == seq + 1


async def test_what_cannot_be_taken_up_is_told_and_the_old_one_stays(office: Office) -> None:
    async def refuse(_archive: bytes, _document: bytes) -> str | None:
        return "OPA does not start."

    digest = office.broker.policy.bundle.digest
    proposed = await office.propose(office.write("wmo_intake", sentence=number(421)))
    await office.approve(proposed.line.id, BAKKER, 0)
    refusing = office.at(timedelta(0), publish=refuse)
    signed = office.sign(proposed.line.id, office.keys[1])
    with pytest.raises(ActivationRefusedError, match="OPA does not start"):
        await refusing.approve(SMIT, proposed.line.id, signed)
    assert office.broker.policy.bundle.digest == digest
    line = office.authoring.show_proposal(AUTHOR, proposed.line.id).line
    assert line.state == "published"
    # The next proposal counts on, and rests on what is in force.
    following = await office.propose(office.write("wmo_intake", sentence=number(422)))
    assert following.line.seq == line.seq + 1
    await office.publish(following.line.id)
    assert office.broker.policy.bundle.seq == following.line.seq
