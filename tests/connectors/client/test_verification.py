"""An answer is believed whole or not at all: each way to be wrong has its own code."""

# ruff: noqa: ANN401 - members of models are of any type here
from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.client.outgoing import Sent
from connectors.client.verification import verify_answer
from connectors.errors import (
    AnswerFormError,
    AnswerHashError,
    AnswerMessageError,
    AnswerRefusedError,
    AnswerUnprovedError,
)
from datwat.protocol.answers import ACT_SIZE, build_part
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import Answer, PersonAnswer, ReceiptPath
from datwat.protocol.notes import NoteError
from datwat.protocol.receipt import ReceiptError, ReceiptOutsideError
from datwat.protocol.values import encode_bytes
from tests.connectors.client.written import (
    Log,
    act_part,
    build_request,
    inquiry_part,
    release_part,
    to_bytes,
    weighing,
)

PURPOSE = {"id": "debt_counselling", "digest": "a" * 64}
INQUIRY: dict[str, Any] = {"purpose": PURPOSE, "rung": "dat"}
RELEASE: dict[str, Any] = {
    "purpose": PURPOSE,
    "source": "00000099000000000002:debt-counselling",
    "product": "schuldregeling",
    "fields": ["status"],
    "reply_key": encode_bytes(bytes(32)),
}


@pytest.fixture
def log() -> Log:
    made = Log()
    made.append(b"an older entry")
    return made


def swap(answer: Answer, place: int, **changes: Any) -> Answer:
    persons = list(answer.answers)
    persons[place] = persons[place].model_copy(update=changes)
    return answer.model_copy(update={"answers": tuple(persons)})


def refuse(log: Log, sent: Sent, answer: Answer | bytes, error: type[DatwatError]) -> None:
    raw = answer if isinstance(answer, bytes) else to_bytes(answer)
    with pytest.raises(error):
        verify_answer(raw, sent, log.pinned)


def test_an_answer_that_was_written_down_is_believed(log: Log) -> None:
    sent = build_request("inquire", 2, INQUIRY)
    answer = log.answer(sent, [inquiry_part(handle=os.urandom(16)), inquiry_part()])
    verified = verify_answer(to_bytes(answer), sent, log.pinned)
    assert [person.index for person in verified.persons] == [1, 2]
    assert verified.checkpoint is not None
    assert verified.checkpoint.size == 3
    assert verified.persons[0].part.handle == answer_handle(answer)


def answer_handle(answer: Answer) -> bytes | None:
    verified = inquiry_part().model_validate_json(answer.answers[0].part)
    return verified.handle


def test_another_requests_answer_is_refused(log: Log) -> None:
    sent, other = build_request("inquire", 1, INQUIRY), build_request("inquire", 1, INQUIRY)
    answer = log.answer(other, [inquiry_part()])
    refuse(log, sent, answer, AnswerMessageError)
    # The same rid does not help: the core names the request by its hash.
    refuse(log, sent, answer.model_copy(update={"rid": sent.rid}), AnswerMessageError)


def test_persons_that_are_swapped_dropped_or_doubled_are_refused(log: Log) -> None:
    sent = build_request("inquire", 2, INQUIRY)
    answer = log.answer(sent, [inquiry_part(), inquiry_part()])
    first, second = answer.answers
    for answers in ((second, first), (first,), (first, first), (first, second, second)):
        refuse(log, sent, answer.model_copy(update={"answers": answers}), AnswerMessageError)


def test_a_part_that_is_not_the_written_one_is_refused(log: Log) -> None:
    sent = build_request("end")
    answer = log.answer(sent, [act_part(weighing=weighing(permitted=False))])
    nicer = build_part(act_part(), ACT_SIZE)
    refuse(log, sent, swap(answer, 0, part=nicer), AnswerHashError)


def test_a_core_that_was_not_written_is_refused(log: Log) -> None:
    sent = build_request("end")
    answer = log.answer(sent, [act_part()])
    later = answer.answers[0].core.replace(b'"notice":"now"', b'"notice":"later"')
    assert later != answer.answers[0].core
    refuse(log, sent, swap(answer, 0, core=later), ReceiptError)


def test_another_entrys_receipt_is_refused(log: Log) -> None:
    sent = build_request("end")
    answer = log.answer(sent, [act_part()])
    refuse(log, sent, swap(answer, 0, receipt=log.prove(0)), ReceiptError)
    beyond = ReceiptPath(index=2, path=())
    refuse(log, sent, swap(answer, 0, receipt=beyond), ReceiptOutsideError)


