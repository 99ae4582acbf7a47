"""Errors of a party: what goes wrong around the protocol, each with a code that may be shown.

Rule: the detail is one sentence for people that says what is wrong and what to do; it never holds a
value that came from outside. `problems.py` gives every code its place in HTTP.
"""

from __future__ import annotations

from datwat.protocol.errors import DatwatError


class PartyError(DatwatError):
    """Something around the protocol stands in the way: set-up, a peer, a right, a limit."""

    code = "party_error"
    default_detail = "The party cannot do this now."
