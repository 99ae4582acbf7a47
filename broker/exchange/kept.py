"""What is kept although somebody asks to destroy it: pure, one rule per question.

Rules: what a duty or a task that the law gives rests on is kept as long as its purpose says (no
objection is open to it: AVG 17(3)(b), 21; Jeugdwet 7.3.9(2); Wmo 2015 5.3.5(2)); what proves a
consent, an objection with its answer, or an authority is kept (AVG 7(1)); so is the account of what
was told later, of what an officer looked at, and of what was destroyed (AVG 5(2), 23). All of it
ends by itself with its retention. A purpose that the bundle in force does not name any more cannot
be judged: it is kept. `legal_check: open` holds for these rules as it does for the purposes they
read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.audit.payloads import Record

FindPurpose = Callable[[str, str | None], Mapping[str, Any] | None]
"""Returns a purpose of the bundle in force by id and digest, as the catalogue holds it.

A revision that is not in the bundle any more is judged by what the purpose is now.
"""
_PROVES = frozenset({"record_consent", "record_objection", "record_authority", "wish", "answered"})
_ACCOUNTS = frozenset(
    {
        "declare_special_situation", "renewed", "looked", "reviewed", "opened",
        "erased", "kept", "lost", "new_generation",
    }
)  # fmt: skip
_LONGEST_LAW = 200


@dataclass(frozen=True, slots=True)
class Keeping:
    """Why an entry is kept: a code, the law, and the purpose where it is that which obliges."""

    code: str
    law: str
    purpose: str | None = None


def find_keeping(record: Record, find_purpose: FindPurpose) -> Keeping | None:
    """Return why an entry's contents are kept, None where they may go when the person wishes so."""
    if record.event in _ACCOUNTS:
        return Keeping("kept_account", "AVG 5(2), 23")
    if record.event in _PROVES:
        return Keeping("kept_proof", "AVG 7(1)")
    asked = record.asked
    if asked is None or asked.purpose is None:
        return None
    name = asked.purpose
    purpose = find_purpose(name, asked.purpose_digest)
    if purpose is None:
        return Keeping("kept_purpose_gone", "AVG 5(2)", name)
    basis = record.said.legal_basis.model_dump() if record.said and record.said.legal_basis else {}
    basis = basis or purpose["basis"]
    if basis["mode"] != "duty" and purpose["objection"] != "none":
        return None
    law = f"AVG 17(3)(b); {basis['giver_article']}; {basis['taker_article']}"
    return Keeping("kept_duty", law[:_LONGEST_LAW], name)
