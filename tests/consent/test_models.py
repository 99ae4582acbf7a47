"""When a consent counts: given, not over, not withdrawn."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from broker.consent.models import is_in_force
from tests.adapters.registers import DAY, NOW, build_consent

moments = st.integers(-50, 50).map(lambda n: NOW + n * DAY)


@given(given_at=moments, until_at=moments, withdrawn_at=st.none() | moments, now=moments)
def test_a_consent_counts_within_its_time_and_never_after_withdrawal(
    given_at: datetime, until_at: datetime, withdrawn_at: datetime | None, now: datetime
) -> None:
    row = build_consent(given_at=given_at, until_at=until_at, withdrawn_at=withdrawn_at)
    assert is_in_force(row, now) == (withdrawn_at is None and given_at <= now < until_at)