def test_without_a_receipt_only_a_reconfirmation_passes(log: Log) -> None:
    bare = PersonAnswer(
        part=build_part(act_part(involvement=os.urandom(16)), ACT_SIZE),
        core=b"",
        payload_hash=None,
        tag=None,
        receipt=None,
    )
    for act, passes in (("register", True), ("open_session", True), ("end", False)):
        sent = build_request(act)
        answer = Answer(v=1, rid=sent.rid, checkpoint=None, answers=(bare,))
        if passes:
            assert verify_answer(to_bytes(answer), sent, log.pinned).persons[0].index is None
        else:
            refuse(log, sent, answer, AnswerUnprovedError)
    sent = build_request("register")
    refusal = build_part(act_part(weighing=weighing(permitted=False)), ACT_SIZE)
    unproved = bare.model_copy(update={"part": refusal})
    answer = Answer(v=1, rid=sent.rid, checkpoint=None, answers=(unproved,))
    refuse(log, sent, answer, AnswerUnprovedError)


def test_a_checkpoint_of_another_log_or_key_is_refused(log: Log) -> None:
    sent = build_request("end")
    answer = log.answer(sent, [act_part()])
    forged = Log(leaves=log.leaves).checkpoint()
    refuse(log, sent, answer.model_copy(update={"checkpoint": forged}), NoteError)
    refuse(log, sent, answer.model_copy(update={"checkpoint": None}), AnswerUnprovedError)


@pytest.mark.parametrize("kind", ["inquiry", "refusal", "outcome"])
def test_a_core_of_another_type_is_refused(log: Log, kind: str) -> None:
    sent = build_request("end")
    changes: dict[str, Any] = {"type": kind}
    if kind == "outcome":
        changes["failure"] = "source_refuses"
    answer = log.answer(sent, [act_part()], **changes)
    refuse(log, sent, answer, AnswerFormError)


def test_a_release_core_is_never_an_answer(log: Log) -> None:
    sent = build_request("release", 1, RELEASE)
    answer = log.answer(sent, [release_part()], envelope=b"sealed")
    core = encode_canonical({"v": 1, "type": "release", "fields": ["status"]})
    refuse(log, sent, swap(answer, 0, core=core), AnswerFormError)


def test_an_outcome_and_its_envelope_belong_together(log: Log) -> None:
    sent = build_request("release", 1, RELEASE)
    answer = log.answer(sent, [release_part()], envelope=b"sealed")
    assert verify_answer(to_bytes(answer), sent, log.pinned).envelope == b"sealed"
    refuse(log, sent, answer.model_copy(update={"envelope": b"other"}), AnswerHashError)
    refuse(log, sent, answer.model_copy(update={"envelope": None}), AnswerHashError)
    failed = log.answer(sent, [release_part(failure="source_refuses")], failure="source_refuses")
    assert verify_answer(to_bytes(failed), sent, log.pinned).envelope is None
    refuse(log, sent, failed.model_copy(update={"envelope": b"sealed"}), AnswerHashError)
    silent = log.answer(sent, [release_part()], failure="source_too_slow")
    refuse(log, sent, silent, AnswerHashError)
    neither = log.answer(sent, [release_part()])
    refuse(log, sent, neither, AnswerFormError)


def test_a_part_that_is_not_padded_is_refused(log: Log) -> None:
    sent = build_request("end")
    answer = log.answer(sent, [act_part()])
    refuse(log, sent, swap(answer, 0, part=answer.answers[0].part + b" "), AnswerFormError)
    refuse(log, sent, swap(answer, 0, part=b""), AnswerFormError)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"v":1,"v":1}', b"\xff", b"NaN"])
def test_what_is_no_answer_is_refused(log: Log, raw: bytes) -> None:
    refuse(log, build_request("end"), raw, AnswerFormError)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_changed_byte_of_an_entry_passes(data: st.DataObject) -> None:
    log = Log(leaves=[os.urandom(32) for _ in range(5)])
    sent = build_request("end")
    answer = log.answer(sent, [act_part()])
    person = answer.answers[0]
    name = data.draw(st.sampled_from(["part", "core", "payload_hash", "tag"]))
    value = bytearray(getattr(person, name))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    changed = swap(answer, 0, **{name: bytes(value)})
    with pytest.raises((AnswerRefusedError, ReceiptError)):
        verify_answer(to_bytes(changed), sent, log.pinned)
