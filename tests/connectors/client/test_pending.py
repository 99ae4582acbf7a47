"""What a form sent without an answer: the same message again, within the broker's window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.client.pending import Attempt, Attempts, find_attempt
from connectors.errors import PendingChangedError
from tests.connectors.client.written import build_request

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SAID = {"what": ("We spoke.",)}
MINUTE = timedelta(minutes=1)


def test_the_same_form_sends_the_same_message_within_nine_minutes() -> None:
    attempts, sent = Attempts(), build_request("close_occasion")
    with attempts.sending("form", SAID) as attempt:
        assert find_attempt() is attempt
        assert attempt.find("close_occasion", ["1"], NOW) is None
        attempt.keep(sent, ["1"], NOW)
    assert find_attempt() is None
    with attempts.sending("form", SAID) as attempt:
        assert attempt.find("close_occasion", ["1"], NOW + 9 * MINUTE - MINUTE / 60) is sent
        assert attempt.find("close_occasion", ["1"], NOW + 9 * MINUTE) is None
        assert attempt.find("hand_over", ["1"], NOW) is None
        assert attempt.find("close_occasion", ["1", "2"], NOW) is None
        attempt.drop("close_occasion", ["1"])
        assert attempt.find("close_occasion", ["1"], NOW) is None


def test_another_form_knows_nothing_of_it() -> None:
    attempts = Attempts()
    with attempts.sending("form", SAID) as attempt:
        attempt.keep(build_request("close_occasion"), ["1"], NOW)
    with attempts.sending("another", SAID) as attempt:
        assert attempt.find("close_occasion", ["1"], NOW) is None


def test_a_change_is_refused_with_what_was_said_first() -> None:
    attempts = Attempts()
    with attempts.sending("form", {**SAID, "bsn": ("999990019",)}) as attempt:
        attempt.keep(build_request("close_occasion"), ["1"], NOW)
    with attempts.sending("form", {"what": ("We did not.",)}) as attempt:
        with pytest.raises(PendingChangedError):
            attempt.find("close_occasion", ["1"], NOW)
        assert attempt.first == SAID, "a BSN is not held"
    with attempts.sending("form", SAID) as attempt:
        assert attempt.first is None
        assert attempt.find("close_occasion", ["1"], NOW) is not None


def test_no_more_forms_are_held_than_somebody_has_open() -> None:
    attempts = Attempts()
    held: list[Attempt] = []
    for number in range(60):
        with attempts.sending(f"form-{number}", SAID) as attempt:
            attempt.keep(build_request("close_occasion"), ["1"], NOW)
            held.append(attempt)
    with attempts.sending("form-0", SAID) as attempt:
        assert attempt is not held[0]
    with attempts.sending("form-59", SAID) as attempt:
        assert attempt is held[59]
