"""What can be wrong with the files that policy officers write."""

from __future__ import annotations

from datwat.protocol.errors import DatwatError


class PolicyFileError(DatwatError):
    """A policy file does not hold: which file, where, and what is wrong with it."""

    code = "policy_file_invalid"
    default_detail = "A policy file is not valid."
