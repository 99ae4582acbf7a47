"""What officers may get wrong in a draft: one message with the place, and nothing half done."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import yaml

from broker.policy.asked import DraftAsked, RollBackAsked, WithdrawalAsked
from broker.policy.draft_reading import MOST_FAULTS, Ground, read_draft
from broker.policy.shown import Preview
from broker.purposes.catalogue import Catalogue
from broker.purposes.life_errors import (
    ChecksFailedError,
    DraftInvalidError,
    DraftUnknownError,
    EffectiveDateError,
    NothingChangedError,
    NumberFoundError,
    ProposalUnknownError,
    PublicationUnknownError,
    RevisionUnknownError,
    SignOffMissingError,
)
from broker.purposes.models import Purpose
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from tests.authoring.world import AUTHOR, BAKKER, PURPOSE, SECOND_AUTHOR, Office, number, soon

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

BSN = "999990019"


def find_line(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def look(office: Office, text: str, cases: str = "") -> Preview:
    return office.authoring.preview(text, cases, "en")


async def test_broken_yaml_is_told_with_line_and_column(office: Office) -> None:
    fault = look(office, "id: x\ntitle: {nl: [}\n").faults[0]
    assert (fault.line, fault.column) == (2, 14)
    assert "check quotes" in fault.sentence
    twice = look(office, "id: x\ndomain: care\nid: y\n").faults[0]
    assert (twice.line, twice.column) == (3, 1)
    assert look(office, "- a list\n").faults[0].sentence.startswith("A purpose is a list of")


async def test_an_unknown_member_is_told_where_it_stands(office: Office) -> None:
    text = office.write() + "colour: green\n"
    fault = look(office, text).faults[0]
    assert fault.line == find_line(text, "colour")
    assert "unknown" in fault.sentence
    with pytest.raises(DraftInvalidError, match=f"line {fault.line}, column 1"):
        await office.propose(text)


async def test_a_text_with_thousands_of_faults_is_read_for_its_places_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[int] = []
    compose = yaml.compose

    def count(text: str, **given: Any) -> yaml.Node | None:  # noqa: ANN401 - PyYAML's
        composed.append(len(text))
        return compose(text, **given)

    monkeypatch.setattr(yaml, "compose", count)
    text = "\n".join(f"k{line}: v" for line in range(1, 2_001))
    faults = look(office, text).faults
    # Each reading of such a text takes a second of everybody's: not one for each fault.
    assert composed == [len(text)]
    assert len(faults) == MOST_FAULTS
    unknown = [fault for fault in faults if "unknown" in fault.sentence]
    assert [fault.line for fault in unknown] == list(range(1, len(unknown) + 1))
    assert unknown


async def test_every_fault_is_told_at_once(office: Office) -> None:
    text = office.write(articles=[], retention_days=0, domain="space")
    found = {fault.member: fault for fault in look(office, text).faults}
    assert {"articles", "retention_days", "domain"} <= found.keys()
    assert "at least 1" in found["articles"].sentence
    assert found["domain"].line == find_line(text, "domain:")


async def test_a_purpose_without_an_article_is_refused(office: Office) -> None:
    members = read_yaml_text(office.write(), "draft", DatwatError)
    del members["articles"]
    fault = look(office, write_yaml(members)).faults[0]
    assert (fault.member, fault.sentence) == ("articles", "This member is missing: add it.")


async def test_a_field_that_no_product_has_is_refused(office: Office) -> None:
    text = office.write().replace("field: acties.wat", "field: acties.kleur")
    fault = look(office, text).faults[0]
    assert "acties.kleur is not known" in fault.sentence
    assert fault.member.startswith("edges.0")
    with pytest.raises(DraftInvalidError, match=r"acties\.kleur"):
        await office.propose(text)


async def test_a_date_in_the_past_is_refused_when_proposed_and_when_approved(
    office: Office,
) -> None:
    with pytest.raises(EffectiveDateError):
        await office.propose(office.write(valid_from="2026-03-01T00:00:00Z"))
    proposed = await office.propose(office.write(sentence=number(410), valid_from=soon(2)))
    signed = office.sign(proposed.line.id, office.keys[0])
    late = office.at(timedelta(days=3))
    with pytest.raises(EffectiveDateError):
        await late.approve(BAKKER, proposed.line.id, signed)
    await office.authoring.take_back(AUTHOR, proposed.line.id)


async def test_revisions_cannot_supersede_each_other_in_a_circle(office: Office) -> None:
    proposed = await office.propose(office.write("income_support", sentence=number(411)))
    await office.publish(proposed.line.id)
    earlier = office.write("income_support", sentence=number(412), valid_from=soon(10))
    with pytest.raises(DraftInvalidError, match="supersede this one in turn"):
        await office.propose(earlier)
    text, _, _ = office.authoring.begin_draft("income_support")
    with pytest.raises(NothingChangedError):
        await office.propose(text)
    ends = office.write("income_support", valid_from=soon(50), valid_until=soon(40))
    with pytest.raises(DraftInvalidError, match="valid_until is not after valid_from"):
        await office.propose(ends)


async def test_cases_must_be_there_and_come_out(office: Office) -> None:
    text, cases, _ = office.authoring.begin_draft(PURPOSE)
    members = {**read_yaml_text(text, "draft", DatwatError), "valid_from": soon(30)}
    # Nobody may inquire any more, so that the cases in force come out otherwise.
    members["requesters"] = [{"function": "school-attendance", "inquire": "none"}]
    with pytest.raises(ChecksFailedError, match=PURPOSE):
        await office.propose(write_yaml(members))
    new = {**members, "id": "another_purpose"}
    with pytest.raises(ChecksFailedError, match="needs cases"):
        await office.propose(write_yaml(new))
    broken = cases.replace("base: inquire", "base: enquire", 1)
    fault = look(office, office.write(), broken).faults[0]
    assert fault.line == find_line(broken, "enquire")
    other = look(office, office.write(), cases.replace(PURPOSE, "income_support", 1))
    assert "another purpose" in other.faults[0].sentence
    assert not office.authoring.preview(office.write(sentence=number(5)), cases, "nl").faults


async def test_what_a_replay_found_newly_allowed_must_be_signed_off(office: Office) -> None:
    draft_id = await office.draft(office.write(sentence=number(413)))
    waiting = office.at(timedelta(0), read_sign_off=lambda _digest: "newly_allowed")
    with pytest.raises(SignOffMissingError):
        await waiting.propose(AUTHOR, draft_id)
    signed = office.at(timedelta(0), read_sign_off=lambda _digest: "signed_off")
    proposed = await signed.propose(AUTHOR, draft_id)
    await office.authoring.take_back(AUTHOR, proposed.line.id)


async def test_a_guard_rail_is_not_switched_off(office: Office) -> None:
    text = office.write() + "log: false\n"
    fault = look(office, text).faults[0]
    assert (fault.member, fault.line) == ("log", find_line(text, "log: false"))
    assert "would switch a guard rail off" in fault.sentence
    with pytest.raises(DraftInvalidError, match=r"not_for: \[enforcement\]"):
        await office.propose(office.write(id="wmo_other", not_for=[]))


async def test_a_citizen_service_number_is_never_kept(office: Office) -> None:
    text = office.write().replace("Om te overleggen", f"Voor {BSN} om te overleggen", 1)
    assert BSN in text
    with pytest.raises(NumberFoundError):
        await office.draft(text)
    with pytest.raises(NumberFoundError):
        await office.draft(office.write(), cases=f"purpose: x # {BSN}\n")
    # As it is read: an escape, and a line that is folded.
    for hidden in (f'"\\x39{BSN[1:]}"', f"{BSN[:5]}\n    {BSN[5:]}"):
        shown = office.write() + f"x: {hidden}\n"
        with pytest.raises(NumberFoundError):
            await office.draft(shown)
        with pytest.raises(NumberFoundError):
            await office.draft(office.write(), cases=f"purpose: {hidden}\n")
        assert look(office, shown).faults[0].sentence == NumberFoundError.default_detail
    asked = WithdrawalAsked(purpose=PURPOSE, reason=f"Asked by {BSN}")
    with pytest.raises(NumberFoundError):
        await office.authoring.propose_withdrawal(AUTHOR, asked)
    assert BSN not in str(look(office, text))


async def test_what_is_not_there_or_not_ones_own_is_refused(office: Office) -> None:
    life = office.authoring
    nothing = "00" * 16
    for one in ("", "zz", nothing):
        with pytest.raises(DraftUnknownError):
            life.show_draft(AUTHOR, one)
        with pytest.raises(ProposalUnknownError):
            life.show_proposal(AUTHOR, one)
    draft_id = await office.draft(office.write())
    for act in (life.drop_draft, life.propose):
        with pytest.raises(DraftUnknownError, match="somebody else"):
            await act(SECOND_AUTHOR, draft_id)
    with pytest.raises(RevisionUnknownError):
        await life.propose_withdrawal(AUTHOR, WithdrawalAsked(purpose="nowhere", reason="No."))
    with pytest.raises(PublicationUnknownError):
        await life.propose_roll_back(AUTHOR, RollBackAsked(seq=999, reason="No."))
    present = RollBackAsked(seq=office.broker.policy.bundle.seq, reason="No.")
    with pytest.raises(NothingChangedError):
        await life.propose_roll_back(AUTHOR, present)
    with pytest.raises(RevisionUnknownError):
        await life.save_draft(AUTHOR, DraftAsked(text=office.write(), base_digest="0" * 64))


async def test_a_draft_ends_when_nobody_goes_on_with_it(office: Office) -> None:
    draft_id = await office.draft("id: half\ntitle: [", acting=AUTHOR)
    shown = office.authoring.show_draft(AUTHOR, draft_id)
    assert shown.text == "id: half\ntitle: ["
    later = office.at(timedelta(days=91))
    with pytest.raises(DraftUnknownError):
        later.show_draft(AUTHOR, draft_id)
    assert draft_id not in {one.id for one in later.list_drafts(AUTHOR)}


async def test_a_text_of_100_kb_is_read_and_a_longer_one_refused(office: Office) -> None:
    why = {"nl": "Om te weten wat er speelt. " * 70, "en": "To know what is going on. " * 70}
    members: dict[str, Any] = read_yaml_text(office.write(), "draft", DatwatError)
    for edge in members["edges"]:
        for field in edge["fields"]:
            field["why"] = why
    padded = write_yaml(members) + "# " + "x" * 80_000 + "\n"
    assert len(padded) > 100_000
    found = look(office, padded)
    assert not found.faults
    assert sum(map(len, found.sentences)) > 10_000
    members["sentence"]["nl"] = "x" * 100_000
    fault = look(office, write_yaml(members)).faults[0]
    assert (fault.member, "at most 2000" in fault.sentence) == ("sentence.nl", True)
    fault = look(office, "id: " + "x" * 300_000).faults[0]
    assert "larger than 262144 bytes" in fault.sentence


async def test_a_draft_beside_500_purposes_is_read_in_time(office: Office) -> None:
    ground = office.authoring.grounds.read()
    one = ground.catalogue.find_newest(PURPOSE)
    assert one is not None
    many = {f"purpose_{number:03d}": _rename(one, f"purpose_{number:03d}") for number in range(500)}
    purposes = {**ground.catalogue.purposes, **{name: (each,) for name, each in many.items()}}
    catalogue = ground.catalogue.model_copy(update={"purposes": purposes})
    wide = Ground(ground.bundle, Catalogue.model_validate(dict(catalogue)), ground.texts)
    loop = asyncio.get_running_loop()
    began = loop.time()
    read = read_draft(office.write(sentence=number(414)), "", wide, office.authoring.ports.clock())
    assert len(read.catalogue.purposes) == len(purposes)
    assert loop.time() - began < 5


def _rename(purpose: Purpose, name: str) -> Purpose:
    return purpose.model_copy(update={"id": name})
