"""Sessions: short, opaque, and nothing of anybody in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol.values import decode_bytes
from datwat.web.problems import CrossSiteError, SessionMissingError
from datwat.web.sessions import IDLE, LOGIN_TIME, LONGEST, PARKED, Logins, Sessions

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OWN = b"o" * 16


@given(st.lists(st.integers(min_value=0, max_value=1_200), max_size=30))
def test_a_session_lives_while_it_is_used_and_an_hour_at_most(pauses: list[int]) -> None:
    sessions: Sessions[bytes] = Sessions()
    token = sessions.open(OWN, "somebody", START)
    moment = seen = START
    for pause in pauses:
        moment += timedelta(seconds=pause)
        if moment < min(seen + IDLE, START + LONGEST):
            assert sessions.require(token, moment).held == OWN
            seen = moment
        else:
            with pytest.raises(SessionMissingError):
                sessions.require(token, moment)
            return


def test_only_its_own_token_opens_a_session() -> None:
    sessions: Sessions[bytes] = Sessions()
    token = sessions.open(OWN, "somebody", START)
    for other in (None, "", "x", token[:-1], token + "x"):
        with pytest.raises(SessionMissingError):
            sessions.require(other, START)
    sessions.end(token)
    with pytest.raises(SessionMissingError):
        sessions.require(token, START)


def test_a_session_shows_neither_handle_nor_tokens() -> None:
    sessions: Sessions[bytes] = Sessions()
    token = sessions.open(OWN, "somebody", START)
    session = sessions.require(token, START)
    shown = repr(session)
    assert session.csrf not in shown
    assert "oooo" not in shown
    assert "somebody" not in shown
    assert token not in repr(vars(sessions))


def test_a_post_needs_the_sessions_own_token() -> None:
    sessions: Sessions[bytes] = Sessions()
    first = sessions.require(sessions.open(OWN, "somebody", START), START)
    second = sessions.require(sessions.open(OWN, "somebody", START), START)
    first.require_csrf(first.csrf)
    for other in ("", second.csrf, first.csrf[:-1]):
        with pytest.raises(CrossSiteError):
            first.require_csrf(other)


def test_a_session_that_ended_elsewhere_is_over_and_known_and_one_that_logged_out_is_not() -> None:
    sessions: Sessions[bytes] = Sessions()
    lapsed, left = (sessions.open(OWN, "somebody", START) for _ in range(2))
    sessions.end(left)
    for token in (lapsed, lapsed, left, None, ""):
        sessions.lapse(token, START)
    assert len(sessions) == 0
    assert sessions.find_ended(lapsed, START + PARKED - timedelta(seconds=1)) is not None
    assert sessions.find_ended(left, START) is None
    assert sessions.find_ended(lapsed, START + PARKED) is None


def test_what_has_ended_is_forgotten() -> None:
    sessions: Sessions[bytes] = Sessions()
    sessions.open(OWN, "somebody", START)
    assert len(sessions) == 1
    sessions.purge(START + IDLE)
    assert len(sessions) == 0


def test_whose_a_session_was_is_known_until_what_they_typed_is_forgotten() -> None:
    sessions: Sessions[bytes] = Sessions()
    token = sessions.open(OWN, "somebody", START)
    session = sessions.require(token, START)
    end = START + IDLE
    assert sessions.find_ended(token, end - timedelta(seconds=1)) is None
    ended = sessions.find_ended(token, end + PARKED - timedelta(seconds=1))
    assert ended is not None
    assert (ended.mark, ended.csrf) == (session.mark, session.csrf)
    assert sessions.find_ended(token, end + PARKED) is None
    again = sessions.require(sessions.open(OWN, "somebody", end), end)
    other = sessions.require(sessions.open(OWN, "somebody else", end), end)
    assert again.mark == session.mark
    assert b"somebody" not in again.mark
    assert other.mark != session.mark


def test_of_who_logged_out_nothing_is_known() -> None:
    sessions: Sessions[bytes] = Sessions()
    token = sessions.open(OWN, "somebody", START)
    sessions.end(token)
    assert sessions.find_ended(token, START + IDLE) is None


def test_the_state_of_a_login_is_read_by_this_process_alone_and_in_time() -> None:
    logins = Logins()
    token = logins.seal({"nonce": "n-secret"}, START)
    assert logins.open(token, START + LOGIN_TIME - timedelta(seconds=1)) == {"nonce": "n-secret"}
    assert logins.open(token, START + LOGIN_TIME) == {}
    assert b"n-secret" not in decode_bytes(token)
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BA")
    for other in (None, "", "another", "é", changed, Logins().seal({"nonce": "x"}, START)):
        assert logins.open(other, START) == {}


def test_who_begins_thousands_of_logins_takes_nobodys_away() -> None:
    logins = Logins()
    token = logins.seal({"nonce": "n"}, START)
    for _ in range(10_000):
        logins.seal({}, START)
    assert logins.open(token, START) == {"nonce": "n"}
