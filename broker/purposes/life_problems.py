"""What each refusal in the life of a purpose, and about roles, is in HTTP."""

from __future__ import annotations

_NOT_YOURS = "This is not yours to do"
_DRAFT = "The draft is not right yet"
_UNKNOWN = "There is no such thing"
_OTHERWISE = "Something else stands now"
_KEY = "The policy key or its signature does not fit"

LIFE_PROBLEMS: dict[str, tuple[int, str]] = {
    "role_missing": (403, _NOT_YOURS),
    "own_proposal": (403, _NOT_YOURS),
    "key_not_yours": (403, _KEY),
    "passphrase_wrong": (403, _KEY),
    "too_many_tries": (429, _KEY),
    "passphrase_busy": (503, "Try again"),
    "passphrase_short": (400, _KEY),
    "approval_invalid": (400, _KEY),
    "approver_key": (400, _KEY),
    "sealed_key_missing": (409, _KEY),
    "draft_invalid": (400, _DRAFT),
    "draft_file": (400, _DRAFT),
    "not_as_shown": (409, _KEY),
    "effective_date_past": (400, _DRAFT),
    "number_found": (400, "The text may hold a citizen service number"),
    "nothing_changed": (409, _DRAFT),
    "checks_failed": (409, _DRAFT),
    "replay_missing": (409, "The draft was not replayed"),
    "sign_off_missing": (409, "What would newly be allowed is not signed off"),
    "draft_outdated": (409, _OTHERWISE),
    "proposal_stale": (409, _OTHERWISE),
    "proposal_over": (409, _OTHERWISE),
    "approved_already": (409, _OTHERWISE),
    "role_exists": (409, _OTHERWISE),
    "last_approver": (409, _OTHERWISE),
    "approvals_waiting": (409, _OTHERWISE),
    "officer_token_exists": (409, _OTHERWISE),
    "drafts_full": (409, "There are too many drafts"),
    "proposals_full": (409, "There are too many proposals"),
    "activation_refused": (409, "Published, and not in force"),
    "draft_unknown": (404, _UNKNOWN),
    "proposal_unknown": (404, _UNKNOWN),
    "publication_unknown": (404, _UNKNOWN),
    "revision_unknown": (404, _UNKNOWN),
    "role_unknown": (404, _UNKNOWN),
    "officer_token": (404, _UNKNOWN),
}
