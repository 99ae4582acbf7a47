"""What the broker's officers do with a purpose in a case: from a draft to in force, and back.

Rule: by the commands that an officer types, each with their own token, and nothing else.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from datwat.party import clock
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import encode_moment
from demo.covenant import CommandFailedError, Covenant
from demo.events import (
    Approve,
    AwaitForce,
    FieldAdded,
    OfficerEvent,
    Propose,
    ReplayDraft,
    RollBack,
    SignOff,
    TryDraft,
    WriteDraft,
)
from demo.officers import PASSPHRASE, run_as
from demo.parts import shift
from demo.steps import Step

_LATE_SECONDS = 1.2
_SLOWER = 40
_OUTSIDE = "field_not_in_purpose"
# What is told of a step, and what of it differs.
_Found = tuple[tuple[str, ...], tuple[str, ...]]


class PurposeLife:
    """The officers of a covenant around one draft and one proposal."""

    def __init__(self, covenant: Covenant) -> None:
        """Keep where the broker is."""
        self._covenant = covenant
        self._purpose = ""
        self._draft = ""
        self._proposal = ""
        self._begins: datetime | None = None
        self._earlier = 0

    def play(self, event: OfficerEvent) -> Step:
        """Play an event: done, or refused in the words that the case expects."""
        try:
            facts, differences = self._do(event)
        except CommandFailedError as error:
            if event.refused is None:
                return Step(event, differences=(error.detail,))
            said = _read_refusal(error.detail.partition("failed: ")[2])
            wrong = () if event.refused in said else (f"refused otherwise: {said}",)
            return Step(event, facts=(f"Refused: {said}",), differences=wrong)
        if event.refused is not None:
            differences = (*differences, "it was done, and must be refused")
        return Step(event, facts=facts, differences=differences)

    def _do(self, event: OfficerEvent) -> _Found:  # noqa: PLR0911 - one line per kind of event
        match event:
            case WriteDraft():
                return self._write(event)
            case TryDraft():
                return self._try(event)
            case ReplayDraft():
                return self._replay(event)
            case SignOff():
                return self._sign_off(event)
            case Propose():
                return self._propose(event)
            case Approve():
                return self._approve(event)
            case AwaitForce():
                return self._await(event)
            case RollBack():
                return self._roll_back(event)

    def _run(self, by: str, *arguments: str, typed: str = "") -> dict[str, Any]:
        return run_as(self._covenant, by, *arguments, typed=typed)

    def _write(self, event: WriteDraft) -> _Found:
        folder, began = self._covenant.folder, time.monotonic()
        made = self._run(
            *(event.by, "purpose", "draft", "begin", event.purpose, "--folder", str(folder))
        )
        # What follows must be done before that moment, also on a machine that has much to do, as
        # one with several brokers has.
        slower = _SLOWER * self._covenant.brokers
        more = timedelta(seconds=(time.monotonic() - began) * slower)
        text, cases = Path(made["text"]), Path(made["cases"])
        members = read_yaml_text(text.read_text("utf-8"), text.name, DatwatError)
        self._purpose, self._begins = event.purpose, shift(clock.now() + more, event.begins)
        members["valid_from"] = encode_moment(self._begins)
        add_field(members, event.adds)
        text.write_text(write_yaml(members), encoding="utf-8")
        held = read_yaml_text(cases.read_text("utf-8"), cases.name, DatwatError)
        expect_field(held, event.adds.field)
        cases.write_text(write_yaml(held), encoding="utf-8")
        checked = self._run(event.by, "purpose", "draft", "check", str(text))
        saved = self._run(*(event.by, "purpose", "draft", "save", str(text), "--cases", str(cases)))
        self._draft = saved["id"]
        self._earlier = self._read_publications(event.by)[0]["seq"]
        return tuple(checked["changes"]), ()

    def _try(self, event: TryDraft) -> _Found:
        found = self._run(event.by, "purpose", "try", self._draft)
        return (f"{found['total']} cases come out as written.",), ()

    def _replay(self, event: ReplayDraft) -> _Found:
        found = self._run(event.by, "purpose", "replay", "start", self._draft, "--wait")
        allowed = found["newly_allowed"]
        told = (
            f"{found['weighed']} decisions weighed again: {found['same']} the same, "
            f"{allowed} newly allowed, {found['newly_refused']} newly refused, "
            f"{found['changed']} otherwise changed."
        )
        if allowed < event.newly_allowed:
            return (told,), (f"{allowed} newly allowed, {event.newly_allowed} must be",)
        return (told,), ()

    def _sign_off(self, event: SignOff) -> _Found:
        self._run(event.by, "purpose", "replay", "sign-off")
        return ("Stated on the log, with the role and without a name.",), ()

    def _propose(self, event: Propose) -> _Found:
        found = self._run(event.by, "purpose", "propose", self._draft)
        self._proposal = found["line"]["id"]
        return tuple(found["text"].splitlines()[:3]), ()

    def _approve(self, event: Approve) -> _Found:
        done = self._run(
            *(event.by, "purpose", "approve", self._proposal, "--yes"), typed=f"{PASSPHRASE}\n"
        )
        facts = (f"{done['approvals']} of {done['needed']} signatures.",)
        if done["published"] != event.published:
            return facts, (f"published: {done['published']}, must be {event.published}",)
        return facts, ()

    def _await(self, event: AwaitForce) -> _Found:
        if self._begins is None:
            return (), ("there is nothing to wait for",)
        before = self._find_state(event.by)
        left = (self._begins - clock.now()).total_seconds() + _LATE_SECONDS
        time.sleep(max(0.0, left))
        after = self._find_state(event.by)
        facts = (f"`datwat purpose history`: {before}, then {after}.",)
        wrong = [f"before its moment it is {before}"] * (
            left > _LATE_SECONDS and before != "approved"
        )
        wrong += [f"after its moment it is {after}"] * (after != "in_force")
        return facts, tuple(wrong)

    def _roll_back(self, event: RollBack) -> _Found:
        found = self._run(
            *(event.by, "purpose", "roll-back", str(self._earlier), "--reason", event.reason)
        )
        self._proposal = found["line"]["id"]
        return tuple(found["changes"]), ()

    def _find_state(self, by: str) -> str:
        return next(
            (
                str(one["state"])
                for one in self._read_publications(by)
                if one["purpose"] == self._purpose and one["effect"] == "revise"
            ),
            "not published",
        )

    def _read_publications(self, by: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._run(by, "purpose", "history")["publications"]
        return sorted(found, key=lambda one: -int(one["seq"]))


def _read_refusal(printed: str) -> str:
    """Return the sentence of a refusal that a command printed as JSON; else what it printed."""
    try:
        return str(json.loads(printed)["error"]["detail"])
    except (ValueError, KeyError, TypeError):
        return printed


def add_field(members: dict[str, Any], added: FieldAdded) -> None:
    """Add a field to the edge of a purpose as it is written."""
    for edge in members["edges"]:
        if (edge["source"], edge["requester"]) == (added.source, added.requester):
            edge["fields"].append({"field": added.field, "why": added.why})


def expect_field(held: dict[str, Any], field: str) -> None:
    """Have the cases of a purpose say what follows from one more field: given where all else is."""
    for case in held["cases"]:
        expected = case["expect"]
        withheld = expected.get("withheld") or {}
        if withheld.get(field) != _OUTSIDE:
            continue
        if expected["permit"]:
            del withheld[field]
            expected["fields"].append(field)
        else:  # as whatever else the purpose lets through
            others = (code for code in withheld.values() if code != _OUTSIDE)
            withheld[field] = next(others, "refused")
