"""Errors of the registers: a lost race, which is tried again, and rows that do not belong together.

None of them is ever answered as it is: a lost race is retried by the life of the question, the two
mismatches mean that somebody changed the database and are alarms.
"""

from __future__ import annotations

from datwat.party.errors import PartyError


class RaceLost(PartyError):  # noqa: N818 - nothing is wrong: somebody else was first
    """Another request wrote the same thing first: roll back to the savepoint and gather anew."""

    code = "race_lost"
    default_detail = "Another request was first: send this one again."


class RegisterAlarm(PartyError):  # noqa: N818 - an alarm, whatever the cause
    """A row of a register does not belong where it lies: stop this question, tell the operator."""

    code = "register_alarm"
    default_detail = "The broker cannot answer this now; its operator has been alarmed."


class SubjectMismatch(RegisterAlarm):
    """The pseudonym that lies sealed beside an index is not the one that was looked for."""

    code = "subject_mismatch"


class ReferenceMismatch(RegisterAlarm):
    """The sealed copy of a reference does not belong to this partner, kind and target."""

    code = "reference_mismatch"


class RowMismatch(RegisterAlarm):
    """The sealed words of a row do not belong to its id."""

    code = "row_mismatch"


class RotationConflict(RegisterAlarm):
    """A turned pseudonym is in the database already: one person would have two subjects."""

    code = "rotation_conflict"


class RotationLost(RegisterAlarm):
    """Rows lie under two epochs, and the key holder knows of no rotation between these two.

    One of the two parties was put back from a backup. People must decide: docs/how-to/keys.md.
    """

    code = "rotation_lost"


class RotationWaits(PartyError):  # noqa: N818 - nothing is wrong: it passes by itself
    """Rows lie under two epochs, and this process does not have yet what leads between them.

    Nothing was written: the same message may be sent again.
    """

    code = "rotation_waits"
    default_detail = "Pseudonyms are being renewed: send the same message again in a moment."


class EpochLeftError(PartyError):
    """A ticket of an epoch that no pseudonym of this broker lies under (any more, or not yet)."""

    code = "epoch_left"
    default_detail = (
        "The broker's pseudonyms are of another epoch than this ticket: ask for a new ticket. "
        "If that is refused too, the broker's operator must look at `datwat broker status`."
    )
