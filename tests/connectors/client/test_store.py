"""What the client remembers, on the migrated schema, and what it never does."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from sqlalchemy import Engine, inspect, text

from connectors.client.applications import Applications
from connectors.client.runs import RunStore
from connectors.client.store import ClientStore
from connectors.errors import ApplicationExistsError, TokenRefusedError
from datwat.protocol.freshness import RESUME_AGE
from tests.connectors.client.written import build_request
from tests.party.covenant import now


def reference() -> bytes:
    return os.urandom(16)


def test_no_table_has_room_for_a_bsn_a_name_or_a_date_of_birth(own_engine: Engine) -> None:
    found = inspect(own_engine)
    columns = {c["name"] for table in found.get_table_names() for c in found.get_columns(table)}
    assert "handle" in columns
    forbidden = ("bsn", "birth", "family", "surname")
    assert not [name for name in columns if any(word in name for word in forbidden)]


def test_handles_by_number_and_back(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    first, second = reference(), reference()
    store.keep_handles({"1": first, "2": second}, now())
    store.keep_handles({"2": first}, now())
    assert store.find_handles(["1", "2", "3"], now()) == {"1": first, "2": first}
    many = {str(n): reference() for n in range(1_200)}
    store.keep_handles(many, now())
    assert store.find_handles(many, now()) == many


def test_involvements_remember_the_run_that_made_them(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    held = reference()
    store.keep_involvements([("1", "youth_help", held, None)], now())
    assert store.list_involvements()[0].run is None
    store.keep_involvements([("1", "youth_help", held, now())], now(), run=4)
    store.keep_involvements([("1", "youth_help", held, now())], now())
    found = store.find_involvement("1", "youth_help")
    assert found is not None
    assert (found.run, found.reference) == (4, held)
    store.forget_involvements([("1", "youth_help")])
    assert store.find_involvement("1", "youth_help") is None


def test_occasions_keep_their_members_in_order(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    store.add_occasion("A-1", reference(), ["9", "1", "5"], now())
    occasion = store.find_occasion("A-1")
    assert occasion is not None
    assert (occasion.members, occasion.is_open) == (("9", "1", "5"), True)
    store.close_occasion("A-1", now())
    closed = store.find_occasion("A-1")
    assert closed is not None
    assert not closed.is_open
    assert store.find_occasion("A-2") is None


def test_a_pointer_keeps_its_number_when_it_is_shown_again(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    shown = reference()
    number = store.keep_pointers("1", [(shown, None)], now())[shown]
    again = store.keep_pointers(
        "1", [(shown, "00000099000000000002:debt"), (reference(), None)], now()
    )
    assert again[shown] == number
    pointer = store.find_pointer(number)
    assert pointer is not None
    assert (pointer.client, pointer.source) == ("1", "00000099000000000002:debt")
    assert shown.hex() not in repr(pointer)


def test_a_message_stays_pending_until_it_is_answered(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    sent = build_request("register", 2)
    store.record_sent(sent, {"keys": [["1", "youth_help"]]}, now())
    store.record_sent(build_request("register"), None, now() - RESUME_AGE - timedelta(seconds=5))
    pending = store.list_pending(("register",), now() - RESUME_AGE)
    assert [(found.sent, found.context) for found in pending] == [
        (sent, {"keys": [["1", "youth_help"]]})
    ]
    store.record_answer(sent.rid, b"{}", "answered")
    assert store.list_pending(("register",), now() - RESUME_AGE) == []


def test_a_wrong_person_is_forgotten_whole(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    store.keep_handles({"1": reference(), "2": reference()}, now())
    store.keep_involvements([("1", "youth_help", reference(), None)], now())
    store.keep_pointers("1", [(reference(), None)], now())
    store.add_occasion("a", reference(), ["1", "2"], now())
    store.add_occasion("b", reference(), ["1"], now())
    store.forget_client("1", now())
    both, alone = store.find_occasion("a"), store.find_occasion("b")
    assert both is not None
    assert (both.members, both.is_open) == (("2",), True)
    assert alone is not None
    assert (alone.members, alone.is_open) == ((), False)
    assert set(store.find_handles(["1", "2"], now())) == {"2"}
    with own_engine.connect() as connection:
        for table in ("pointers", "involvements"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0


def test_tokens_open_for_their_application_until_they_are_revoked(own_engine: Engine) -> None:
    applications = Applications(own_engine)
    token = applications.add("client-system", now())
    assert applications.require_token(f"Bearer {token}") == "client-system"
    with pytest.raises(ApplicationExistsError):
        applications.add("client-system", now())
    for header in ("", token, f"bearer {token}", "Bearer ", f"Bearer {token}x", f"Basic {token}"):
        with pytest.raises(TokenRefusedError):
            applications.require_token(header)
    with own_engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM applications")).all()
    assert token.encode() not in repr(rows).encode()
    assert applications.revoke("client-system")
    with pytest.raises(TokenRefusedError):
        applications.require_token(f"Bearer {token}")


def test_a_run_that_stopped_is_taken_up_and_one_that_finished_is_not(own_engine: Engine) -> None:
    runs = RunStore(own_engine)
    day = timedelta(days=1)
    first = runs.take_up(now(), day)
    runs.set_total(first, 3)
    runs.add(first, registered=2, reconfirmed=0, ended=0)
    runs.fail(first, ("3", "youth_help"), "identity_missing")
    runs.finish(first, "stopped", now(), "peer_unreachable")
    state = runs.require(first)
    assert (state.state, state.total, state.registered, state.failed) == ("stopped", 3, 2, 2)
    assert state.failures == {"identity_missing": 1, "peer_unreachable": 1}
    assert runs.take_up(now(), day) == first
    assert runs.require(first).failures == {}
    runs.finish(first, "finished", now())
    second = runs.take_up(now(), day)
    assert second != first
    runs.finish(second, "stopped", now())
    assert runs.take_up(now() + 2 * day, day) not in (first, second)
