"""The table: every code of the protocol and of the parties' common ground, with status and title.

Data only. Invalid input is 400, never 422 (API Design Rules); who is not heard gets 403 (there is
no challenge to answer, so not 401); what a peer did wrong is 502 or 504. A code that only a start
or a command can meet is a fault of the party where a caller meets it: 500, without details.
"""

from __future__ import annotations

_CODES: dict[tuple[int, str], str] = {
    (400, "The input is not valid"): "input_invalid bsn_invalid product_field_unknown",
    (400, "The request cannot be read"): "request_refused transaction_id_invalid",
    (400, "The JSON is not accepted"): (
        "json_refused json_not_utf8 json_malformed json_duplicate_key json_float json_big_integer "
        "json_lone_surrogate json_too_deep json_key json_kind json_not_canonical"
    ),
    (400, "The message does not follow the protocol"): (
        "protocol_error message_refused message_form message_header message_object message_parts "
        "message_rid message_time message_type message_version"
    ),
    (400, "The message is not of this time"): "message_expired message_ahead",
    (400, "The key is not of the accepted form"): "key_form key_exchange",
    (400, "A point or scalar is not valid"): (
        "group_refused group_point group_scalar voprf_element_count voprf_proof"
    ),
    (400, "The ticket does not fit this message"): (
        "ticket_refused ticket_form ticket_key_unknown ticket_forged ticket_partner ticket_class "
        "ticket_rid ticket_elements ticket_expired ticket_ahead ticket_epoch ticket_scalar "
        "ticket_evaluation_key"
    ),
    (400, "The proof of the log does not hold"): (
        "checkpoint_invalid checkpoint_malformed checkpoint_origin checkpoint_unsigned "
        "checkpoint_signature_invalid verifier_key_malformed proof_invalid inclusion_fails "
        "consistency_fails receipt_invalid receipt_outside entry_malformed entry_content_invalid "
        "tile_refused tile_content tlog_proof_malformed "
        "cosignatures_missing cosigning_refused cosigning_form "
        "card_data tag_proof_invalid tag_twice"
    ),
    (400, "The completeness bundle does not hold"): (
        "completeness_refused completeness_form completeness_other_log completeness_rolls "
        "completeness_tag_root completeness_tail completeness_gap completeness_end "
        "completeness_place completeness_entry completeness_opened completeness_opening "
        "completeness_term completeness_ended "
        "completeness_other_roll completeness_older held_entries_form held_entries_log"
    ),
    (400, "The envelope does not hold"): (
        "envelope_refused envelope_core envelope_field envelope_field_extra envelope_field_missing "
        "envelope_field_size envelope_key envelope_subject envelope_value envelope_value_too_large"
    ),
    (400, "The order does not hold"): (
        "order_refused order_ahead order_core_form order_core_type order_edge_missing "
        "order_expired order_field_not_allowed order_field_outside_purpose order_field_twice "
        "order_field_unrequested order_form order_not_cosigned order_object "
        "order_other_involvement order_other_request order_other_rid order_other_source "
        "order_purpose_not_in_force order_purpose_unknown order_request order_request_ahead "
        "order_request_late order_requester"
    ),
    (403, "No key of the log signed"): "cosigning_unsigned",
    (404, "Another log"): "cosigning_origin",
    (404, "The log has no such part"): "tile_path tile_outside",
    (409, "Another size is held"): "cosigning_size",
    (422, "The checkpoint is not proved to grow"): "cosigning_proof cosigning_fork",
    (409, "The log's proof must be another one"): "order_need_proof order_log_forked",
    (400, "The document does not hold"): (
        "document_form document_threshold bundle_form bundle_digest bundle_stale trust_list_form "
        "approval_form"
    ),
    (400, "What was sealed does not open"): "seal_broken rotation_sealed",
    (400, "The shares do not hold"): "share_refused",
    (400, "The command cannot be carried out"): (
        "command_refused trust_card trust_draft trust_draft_incomplete "
        "next_key_there next_key_none next_key_unknown"
    ),
    (403, "The signature does not count"): (
        "message_key_unknown message_signature message_issuer message_audience"
    ),
    (403, "The party does not take part"): (
        "issuer_refused issuer_unknown covenant_expired partner_suspended"
    ),
    (403, "The token is not accepted"): "admin_token metrics_token",
    (404, "Not found"): "not_found",
    (405, "Method not allowed"): "method_not_allowed",
    (406, "Not acceptable"): "not_acceptable",
    (408, "The body did not arrive in time"): "body_too_slow",
    (409, "This request id was used for another request"): "rid_reused",
    (413, "The body is too large"): "body_too_large json_too_large completeness_too_large",
    (415, "Unsupported media type"): "media_type",
    (500, "The party has a fault"): (
        "error party_error internal_error settings_invalid home_exists secret_unusable "
        "database_unusable database_too_new database_unreachable "
        "database_starting database_entry database_old_server database_encoding database_rights "
        "database_unfinished database_copy database_role_name text_missing "
        "libsodium_missing voprf_self_test command_unavailable file_unreadable "
        "already_running held_stopped not_running command_slow port_taken start_failed "
        "ratchet_unusable ratchet_locked ratchet_damaged ratchet_broken ratchet_refused "
        "ratchet_alarm tag_index_damaged "
        "trust_list_unusable trust_list_pin trust_list_old trust_list_keys"
    ),
    (502, "Another party did not give a usable answer"): (
        "peer_failed peer_unreachable peer_answer_invalid peer_refused"
    ),
    (503, "The database does not answer"): (
        "database_away database_read_only database_not_durable ratchet_away"
    ),
    (503, "Too busy"): "too_busy",
    (503, "The broker was just restored"): "peer_restored",
    (503, "The trust list has expired"): "trust_list_expired",
    (504, "Another party did not answer in time"): "peer_too_slow",
}

ROWS: dict[str, tuple[int, str]] = {
    code: row for row, codes in _CODES.items() for code in codes.split()
}
