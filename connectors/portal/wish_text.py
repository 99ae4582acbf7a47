"""What a resident typed may not carry a citizen service number past the portal (promise 1).

Rule: whoever types their own number into a question or an objection is told so, before anything is
sent; the broker would keep it, sealed, and never needs it. Nine digits that pass the eleven-test
count, however they are spaced: now and then another number does too, and is left out as well.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.portal.errors import NumberInTextError
from datwat.protocol.acts import Wish
from datwat.protocol.blinding import BsnError, normalise_bsn

_NUMBER: Final = re.compile(r"(?<!\d)\d(?:[ .\-/]?\d){8}(?!\d)")


def require_no_number(wish: Wish) -> None:
    """Raise NumberInTextError where a text of the wish has a number that may be a BSN."""
    texts = (
        wish.asks.text if wish.asks else "",
        wish.objection.reason if wish.objection else "",
    )
    for text in texts:
        require_no_number_in(text)


def require_no_number_in(text: str) -> None:
    """Raise NumberInTextError where a text has a number that may be a BSN."""
    if any(_is_bsn(found.group()) for found in _NUMBER.finditer(text)):
        raise NumberInTextError


def _is_bsn(spelled: str) -> bool:
    try:
        normalise_bsn(re.sub(r"\D", "", spelled))
    except BsnError:
        return False
    return True
