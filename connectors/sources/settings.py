"""What all sources share: how long they may take, how much they may say, whence secrets come."""

from __future__ import annotations

from collections.abc import Callable

SECONDS = 2.0
LIST_SECONDS = 120.0
MAX_ANSWER_BYTES = 1_048_576

# Returns the secret with this name from the home folder; raises SecretError.
ReadSecret = Callable[[str], bytes]
