"""Whether what a partner gave as a telephone number or an e-mail address can be a link. Pure.

Rule: a link says what a partner wrote and nothing more: an address with members of its own
(`?bcc=…`) would fill in somebody's letter for them. What is no link is shown as text.
Source: RFC 6068 (mailto), RFC 3966 (tel).
"""

from __future__ import annotations

import re
from typing import Final

_DIALLED: Final = re.compile(r"\+?[0-9 ()-]{3,25}")
_MAIL: Final = re.compile(r"[A-Za-z0-9._+'-]{1,64}@[A-Za-z0-9.-]{1,190}")


def is_phone(text: str) -> bool:
    """Tell whether a telephone can dial it."""
    return _DIALLED.fullmatch(text) is not None


def is_mail(text: str) -> bool:
    """Tell whether it is an address for e-mail and nothing else."""
    return _MAIL.fullmatch(text) is not None
