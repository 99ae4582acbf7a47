"""The broker's database changed by hand while it is stopped: who finds it, and what each says.

The broker's own start finds what its ratchet and its tag roots contradict. What it does not find by
itself lies open to everybody else: whoever verifies, the witness, a gateway, the resident.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.log.world import (
    Resident,
    Team,
    WatchedCovenant,
    ask_outside,
    change_database,
    restart_all,
    wait_until,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("watched-log"),
    pytest.mark.timeout(600),
]

YOUTH = "youth-help"
FITS_NOT = "The tiles there do not lead to the root that the log signed"
GAP = "The log does not show a part of itself, and says: log_gap"
# The content does not open under the commit that lies there: no bundle is made.
DAMAGED = ("log_damaged",)
_LOOKS = 2.0
# The occasion that was opened: long since counted by a root, and vouched for.
_PLACE = "(SELECT max(idx) FROM log_entries WHERE number = 2)"
_OF = f"WHERE idx = {_PLACE}"
# The pair of entries next to the pair that it is in: in its path, and no part of the head.
_BESIDE = f"{_PLACE} / 2 + 1 - 2 * ({_PLACE} / 2 % 2)"


class Found(NamedTuple):
    """What each says of one change by hand; an empty word: there is nothing for it to see.

    Where two words stand, it depends on where the entries of others came to lie beside it.

    `verifier` a sentence; `witness` the code of its refusal; `gateway` its alarm, or `uncovered`
    where it only knows that nobody vouches for what it accepted; `resident` the code for which
    there is no bundle, or that of the check of the bundle.
    """

    statement: str
    verifier: str = ""
    witness: str = ""
    gateway: tuple[str, ...] = ("",)
    resident: tuple[str, ...] = ("",)


COMMIT = Found(
    f"UPDATE log_entries SET entry = CAST(substr(entry, 1, 34) || zeroblob(32) AS BLOB) {_OF}",
    FITS_NOT,
    "follow_tiles",
    ("uncovered",),
    DAMAGED,
)
MORE = {
    "entry removed": Found(
        f"DELETE FROM log_entries {_OF}", GAP, "follow_source", ("uncovered",), ("log_damaged",)
    ),
    "tag changed": Found(
        "UPDATE log_entries SET entry = CAST(substr(entry, 1, 2) || zeroblob(32) || "
        f"substr(entry, 35) AS BLOB) {_OF}",
        FITS_NOT,
        "follow_tiles",
        ("uncovered",),
        # The tag is derived: what was signed is proved, unless the path leads over this leaf.
        ("", "completeness_entry"),
    ),
    "node changed": Found(
        f"UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = {_BESIDE}",
        gateway=("", "log_forked"),
        resident=("completeness_entry",),
    ),
    "payload changed": Found(
        f"UPDATE log_entries SET sealed = zeroblob(length(sealed)) {_OF}",
        resident=DAMAGED,
    ),
}


def test_an_entry_changed_by_hand_is_found_by_everybody(
    watched: WatchedCovenant, asked: Team, tmp_path: Path
) -> None:
    find(watched, asked, tmp_path, COMMIT)


@pytest.mark.long
@pytest.mark.parametrize("name", MORE)
def test_other_changes_by_hand_are_found(
    watched: WatchedCovenant, asked: Team, tmp_path: Path, name: str, whole: bool
) -> None:
    """In part: by verifier and resident, for whom the broker alone is started anew."""
    if whole:
        find(watched, asked, tmp_path, MORE[name])
        return
    change_database(watched.broker, MORE[name].statement)
    watched.broker.restart()
    require_found_by_reading(watched, tmp_path, MORE[name])


def test_unchanged_nobody_finds_anything(
    watched: WatchedCovenant, asked: Team, tmp_path: Path
) -> None:
    """The control of this module."""
    find(watched, asked, tmp_path, None)
    wait_until(watched.is_covered)


def find(covenant: WatchedCovenant, team: Team, folder: Path, change: Found | None) -> None:
    """Change the database of the stopped broker, start it, and hear what each says."""
    expected = change or Found("")
    if change is not None:
        change_database(covenant.broker, change.statement)
    restart_all(covenant.broker, covenant.witness, covenant.partners[YOUTH])
    size = covenant.log_size
    require_found_by_reading(covenant, folder, expected)
    failure = team.order(YOUTH).failure
    assert failure in (None, "source_refused_order")
    wait_until(lambda: read_witness(covenant, size) != "waits")
    assert read_witness(covenant, size) == expected.witness
    wait_until(lambda: read_gateway(covenant) in expected.gateway, 30)
    time.sleep(_LOOKS)  # each half second, so that nothing else comes of it
    assert read_gateway(covenant) in expected.gateway


def require_found_by_reading(covenant: WatchedCovenant, folder: Path, expected: Found) -> None:
    """Hear what those say who read what the broker shows now: whoever verifies, the resident."""
    _, _, error = ask_outside("log", "verify", covenant.prefix, *covenant.typed_keys)
    assert expected.verifier in error
    assert bool(expected.verifier) == bool(error), error
    assert ask_resident(covenant, folder) in expected.resident


def ask_resident(covenant: WatchedCovenant, folder: Path) -> str:
    """Return the code of the resident's refusal, or that of the check; empty if all is proved."""
    with Resident(covenant) as resident:
        status, bundle = resident.ask_bundle()
    if status != 200:
        return str(bundle["code"])
    file = folder / "bundle.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    code, said, _ = ask_outside("log", "check-mine", str(file), *covenant.keys)
    if code == 0:
        assert said["status"] == "proved"
        return ""
    return str(said["code"])


def read_witness(covenant: WatchedCovenant, size: int) -> str:
    """Return why the witness does not vouch for what was written since; empty if it does."""
    found = covenant.witness_status()
    if found["vouched_size"] > size:
        return ""
    refusal = found["last_refusal"]
    # A size that it did not expect, or a log that it still follows, is no finding.
    idle = (None, "cosigning_size", "witness_still_following")
    return "waits" if refusal in idle else str(refusal)


def read_gateway(covenant: WatchedCovenant) -> str:
    """Return why the gateway trusts the log no more; empty if it does."""
    found = covenant.gateway_status(YOUTH)
    if found["gateway_alarm"] is not None:
        assert found["gateway_state"] == "stopped"
        return str(found["gateway_alarm"]["reason"])
    return "uncovered" if found["gateway_uncovered_since"] is not None else ""
