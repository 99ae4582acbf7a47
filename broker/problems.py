"""What each error of the broker is in HTTP: read once, when the broker's process is composed.

Rules: every code has one row; who can do something about it gets 4xx, what passes by itself 503,
and a fault of the broker's own 500, of which nothing is told (`datwat/party/problems.py`).
"""

from __future__ import annotations

from broker.exchange.errors import EXCHANGE_PROBLEMS
from broker.purposes.life_problems import LIFE_PROBLEMS
from datwat.party.problems import register_problems

_FAULT = (500, "The party has a fault")
_LOG = (503, "The log cannot be written now")
_AGAIN = (503, "Try again")
_TOKEN = (400, "The request for a token is refused")
_CLIENT = (401, "The client is not accepted")

register_problems(EXCHANGE_PROBLEMS)
register_problems(LIFE_PROBLEMS)
register_problems(
    {
        "bundle_token": (401, "The token is missing or not known"),
        "bundle_too_large": (413, "The policy bundle would be too large"),
        "policy_changed": (409, "The rules changed meanwhile"),
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
        "entry_unknown": (404, "There is no such entry"),
        "month_unknown": (400, "There is no such month"),
        "month_uncounted": (404, "There are no figures of that month"),
        "number_in_note": (400, "A number is in the text"),
        "activity_unknown": (404, "There is no such processing activity"),
        "list_unknown": (404, "There is no such list"),
        "sample_empty": (409, "Nothing can be drawn yet"),
        "objection_unknown": (404, "There is no such objection"),
        "question_unknown": (404, "There is no such question"),
        "answered_already": (409, "It was answered before"),
        "duty_unknown": (404, "There is nothing of that number in this list"),
        "item_unknown": (404, "There is nothing of that number in this list"),
        "outcome_unfit": (400, "The outcome does not fit this list"),
        "controller_missing": (400, "It is not said whose decision it is"),
        "term_missing": (400, "The end of the term is missing"),
        "second_missing": (400, "Two persons do this together"),
        "answer_text_missing": (400, "The words are missing"),
        "answer_too_long": (400, "The answer is too long"),
        "block_unknown": (400, "There is no such building block"),
        "number_in_answer": (400, "The text may hold a citizen service number"),
        "renewal_reason": (400, "A reason is missing"),
        "reason_missing": (400, "A reason is missing"),
        "opening_early": (409, "The special situation cannot be opened yet"),
        "backup_unusable": (409, "The backup cannot be made or used"),
        "token_request": _TOKEN,
        "token_grant": _TOKEN,
        "token_scope": _TOKEN,
        "access_client_refused": _CLIENT,
        "assertion_refused": _CLIENT,
        "access_token_missing": _CLIENT,
        "officer_token_missing": (401, "The token is missing or not known"),
        "access_client_key": (400, "The key is not of the accepted form"),
        "access_client_unknown": (404, "There is no such client"),
        "access_client_exists": (409, "The client is there already"),
        "request_id_invalid": (400, "The request cannot be read"),
        "renewal_refused": (409, "The term cannot be moved so"),
        "guard_rail": (400, "No purpose can switch a guard rail off"),
        "trial_refused": (400, "The draft cannot be tried"),
        "trial_failed": (503, "The trial gave no result"),
        "trial_busy": (409, "Another trial runs"),
        "replay_unknown": (404, "There is no such replay"),
        "replay_state": (409, "The replay is in another state"),
        "replay_damaged": _FAULT,
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
                "ldv_target_invalid",
                "ldv_not_acknowledged",
                "opa_missing",
                "opa_start",
                "opa_refused",
                "opa_behind",
                "bundle_cases",
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
