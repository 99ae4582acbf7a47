"""The table: every event that a process may log, with the only members it may have. Data only.

Rule: what is not here is not written (`telemetry.py`): not the event, not the member. A member is a
number, a code, a name of our own, or a party of the trust list, which are organisations; never a
person, a reference, a text from outside. The page docs/reference/events.md is written from this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class EventRow(NamedTuple):
    """One event: its own members, what it means, and what to do about it (empty: nothing)."""

    members: tuple[str, ...]
    means: str
    what_to_do: str = ""


# What a member holds. `by` is somebody's id in one event only, which says why.
MEMBERS: Final[Mapping[str, str]] = {
    "admin": "an address of this process",
    "alarm": "number of an alarm",
    "api": "an address of this process",
    "by": "id of an employee of this organisation",
    "code": "code of a problem ([codes.md](codes.md)), or the class of an error",
    "count": "how many",
    "current": "number of the epoch of the scalar under which pseudonyms are written",
    "damaged": "how many pseudonyms open no more",
    "entry": "number of an entry of the log",
    "epoch": "number of an epoch of the scalar",
    "exception": "class of an error, with the code of its database driver; never its text",
    "failure": "code of why a witness did not vouch; null: it vouches again",
    "first_load": "how many clients may be registered beyond the quota",
    "gateway": "an address of this process",
    "leaving": "number of the epoch of the scalar that is left",
    "library": "name of a library's logger",
    "line": "number of a line of that source",
    "local": "an address of this process",
    "method": "HTTP method",
    "metrics": "an address of this process",
    "ms": "milliseconds",
    "name": "name of a witness",
    "number": "number of an alarm, of a process, or of a key of the row key's ring",
    "opa": "an address of this process",
    "pages": "an address of this process",
    "partner": "`OIN:function` of the trust list",
    "partners": "how many partners",
    "place": "file of the source: a library's, or our own",
    "plugin": "part of OPA",
    "request_class": "register, inquire or self",
    "route": "template of a route; never the address that was asked for",
    "second_by": "as `by`",
    "rows": "how many pseudonyms",
    "seq": "number of a list or bundle",
    "size": "entries of the log",
    "state": "begun or turned",
    "status": "HTTP status; 0: none was sent",
    "step": "step of housekeeping, or what another process changed",
    "steps": "steps of housekeeping",
    "to": "`OIN:function` of the trust list",
    "type": "kind of message",
}
# Every event has these besides its own.
ALWAYS: Final = ("event", "level", "room", "at", "trace_id", "span_id", "transaction_id")
# What is written in the place of an event, or beside the members, that have no row.
UNLISTED: Final = "unlisted"

_AGAIN: Final = "It is tried again. Look at the database and at its disk if it stays."
_PERSON: Final = "A person looks, today, before anything is cleared or restarted."

EVENTS: Final[Mapping[str, EventRow]] = {
    "alarm": EventRow(
        ("code",), "The witness found that the log forked or shrank. It vouches no more.", _PERSON
    ),
    "alarm_cleared": EventRow(
        ("alarm", "number"), "Somebody looked at an alarm and cleared it.", "Know who that was."
    ),
    "change_not_taken_up": EventRow(
        ("step", "exception"),
        "This process could not take up what another one changed: it answers nobody until it can.",
        _AGAIN,
    ),
    "cosigned": EventRow(("size",), "The witness vouched for a checkpoint."),
    "coverage_failed": EventRow(
        ("exception",), "The gateway could not look what witnesses vouch for.", _AGAIN
    ),
    "desk_visit": EventRow(
        ("by", "second_by", "entry"),
        "Two employees helped a resident at the desk. The organisation answers for who looks, so "
        "their ids are in its own log; whom they helped is in none.",
    ),
    "envelope_refused": EventRow(
        ("code",), "A source's answer did not hold: nothing of it was shown.", "Tell the source."
    ),
    "epoch_aborted": EventRow(
        ("leaving", "current"), "The key holder takes its scalar's rotation back."
    ),
    "epoch_begun": EventRow(
        ("leaving", "current"), "The scalar rotates: pseudonyms are turned to another epoch."
    ),
    "epoch_ended": EventRow(("current",), "A rotation of the scalar ended: one epoch is left."),
    "epoch_failed": EventRow(
        ("code",),
        "A step of the scalar's rotation failed.",
        "It is tried again. `rotation_conflict` and `rotation_lost` stay: docs/how-to/keys.md.",
    ),
    "epoch_row_damaged": EventRow(
        (),
        "A pseudonym does not open, so that it was not turned: nobody is found by it.",
        "Look whether `row.key` is the one of this database.",
    ),
    "epoch_told": EventRow(("state",), "The broker told the key holder how far the turning is."),
    "epoch_turned": EventRow(("rows", "damaged"), "Every pseudonym lies under the new epoch."),
    "fault": EventRow(
        ("exception", "place", "line"),
        "A fault of our own: the caller got 500 and no details.",
        "Report it with the line: this should not happen.",
    ),
    "generation_notice_failed": EventRow(
        ("exception",), "Residents could not be told yet that the log began anew.", _AGAIN
    ),
    "housekeeping_begun": EventRow(
        ("number",), "This process keeps house from now on, for all of this broker."
    ),
    "housekeeping_failed": EventRow(
        ("step", "exception"), "A step of housekeeping failed: what is over does not end.", _AGAIN
    ),
    "housekeeping_goes_on": EventRow(("steps",), "Housekeeping works again."),
    "housekeeping_lost": EventRow(
        ("exception",),
        "This process lost its session at the database: another one keeps house.",
        "Look at the database's server, and at the way to it.",
    ),
    "ldv_not_delivered": EventRow(
        ("code",),
        "The collector did not take records of processing.",
        "Nothing is lost for 30 days: look whether the collector runs.",
    ),
    "ldv_round_failed": EventRow(
        ("exception",), "Records of processing could not be read or sent.", _AGAIN
    ),
    "ldv_rows_unreadable": EventRow(
        ("count",),
        "Records of processing do not open.",
        "Look whether `row.key` is the one of this database.",
    ),
    "library": EventRow(
        ("library", "place", "line", "exception"),
        "A library of others warned. Its text could repeat what came in, so only the place in its "
        "source is told.",
        "Look there what it means.",
    ),
    "log_fork": EventRow(("size",), "The broker showed this party two logs of one size.", _PERSON),
    "log_forked": EventRow(("size",), "The gateway saw the log fork. It takes no orders.", _PERSON),
    "log_not_cosigned": EventRow(
        ("size",),
        "Too few witnesses vouched for a quarter of an hour. The gateway takes no orders.",
        "Look at the witnesses with the broker, then `datwat connector clear-alarm`.",
    ),
    "log_stopped": EventRow(
        ("exception",),
        "The log cannot go on (its disk, its database, or a proof against it): the broker ends.",
        "Look at disk and database; then start again. A damaged log refuses to start.",
    ),
    "login_refused": EventRow(
        ("exception",), "The identity provider's answer did not hold: nobody was let in."
    ),
    "look_failed": EventRow(("exception",), "The state of a part could not be read.", _AGAIN),
    "month_not_counted": EventRow(
        ("code", "exception"), "The figures of a month could not be counted.", _AGAIN
    ),
    "not_cosigned": EventRow(("code",), "The witness did not vouch for what it was shown."),
    "not_covered": EventRow(
        ("code", "size"), "Enough witnesses do not vouch yet for what the gateway accepted."
    ),
    "not_delivered": EventRow(
        ("type", "to", "code"),
        "A partner's gateway did not take a message. It is sent again.",
        "Call its administrator if it stays.",
    ),
    "opa_lost": EventRow(
        (),
        "OPA ended or hung: every question is refused until it runs again, which is at once.",
        "Look at memory if it comes back.",
    ),
    "opa_said": EventRow(
        ("plugin",),
        "OPA reported an error. Its text is not taken over.",
        "`bundle`: it refused a bundle. Else start OPA by hand with the same bundle to read it.",
    ),
    "outbox_round_failed": EventRow(("exception",), "Messages to gateways wait.", _AGAIN),
    "own_keys_not_read": EventRow(
        ("code",), "A file of an own key that changed could not be read.", "Run `keys status`."
    ),
    "own_keys_read": EventRow(("count",), "The files of an own key changed; so many are held."),
    "partner_closed": EventRow(("partner",), "A partner was closed at the key holder."),
    "partner_opened": EventRow(
        ("partner", "first_load"), "A partner was opened at the key holder."
    ),
    "policy_bundle_not_refreshed": EventRow(
        ("code",), "The policy bundle could not be fetched: the one held stays.", _AGAIN
    ),
    "policy_not_kept": EventRow(
        ("code",), "A bundle is in force and could not be kept for the next start.", _AGAIN
    ),
    "policy_refused": EventRow(
        ("code",),
        "A published bundle was not taken up: the old one stays.",
        "Ask the approvers to publish again.",
    ),
    "policy_round_failed": EventRow(
        ("exception",), "It could not be looked whether there is a new bundle.", _AGAIN
    ),
    "provider_refused": EventRow((), "The identity provider refused us.", "Look at its client."),
    "provider_unreachable": EventRow(
        ("exception",), "The identity provider does not answer: nobody can log in."
    ),
    "publication_not_kept": EventRow(
        ("exception",), "What was approved could not be published yet.", _AGAIN
    ),
    "purge_failed": EventRow(("exception",), "What is over could not be deleted.", _AGAIN),
    "quota_exceeded": EventRow(
        ("partner", "request_class"),
        "A partner asked the key holder for more persons than a day allows.",
        "Ask the partner why; a first load is given with `datwat keyholder enable`.",
    ),
    "ratchet_broken": EventRow(
        (), "The ratchet cannot be written: the party ends.", "Look at its disk; then start again."
    ),
    "replay_failed": EventRow(("code",), "A replay of an officer stopped.", "Start it again."),
    "request": EventRow(
        ("method", "route", "status", "code", "ms"), "A request was answered; `code` if refused."
    ),
    "resent_refused": EventRow(
        ("code",), "A message that was sent again was refused; its rows are tried anew."
    ),
    "row_key_destroyed": EventRow(
        ("number",), "A rotation of the row key ended: this key is gone.", "Make a backup."
    ),
    "row_key_not_read": EventRow(
        ("code",), "The file of the row key could not be read anew.", "Look at `row.key`."
    ),
    "row_key_turned": EventRow(("number",), "Rows are written under this key from now on."),
    "row_unreadable": EventRow(
        ("code",),
        "A row of the outbox does not open. It is tried again, ever less often.",
        "Look whether `row.key` and `kek.json` are those of this database.",
    ),
    "scalar_destroyed": EventRow(
        ("epoch",),
        "The scalar of an epoch was destroyed.",
        "Have the new card signed in, and make new shares of the scalar.",
    ),
    "serving": EventRow(
        ("api", "gateway", "local", "pages", "opa", "metrics", "admin"),
        "The process listens at these addresses.",
    ),
    "session_not_ended_at_broker": EventRow(
        ("code",), "A session ended here and not at the broker, where it ends by its term."
    ),
    "session_not_ended_elsewhere": EventRow(
        ("code",), "A session ended here and not at the other party, where it ends by its term."
    ),
    "stopped": EventRow((), "The process ended in good order."),
    "sync_fault": EventRow(
        ("exception", "place", "line"), "A fault of our own stopped a sync.", "Report it."
    ),
    "sync_stopped": EventRow(
        ("code",), "A sync stopped.", "`datwat connector sync` begins it anew."
    ),
    "sync_waits": EventRow(("code",), "A sync waits until the other party takes more."),
    "tag_root_failed": EventRow(
        ("code",),
        "No root over the new tags can be stated: residents wait for their proofs.",
        "Keep the log file, do not restart yet, and call support.",
    ),
    "tag_root_waits": EventRow(
        ("exception",),
        "Database or ratchet was away: no root was stated this time.",
        "It is tried again. Look at both servers and at their disks if it stays.",
    ),
    "trust_list_accepted": EventRow(("seq", "partners"), "Another trust list is in force."),
    "trust_list_not_refreshed": EventRow(
        ("code",), "The trust list could not be fetched: the one held stays until its end.", _AGAIN
    ),
    UNLISTED: EventRow(
        (),
        "The program tried to log an event, or a member of one, that is not in this table.",
        "Report it: a check of the project should have found it.",
    ),
    "withheld_unreadable": EventRow(
        (),
        "The file of what this source withholds cannot be read: every order is refused.",
        "Correct the file that the setting `withheld` names.",
    ),
    "witness": EventRow(
        ("name", "failure"),
        "A witness began to vouch, or ceased to.",
        "Call who runs it if it stays away.",
    ),
    "witness_round_failed": EventRow(
        ("code",), "The witnesses could not be asked: the log could not be read.", _AGAIN
    ),
    "work_failed": EventRow(
        ("exception", "place", "line"),
        "Something that runs beside the answers failed; it begins anew in five seconds.",
        "Report it with the line, if it comes again.",
    ),
}
