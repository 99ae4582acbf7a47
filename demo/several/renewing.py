"""What the administrators do while cases are played: every key is replaced, by commands alone.

Rule: the steps and their order are those of docs/how-to/keys.md. All share two trust lists: one
names old and new keys, the other one the new ones alone. Only the waits are short (`soon.py`).
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from datwat.party.database_errors import DatabaseAwayError
from datwat.party.errors import PartyError
from datwat.party.files import replace_file
from demo.covenant import POLICIES, CommandFailedError, Covenant, run_command
from demo.officers import give_new_keys
from demo.several.keys import Listed, list_keys
from demo.several.soon import FINISH_AFTER, LISTED_FROM, SETTLED

_SECONDS: Final = 240.0
_POLL_SECONDS: Final = 0.3
_POLICY_AFTER: Final = "policy-after"
_EARLY: Final = "scalar_rotation_early"
Tell = Callable[[str], None]


class RenewalStuckError(PartyError):
    """A step of a rotation did not come to its end."""

    code = "demo_renewal_stuck"
    default_detail = "A step of a rotation did not come to its end."


class Renewing:
    """The rotations of one covenant; every method is one step, in the order in which they stand."""

    def __init__(self, covenant: Covenant, tell: Tell) -> None:
        """`tell` is given a sentence about each thing that was done; `stop` ends every wait."""
        self._covenant = covenant
        self._tell = tell
        self._stopped = threading.Event()
        self._trust = ("--folder", str(covenant.home("trust")))
        self._kids: list[str] = []
        self.told = covenant.folder / "mirror-told.json"
        self._lists = covenant.folder / "mirror-lists"

    def begin(self) -> None:
        """Make the next one of every key that a list names, and sign the list that names both."""
        covenant = self._covenant
        listed = list_keys(covenant)
        for one in listed:
            home = ["--home", str(covenant.home(one.home))]
            run_command(one.command, "keys", "rotate", one.key, *home)
        holder = ["--home", str(covenant.home("key-holder"))]
        run_command("keyholder", "rotate", "begin", *holder)
        shares = covenant.folder / "shares"
        run_command("keyholder", "backup", *holder, "--out", str(shares))
        after = covenant.home(_POLICY_AFTER)
        run_command("purpose", "keys", "--folder", str(after), "--keys", "2")
        self._tell(f"{len(listed)} keys of parties, the scalar and the policy keys have a next one")
        self.pause(LISTED_FROM.total_seconds())
        self._kids = self._show()["policy_kids"]
        run_command("trust", "add", *self._cards(), str(after / "card.json"), *self._trust)
        old = sorted(covenant.home("trust").glob("covenant-*.key"))
        run_command("trust", "new-keys", *self._trust)
        self._sign("the covenant signs a list of old and new keys, with its own old and new ones")
        for path in old:
            path.unlink()

    def move(self) -> None:
        """Begin what the broker moves by itself: the row key, and a generation of the KEK."""
        home = ["--home", str(self._covenant.home("broker"))]
        run_command("broker", "keys", "rotate", "kek", *home)
        run_command("broker", "keys", "rotate", "row", *home)
        self._tell("the broker puts its rows under a new key, and has a new generation of the KEK")

    def finish(self) -> None:
        """Destroy the old ones, and sign the list that names the new ones alone."""
        covenant, listed = self._covenant, list_keys(self._covenant)
        holder = ["--home", str(covenant.home("key-holder"))]
        self.await_true("a next key is in use", lambda: all(map(self._is_used, listed)))
        self.await_true(
            "the broker turned its pseudonyms", lambda: self._scalar(holder) == "turned"
        )
        self._sign_bundle()
        self.pause(FINISH_AFTER.total_seconds() - SETTLED)
        for one in listed:
            home = ["--home", str(covenant.home(one.home))]
            run_command(one.command, "keys", "finish", one.key, *home)
        # What was made under the old scalar may be on its way, and is said to be.
        self.await_true(
            "the old scalar may go", lambda: _try("keyholder", "rotate", "finish", *holder)
        )
        run_command("trust", "add", *self._cards(), *self._trust)
        for kid in self._kids:
            run_command("trust", "end-policy-key", kid, *self._trust)
        self._sign("every old key is destroyed; the new covenant keys alone sign the next list")
        give_new_keys(covenant, covenant.home(_POLICY_AFTER))
        self._tell("both approvers approve with new keys")

    def settle(self) -> None:
        """Wait until the broker destroyed its old row key and sealed all under the new KEK."""
        home = ["--home", str(self._covenant.home("broker"))]

        def is_settled() -> bool:
            said = run_command("broker", "keys", "status", *home)
            return bool(said["row_key_step"] == "none" and said["kek_all_under_newest"])

        self.await_true("the row key and the KEK are replaced", is_settled)
        self._tell("the old row key is destroyed, and every living key lies under the new KEK")

    def stop_unless_over(self, beside: threading.Thread) -> None:
        """Have whatever step is under way in a thread end soon, with an error."""
        if beside.is_alive():
            self._stopped.set()

    def await_true(self, what: str, is_so: Callable[[], bool]) -> None:
        """Look until it is so; raise RenewalStuckError, which says what was waited for."""
        until = time.monotonic() + _SECONDS
        while not _is_so_now(is_so):
            if time.monotonic() > until:
                raise RenewalStuckError(f"Waited {_SECONDS:.0f} s in vain: {what}.")
            self.pause(_POLL_SECONDS)

    def pause(self, seconds: float) -> None:
        """Wait; raise RenewalStuckError where the demo is stopped meanwhile."""
        if self._stopped.wait(seconds):
            raise RenewalStuckError("The demo was stopped.")

    def tell_mirror(self) -> str:
        """Have whoever keeps the mirror type over the hash of the list as it is; return it."""
        shown = self._show()
        self._lists.mkdir(exist_ok=True)
        copy = self._lists / f"{shown['seq']}.json"
        shutil.copyfile(self._covenant.home("trust") / "trust-list.json", copy)
        told = {"list": str(copy), "pin": shown["hash"]}
        replace_file(self.told, json.dumps(told).encode())
        return str(shown["hash"])

    def _sign(self, what: str) -> None:
        """Sign the draft and wait until every party, and every process, goes by the new list."""
        signed = run_command("trust", "sign", *self._trust)
        self.tell_mirror()
        self.await_true(
            f"list {signed['seq']} is everywhere", lambda: self._is_held(int(signed["seq"]))
        )
        self._tell(what)

    def _is_held(self, seq: int) -> bool:
        covenant = self._covenant
        homes = {(one.command, one.home) for one in list_keys(covenant)} - {("broker", "broker")}
        held = [
            run_command(command, "status", "--home", str(covenant.home(home)))["list_seq"]
            for command, home in homes
        ]
        home = str(covenant.home("broker"))
        held += [
            run_command("broker", "status", "--home", home, "--process", str(number))["list_seq"]
            for number in range(1, covenant.brokers + 1)
        ]
        return set(held) == {seq}

    def _sign_bundle(self) -> None:
        """Have the new policy keys sign the bundle in force, and everybody read that."""
        folder = self._covenant.home(_POLICY_AFTER)
        keys = [word for path in sorted(folder.glob("*.key")) for word in ("--key", str(path))]
        policy = str(self._covenant.home("policy"))
        run_command("purpose", "sign", "--folder", policy, "--policies", str(POLICIES), *keys)
        self.pause(LISTED_FROM.total_seconds())
        self._tell("the new policy keys sign the bundle that is in force")

    def _is_used(self, one: Listed) -> bool:
        home = ["--home", str(self._covenant.home(one.home))]
        rows = run_command(one.command, "keys", "status", *home)["keys"]
        (row,) = (row for row in rows if row["name"] == one.key)
        return str(row.get("step", "")).startswith("in use")

    def _scalar(self, holder: list[str]) -> str:
        return str(run_command("keyholder", "rotate", "status", *holder)["rotation"])

    def _cards(self) -> list[str]:
        homes = dict.fromkeys(one.home for one in list_keys(self._covenant))
        return [str(self._covenant.home(home) / "card.json") for home in homes]

    def _show(self) -> dict[str, Any]:
        return run_command("trust", "show", str(self._covenant.home("trust") / "trust-list.json"))


def _is_so_now(is_so: Callable[[], bool]) -> bool:
    """Look; a party whose database goes over to the standby meanwhile is asked again."""
    try:
        return is_so()
    except CommandFailedError as error:
        if DatabaseAwayError.default_detail not in error.detail:
            raise
        return False


def _try(*arguments: str) -> bool:
    """Carry a command out; return whether it was done, or refused because it is too early."""
    try:
        run_command(*arguments)
    except CommandFailedError as error:
        if _EARLY not in error.detail:
            raise
        return False
    return True
