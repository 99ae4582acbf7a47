"""Plays cases on a broker of several processes while its administrators change everything under it.

Rule: each case but the last one is played while a share of the acts is done; the last one after all
of them, so that it shows what holds then. Whoever keeps a mirror does so from beginning to end.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from datwat.party.errors import PartyError
from demo.covenant import ROOT, Covenant, run_command
from demo.model import Case
from demo.player import Show, play_case
from demo.processes import Processes
from demo.several.keys import find_kept, read_names
from demo.several.renewing import Renewing
from demo.several.servers import Servers
from demo.several.soon import hurried_commands
from demo.steps import LogStep, Step

_MIRROR_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_UNDER_WAY_SECONDS: Final = 1.0
_OK: Final = 200
# What an outsider may be told while the servers change over: nothing is shown, and nothing wrong.
_AWAY: Final = ("peer_unreachable", "peer_too_slow", "peer_refused", "follow_source")
_Act = Callable[[], None]
# Each act, in order; the keys that *begin* and *finish* replace, and those that *move* does.
ACTS: Final = ("begin", "move", "fail_over", "finish", "settle")
_MOVED: Final = frozenset({"broker row", "broker kek"})


class TooFewCasesError(PartyError):
    """One case leaves nothing to be played after the acts."""

    code = "demo_too_few_cases"
    default_detail = (
        "With --brokers play at least two cases: the last one shows what holds afterwards."
    )


class Done(NamedTuple):
    """Something that was done, in which second, while which case was played."""

    seconds: float
    case: int
    what: str


@dataclass
class Report:
    """What happened beside the cases, and what of it is not as it must be."""

    done: list[Done] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    mirror: dict[str, Any] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


class Meanwhile:
    """The acts beside the cases of one covenant; everything is played in the main thread."""

    def __init__(
        self,
        covenant: Covenant,
        processes: Processes,
        servers: Servers,
        cases: Sequence[int],
        *,
        began: float,
        acts: Sequence[str] = ACTS,
    ) -> None:
        """`cases` are the numbers of those that are played, `began` when the demo did.

        `acts` are those of `ACTS` that are done: *begin* and *finish* both, or neither.
        """
        self._covenant = covenant
        self._processes = processes
        self._servers = servers
        self._began = began
        self._case = cases[0]
        self._last = 0
        self.report = Report()
        self._renewing = Renewing(covenant, self._tell)
        ways: dict[str, _Act] = {
            "begin": self._renewing.begin,
            "move": self._renewing.move,
            "fail_over": self._fail_over,
            "finish": self._renewing.finish,
            "settle": self._renewing.settle,
        }
        self._are_all = set(ACTS) <= set(acts)
        self._acts: dict[int, list[_Act]] = {number: [] for number in cases}
        for place, name in enumerate(acts):
            self._acts[cases[place * (len(cases) - 1) // len(acts)]].append(ways[name])

    def begin(self) -> None:
        """Look which keys there are, and have somebody begin to keep a mirror."""
        covenant, log = self._covenant, f"{self._covenant.url('broker')}/v1/log"
        self.report.before = read_names(covenant)
        self._renewing.tell_mirror()
        command = [sys.executable, "-m", "demo.several.mirror", log, str(self._mirror)]
        command += [str(self._renewing.told), str(self._runs)]
        self._processes.start("mirror", command, environment={"PYTHONPATH": str(ROOT)})

    def play(self, case: Case, show: Show) -> list[str]:
        """Play a case while its share of the acts is done; as `play_case` does."""
        self._case = case.number
        failed: list[Exception] = []

        def carry_out() -> None:
            try:
                for act in self._acts[case.number]:
                    act()
            except Exception as error:  # noqa: BLE001 - raised below, in the main thread
                failed.append(error)

        beside = threading.Thread(target=carry_out, daemon=True)
        with hurried_commands():
            beside.start()
            try:
                differences = play_case(self._covenant, case, partial(self._watch, show))
                beside.join()
            finally:
                self._renewing.stop_unless_over(beside)
                beside.join(_STOP_SECONDS)
        if failed:
            raise failed[0]
        return differences

    def end(self) -> Report:
        """Hold keys, processes and mirror against what they must be now."""
        report = self.report
        report.after = read_names(self._covenant)
        replaced = {
            name: key for name, key in report.before.items() if self._are_all or name in _MOVED
        }
        report.differences += find_kept(replaced, report.after)
        ended = self._processes.find_ended()
        if ended is not None:
            report.differences.append(f"{ended.name} ended by itself")
        self._check_mirror()
        return report

    def _watch(self, show: Show, step: Step | LogStep) -> None:
        """Remember the last entry that a resident was shown a proof of."""
        if isinstance(step, LogStep):
            places = (proof.index for card in step.log.cards for proof in card.proofs)
            self._last = max((self._last, *places))
        show(step)

    @property
    def _mirror(self) -> Path:
        return self._covenant.folder / "mirror"

    @property
    def _runs(self) -> Path:
        return self._covenant.folder / "mirror-runs.jsonl"

    def _fail_over(self) -> None:
        """Stop the primary at once, in the middle of a case, and promote its standby."""
        time.sleep(_UNDER_WAY_SECONDS)
        self._servers.stop_primary()
        began = time.monotonic()
        self._tell("the database's primary is stopped as by a power cut")
        self._servers.promote()
        self._renewing.await_true("the standby takes changes", self._servers.takes_changes)
        self._renewing.await_true("every process of the broker is well again", self._are_well)
        seconds = time.monotonic() - began
        self._tell(
            f"the standby was promoted; all processes went on by themselves: {seconds:.1f} s"
        )

    def _are_well(self) -> bool:
        first = self._covenant.ports["broker"]
        try:
            answers = [
                httpx.get(f"http://127.0.0.1:{first + more}/v1/health", trust_env=False)
                for more in range(self._covenant.brokers)
            ]
        except httpx.HTTPError:
            return False
        return all(answer.status_code == _OK for answer in answers)

    def _check_mirror(self) -> None:
        """Verify the mirror alone: all of the log, and every entry of a resident is counted."""
        home = ["--home", str(self._covenant.home("broker"))]
        size = int(run_command("broker", "status", *home)["log_size"])
        keys = json.loads(self._renewing.told.read_text(encoding="utf-8"))
        known = ["--trust-list", keys["list"], "--pin", keys["pin"]]
        until = time.monotonic() + _MIRROR_SECONDS
        while True:
            found = run_command("log", "verify", str(self._mirror), *known)
            is_whole = found["entries"] >= size and found["counted_up_to"] > self._last
            if is_whole or time.monotonic() > until:
                break
            time.sleep(1.0)
        report = self.report
        if not is_whole:
            report.differences.append(
                f"the mirror has {found['entries']} entries, counted up to "
                f"{found['counted_up_to']}; the log had {size}, its last entry of a resident is "
                f"{self._last}"
            )
        lines = self._runs.read_text(encoding="utf-8").splitlines()
        runs = [json.loads(line) for line in lines]
        sizes = [run["entries"] for run in runs if run["said"] is None]
        refused = [run["said"] for run in runs if run["said"] is not None]
        wrong = sorted(set(refused) - set(_AWAY))
        report.differences += [f"the mirror was refused: {code}" for code in wrong]
        if sizes != sorted(sizes):
            report.differences.append("the log that was mirrored became smaller")
        report.mirror = {
            "log_size": size,
            "last_of_a_resident": self._last,
            **{name: found[name] for name in ("entries", "root", "tag_roots", "counted_up_to")},
            "first_entries": sizes[0] if sizes else None,
            "seen_sizes": len(sizes),
            "seen_away": len(refused),
        }

    def _tell(self, what: str) -> None:
        seconds = round(time.monotonic() - self._began, 1)
        self.report.done.append(Done(seconds, self._case, what))
