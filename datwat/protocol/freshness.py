"""How long what was signed may be admitted: constants, never fields of a message.

What is signed is first admitted within 60 s of its `iat`; clocks may differ 30 s (reference
"Messages"). What was admitted is answered or resumed for ten minutes: a caller that resumes passes
that as `max_age`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from datwat.protocol.errors import ProtocolError

MAX_AGE = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=30)
RESUME_AGE = timedelta(minutes=10)


def require_fresh(
    issued_at: datetime,
    now: datetime,
    *,
    expired: type[ProtocolError],
    ahead: type[ProtocolError],
    max_age: timedelta = MAX_AGE,
    skew: timedelta = CLOCK_SKEW,
) -> None:
    """Raise `expired` if `issued_at` lies over max_age + skew back, `ahead` if over skew ahead.

    Both moments are aware; a naive one is a fault of the caller and raises ValueError.
    """
    if issued_at.tzinfo is None or now.tzinfo is None:
        msg = "a moment needs a time zone"
        raise ValueError(msg)
    if now - issued_at > max_age + skew:
        raise expired
    if issued_at - now > skew:
        raise ahead
