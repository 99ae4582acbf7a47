"""What can be wrong with a ratchet: locked, damaged, not to be written, or something going back."""

from __future__ import annotations

from datwat.protocol.errors import DatwatError


class RatchetError(DatwatError):
    """The ratchet cannot be used."""

    code = "ratchet_unusable"
    default_detail = "The ratchet cannot be used."


class RatchetLockedError(RatchetError):
    """Another process holds it."""

    code = "ratchet_locked"
    default_detail = "Another process uses this ratchet; stop it first."


class RatchetDamagedError(RatchetError):
    """The file is not what this module wrote."""

    code = "ratchet_damaged"
    default_detail = "The ratchet's file is damaged or was cut back; do not serve from it."


class RatchetBrokenError(RatchetError):
    """Writing failed once; nothing after that can be trusted."""

    code = "ratchet_broken"
    default_detail = "The ratchet could not be written; the process must stop."


class RatchetAwayError(RatchetError):
    """The server of a ratchet does not answer; whether something was written is not known."""

    code = "ratchet_away"
    default_detail = (
        "The ratchet's server does not answer: nothing is signed until it does. Check ratchet_url "
        "and that the server runs."
    )


class RatchetRefusedError(RatchetError):
    """Something would go back."""

    code = "ratchet_refused"
    default_detail = "This is older than what was accepted before."


class RatchetAlarmError(RatchetError):
    """Two different things claim the same place: a fork."""

    code = "ratchet_alarm"
    default_detail = "Something else was accepted at this place before: raise the alarm."
