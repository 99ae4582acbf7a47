"""What a draft would have decided: kept inputs put to it, beside what was decided.

Rules enforced: a question is put as it was asked, with one change that is said: where its purpose
was known then, it names the revision that stands in the place of the one it named, so that what
differs is what the draft says and not which one it is. What cannot be read is counted, never
guessed. What waits to be told shows in one number only, and under ten in none; no example names
anybody. Source: house reference "policies", authoring, step 6; promise 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from pydantic import ValidationError

from broker.policy.decision import Decision, entry_point_of
from broker.policy.trial import apply_draft
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose
from datwat.protocol.errors import DatwatError

_KNOWN = "known_purpose"


class DamagedInputError(DatwatError):
    """What was kept of a decision cannot be read."""

    code = "replay_damaged"
    default_detail = "What was kept of this decision cannot be read."


@dataclass(frozen=True, slots=True)
class Kept:
    """One decision as it was kept. `revision`: of the bundle that made it."""

    revision: str
    entry_point: str
    evaluation: dict[str, Any] = field(repr=False)
    decided: dict[str, Any] = field(repr=False)

    @property
    def purpose(self) -> str | None:
        """The purpose that was named."""
        named: str | None = self.evaluation.get("purpose")
        return named

    @property
    def partner(self) -> str:
        """The organisation that asked."""
        return str(self.evaluation["requester"]["id"])

    @property
    def is_purpose_known(self) -> bool:
        """Whether the question named a purpose that was there."""
        return any(
            item["code"] == _KNOWN and item["satisfied"] for item in self.decided["findings"]
        )


def read_kept(document: bytes) -> Kept | None:
    """Return the decision in what was kept; None for an entry that decided nothing.

    Raises DamagedInputError.
    """
    try:
        read = orjson.loads(document)
        if read["v"] != 1:
            raise DamagedInputError
        if "evaluation" not in read:
            return None  # a look, an opening, a delivery: it says on which occasion
        evaluation, decided = read["evaluation"], read["decision"]
        kept = Kept(read["revision"], entry_point_of(evaluation["act"]), evaluation, decided)
        if not (isinstance(decided["permit"], bool) and kept.partner):
            raise DamagedInputError
    except (ValueError, KeyError, TypeError):
        raise DamagedInputError from None
    return kept


def put_question(kept: Kept, digests: Mapping[str, str]) -> tuple[bytes, bool]:
    """Return the question as it is put now, and whether it names another revision than it did."""
    evaluation = kept.evaluation
    digest = digests.get(kept.purpose or "")
    if digest is None or evaluation["purpose_digest"] == digest or not kept.is_purpose_known:
        return orjson.dumps(evaluation), False
    return orjson.dumps({**evaluation, "purpose_digest": digest}), True


def is_decided_in_force(kept: Kept, revision: str, digests: Mapping[str, str]) -> bool:
    """Return whether this decision was made by the policy in force, as it stands now."""
    same = kept.evaluation["purpose_digest"] == digests.get(kept.purpose or "")
    return kept.revision == revision and (same or not kept.is_purpose_known)


def normalise(decision: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a decision with every member spelt out; None for what is none."""
    if decision is None:
        return None
    try:
        read = Decision.model_validate_json(orjson.dumps(decision))
    except ValidationError:
        return None
    return read.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class ReplayGround:
    """The two policies of a replay, as data for Rego: in force, and with the draft in its place.

    `digests`: by purpose the revision that a question names, the same in both.
    """

    base: dict[str, Any] = field(repr=False)
    draft: dict[str, Any] = field(repr=False)
    digests: Mapping[str, str]


def build_ground(
    catalogue: Catalogue, now: datetime, *, draft: Purpose | None = None, without: str | None = None
) -> ReplayGround:
    """Return both policies, each purpose as though its present revision had always been in force.

    `draft` stands in the place of its purpose, whenever it is to begin; `without` is taken out.
    Raises PolicyFileError where the draft does not fit.
    """
    base = catalogue.to_data()
    base["purposes"] = {
        name: _stand_still(purpose, _choose_shown(catalogue, name, now))
        for name, purpose in base["purposes"].items()
    }
    digests = {name: one["revisions"][0]["digest"] for name, one in base["purposes"].items()}
    changed = dict(base["purposes"])
    if draft is not None:
        data = apply_draft(catalogue, draft, now).to_data()["purposes"][draft.id]
        held = changed.get(draft.id)
        changed[draft.id] = _put_in_place(data["revisions"][-1], held)
        digests.setdefault(draft.id, data["revisions"][-1]["digest"])
    if without is not None:
        changed.pop(without, None)
    return ReplayGround(base, {**base, "purposes": dict(sorted(changed.items()))}, digests)


def _choose_shown(catalogue: Catalogue, name: str, now: datetime) -> int:
    """Return which revision stands for a purpose: the last that has begun, else the first."""
    begun = [one for one in catalogue.purposes[name] if one.valid_from <= now]
    return max(len(begun) - 1, 0)


def _stand_still(purpose: Mapping[str, Any], number: int) -> dict[str, Any]:
    revisions = purpose["revisions"]
    begin, chosen = revisions[0]["valid_from"], revisions[number]
    still = {**chosen, "valid_from": begin, "until_at": chosen["valid_until"]}
    return {**purpose, "revisions": [still]}


def _put_in_place(newest: Mapping[str, Any], held: Mapping[str, Any] | None) -> dict[str, Any]:
    changed = {**newest, "until_at": newest["valid_until"]}
    if held is not None:
        was = held["revisions"][0]
        changed |= {"digest": was["digest"], "valid_from": was["valid_from"]}
    return {"id": newest["id"], "revisions": [changed]}
