"""Introductions: a code works once, within a week, to register or to open an occasion."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.involvement.introductions import (
    VALID_FOR,
    derive_audience,
    derive_introduction_end,
    derive_state,
    is_redeemable,
)
from broker.pseudonyms.reference_rows import Introduction
from tests.adapters.registers import DAY, NOW, TEAM

hours = st.integers(-200, 400).map(lambda n: NOW + timedelta(hours=n))


def build(redeemed_at: datetime | None = None) -> Introduction:
    return Introduction(b"\x01" * 16, TEAM, "open", None, derive_introduction_end(NOW), redeemed_at)


@given(
    redeemed_at=st.none() | hours,
    act=st.sampled_from(["register", "open_occasion", "inquire", "release", "introduce"]),
    now=hours,
)
def test_a_code_works_once_within_a_week_for_two_acts(
    redeemed_at: datetime | None, act: str, now: datetime
) -> None:
    expected = (
        redeemed_at is None and now - NOW < VALID_FOR and act in {"register", "open_occasion"}
    )
    assert is_redeemable(build(redeemed_at), act, now) == expected


def test_a_week_is_seven_days() -> None:
    assert derive_introduction_end(NOW) == NOW + 7 * DAY


@pytest.mark.parametrize(
    ("redeemed_at", "now", "state"),
    [
        (None, NOW, "given"),
        (None, NOW + 7 * DAY, "over"),
        (NOW, NOW, "redeemed"),
        (NOW, NOW + 9 * DAY, "redeemed"),
    ],
)
def test_its_giver_sees_where_it_stands(
    redeemed_at: datetime | None, now: datetime, state: str
) -> None:
    assert derive_state(build(redeemed_at), now) == state


def test_a_confidential_occasion_hands_on_its_chain() -> None:
    assert derive_audience(confidential=True) == "own"
    assert derive_audience(confidential=False) == "open"
