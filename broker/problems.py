"""What each error of the broker is in HTTP: read once, when the broker's process is composed.

Rules: every code has one row; who can do something about it gets 4xx, what passes by itself 503,
and a fault of the broker's own 500, of which nothing is told (`datwat/party/problems.py`).
"""

from __future__ import annotations

from broker.exchange.errors import EXCHANGE_PROBLEMS
from datwat.party.problems import register_problems

_FAULT = (500, "The party has a fault")
_LOG = (503, "The log cannot be written now")
_AGAIN = (503, "Try again")

register_problems(EXCHANGE_PROBLEMS)
register_problems(
    {
        "policy_unavailable": (503, "The policy engine gives no decision"),
        "log_unavailable": _LOG,
        "log_busy": _LOG,
        "key_store_unavailable": _LOG,
        "log_stopped": _LOG,
        "log_lost_race": _AGAIN,
        "tag_root_moved": _AGAIN,
        "log_gap": (503, "Part of the log is missing"),
        "entry_outside": (404, "The log has no such part"),
        "generation_unknown": (404, "The log has no such part"),
        "witness_refused": (502, "Another party did not give a usable answer"),
        "witness_ahead": (502, "Another party did not give a usable answer"),
        "race_lost": _AGAIN,
        "cursor_invalid": (400, "The cursor is not valid"),
        "proof_quarters": (400, "The quarters are not valid"),
        "proof_not_ready": (503, "The proof cannot be made now"),
        "partner_not_listed": (404, "The trust list names no such partner"),
        "situation_unknown": (404, "There is no such special situation"),
        "second_person": (400, "Two persons do this together"),
        "erasure_unknown": (404, "There is no such wish"),
        "objection_unknown": (404, "There is no such objection"),
        "question_unknown": (404, "There is no such question"),
        "answered_already": (409, "It was answered before"),
        "reason_missing": (400, "A reason is missing"),
        "opening_early": (409, "The special situation cannot be opened yet"),
        "backup_unusable": (409, "The backup cannot be made or used"),
        "renewal_refused": (409, "The term cannot be moved so"),
        **dict.fromkeys(
            (
                "log_behind",
                "log_damaged",
                "log_forked",
                "log_missing",
                "generation_unneeded",
                "generation_form",
                "database_unsafe",
                "kek_unusable",
                "backup_kek",
                "backup_over",
                "opa_missing",
                "opa_start",
                "opa_key",
                "opa_token",
                "bundle_folder",
                "policy_file_invalid",
                "not_listed",
                "register_alarm",
                "reference_mismatch",
                "row_mismatch",
                "subject_mismatch",
            ),
            _FAULT,
        ),
    }
)
