"""Case 6 from outside: two logs with the same acts, in one of which the telling waits.

Rule (promise 5): until it opens nothing differs that anybody outside can see: no view, no count, no
size, no bundle, no public byte but for what is random. Each log is a broker's process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker.audit.payloads import parse_payload
from broker.purposes.catalogue import load_catalogue
from datwat.party.admin import call_party
from datwat.party.settings import change_settings
from datwat.protocol.acts import Page, ProofRequest
from datwat.protocol.completeness import CompletenessBundle, RollEntry
from datwat.protocol.completeness_checks import LogTrust, check_parsed
from datwat.protocol.entry import Content, EntryType, derive_commit, parse_entry
from datwat.protocol.tiles import TilePath, decode_bundle, derive_width
from tests.api.conftest import start, stop
from tests.connectors.client.bsns import BSNS
from tests.exchange.world import (
    POLICIES,
    World,
    by_bsn,
    by_handle,
    member,
    now,
    opens,
    registers,
    say,
)
from tests.log.world import ask_outside, read_events, wait_until
from tests.transparency.test_access_log import situation

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("case-6"),
    pytest.mark.timeout(400),
]

GIRL, FATHER, OTHER, OTHER_FATHER = BSNS[:4]
REPRESENTED = "the girl as her father sees her"
VIEWS = (GIRL, FATHER, REPRESENTED)
PURPOSE = "coordinate_family_help"


class Watched:
    """A served broker, the acts of case 6 on it, and everything that can be seen of it.

    Where nothing waits, the same acts are about somebody else.
    """

    def __init__(self, folder: Path, stack: ExitStack, *, waits: bool) -> None:
        folder.mkdir()
        self.folder, self.waits = folder, waits
        self.world = World(folder)
        self.stack = stack
        self.start(3_600)
        for bsn in (GIRL, FATHER, OTHER):
            self.register(bsn)
        self.handles = {bsn: self._log_in(bsn) for bsn in (GIRL, FATHER)}
        self.handles[REPRESENTED] = self._log_in(FATHER, GIRL)

    def start(self, tag_root_seconds: int) -> None:
        change_settings(self.world.home, {"tag_root_seconds": tag_root_seconds})
        served = self.served = start(self.world, self.folder / "log")
        self.stack.callback(lambda: stop(served))

    def register(self, bsn: str) -> int:
        """Register somebody, or once more; return the size of what the partner is told."""
        kind = registers("debt_counselling")
        person = by_bsn(bsn, registers=kind, identity="document", told_at=now())
        sent = self.world.build("debt-counselling", "register", [person], say())
        response = self.served.post(sent)
        assert response.status_code == 200, response.text
        return len(response.content)

    def act(self) -> None:
        """Open the occasion and ask, under a special situation if anything waits here."""
        who = (GIRL, FATHER) if self.waits else (OTHER, OTHER_FATHER)
        extra: dict[str, Any] = {"special_situation": situation()} if self.waits else {}
        members = [member(bsn) for bsn in who]
        opened = self.served.ask("social-team", "open_occasion", members, say(opens=opens(**extra)))
        part: Any = opened.persons[0].part
        digest = load_catalogue(POLICIES).to_data()["purposes"][PURPOSE]["revisions"][0]["digest"]
        self.served.ask(
            "social-team",
            "inquire",
            [by_handle(part.handle)],
            say(occasion=part.occasion),
            purpose={"id": PURPOSE, "digest": digest},
            rung="dat",
        )

    def _log_in(self, *bsns: str) -> bytes:
        """Return the handle of the last one: who is represented, where there are two."""
        persons = [by_bsn(bsn, identity="document") for bsn in bsns]
        part: Any = self.served.ask("portal", "open_session", persons).persons[-1].part
        assert part.handle is not None
        return bytes(part.handle)

    def _read(self, act: str, view: str, **members: object) -> bytes:
        sent = self.world.build("portal", act, [by_handle(self.handles[view], **members)])
        response = self.served.post(sent)
        assert response.status_code == 200, response.text
        return response.content

    def read_page(self, view: str, limit: int = 100) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._read("access_log", view, page=Page(limit=limit)))
        return found

    def read_bundle(self, view: str) -> dict[str, Any]:
        found = json.loads(self._read("access_log_proof", view, proof=ProofRequest(quarters=())))
        bundle: dict[str, Any] = found["bundle"]
        return bundle

    def check(self, view: str) -> tuple[CompletenessBundle, dict[str, int]]:
        """Return a bundle that holds, and how many entries each roll of it has."""
        bundle = CompletenessBundle.model_validate_json(json.dumps(self.read_bundle(view)))
        assert self.world.card.log is not None
        trust = LogTrust(
            origin=self.world.card.log.origin,
            vkeys=self.world.card.log.vkeys,
            witnesses=(),
            threshold=0,
        )
        verdict = check_parsed(bundle, trust, now())
        return bundle, {roll.audience: roll.entries for roll in verdict.rolls}

    def fetch(self, path: str) -> bytes:
        response = self.served.client.get(f"{self.served.url}/v1/log/{path}")
        assert response.status_code == 200, response.text
        return response.content

    def read_entries(self) -> list[bytes]:
        size = int(self.fetch("checkpoint").split(b"\n")[1])
        width = derive_width(None, 0, size)
        path = TilePath(level=None, index=0, width=width)
        return decode_bundle(self.fetch(path.text), width)

    def measure_public(self) -> dict[str, Any]:
        """Return kinds and sizes of all that is public; the bytes themselves are random."""
        entries = self.read_entries()
        size = len(entries)
        tiles = [TilePath(level=level, index=0, width=size) for level in (None, 0)]
        paths = ["checkpoint", *(tile.text for tile in tiles), "tile/1/000", f"proof/{size}"]
        return {
            "kinds": [(entry[0], EntryType(entry[1]), len(entry)) for entry in entries],
            "distinct": len(set(entries)),
            "tiles": [len(self.fetch(tile.text)) for tile in tiles],
            "proofs": [len(self.fetch(f"proof/{index}")) for index in range(size)],
            "checkpoint": len(self.fetch("checkpoint")),
            "answers": [self.describe_answer(f"/v1/log/{path}") for path in paths],
            "own": [self.describe_answer(path) for path in ("/v1/health", "/v1/openapi.json")],
            "health": self.served.client.get(self.served.url + "/v1/health").json(),
        }

    def describe_answer(self, path: str) -> tuple[int, int, dict[str, str]]:
        """Return status, size and headers of an answer to anybody, but for the moment in it."""
        response = self.served.client.get(self.served.url + path)
        headers = {name: value for name, value in response.headers.items() if name != "date"}
        return response.status_code, len(response.content), headers

    def measure_status(self) -> dict[str, Any]:
        """Return what the broker's own people read, but for moments and random bytes.

        What housekeeping ended since it last looked depends on when that was.
        """
        said = call_party("broker", self.world.home, "status")
        moments = ("_at", "_seconds_ago", "housekeeping_ended")
        said["parts"] = [
            {name: value for name, value in part.items() if name != "since_at"}
            for part in said["parts"]
            if part["part"] != "housekeeping"
        ]
        return {name: mask(value) for name, value in said.items() if not name.endswith(moments)}

    def see(self, view: str) -> dict[str, Any]:
        """Return what a resident sees, but for what is random."""
        page = self.read_page(view)
        bundle, counts = self.check(view)
        raw = self.read_bundle(view)
        return {
            "page": mask(page),
            "page_size": len(json.dumps(page)),
            "events": read_events(json.dumps(page)),
            "one_card": mask(self.read_page(view, limit=1)),
            "quarters": bundle.quarters,
            "counts": counts,
            "own": [
                mask(json.loads(self._read(act, view)))
                for act in ("own_involvements", "own_wishes")
            ],
            "bundle": mask({**raw, "rolls": [mask_proofs(roll) for roll in raw["rolls"]]}),
        }

    def verify(self) -> int:
        log = self.world.card.log
        assert log is not None
        code, said, error = ask_outside(
            *("log", "verify", f"{self.served.url}/v1/log", "--key", log.vkeys[0]),
            *("--origin", log.origin, "--state", str(self.folder / "state")),
        )
        assert code == 0, error
        return int(said["entries"])


def mask(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with the length of each string instead of it, and no moment or place."""
    if isinstance(value, dict):
        left_out = ("at", "index", "until", "numbers")
        return {name: mask(one) for name, one in value.items() if name not in left_out}
    if isinstance(value, list):
        return [mask(one) for one in value]
    return len(value) if isinstance(value, str) else value


def mask_proofs(roll: dict[str, Any]) -> dict[str, Any]:
    """Return a roll without the paths in the tree of tags: how deep a random tag lies is chance."""
    entries = [{**entry, "place": None} for entry in roll["entries"]]
    return {**roll, "entries": entries, "end": None}


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Watched, Watched]]:
    """Return a log in which something waits, and one in which nothing does."""
    with ExitStack() as stack:
        yield (
            Watched(tmp_path / "waits", stack, waits=True),
            Watched(tmp_path / "plain", stack, waits=False),
        )


def require_alike(waits: Watched, plain: Watched) -> None:
    assert waits.measure_public() == plain.measure_public()
    for view in VIEWS:
        assert waits.see(view) == plain.see(view)
    assert waits.register(GIRL) == plain.register(GIRL)  # reconfirmed: writes no entry


def list_differences(waits: Watched, plain: Watched) -> set[str]:
    """Return the lines of `status` that differ: the officer's own."""
    one, other = waits.measure_status(), plain.measure_status()
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_what_waits_shows_nowhere_until_it_opens(both: tuple[Watched, Watched]) -> None:
    waits, plain = both
    require_alike(waits, plain)
    assert list_differences(waits, plain) == set()
    before = [waits.see(view)["page"]["cards"] for view in VIEWS]
    for each in both:
        each.act()
    require_alike(waits, plain)
    assert [waits.see(view)["page"]["cards"] for view in VIEWS] == before
    assert list_differences(waits, plain) == {"special_situations"}
    assert len(waits.read_entries()) == 2 + 3 + 3  # documents, registrations, what was done
    assert waits.verify() == plain.verify()
    for each in both:  # the same under a root over the tags
        stop(each.served)
        each.start(1)
        wait_until(lambda each=each: _find_root(each))  # type: ignore[misc]
    require_alike(waits, plain)
    hidden = waits.read_entries()
    _open(waits)
    wait_until(lambda: len(waits.see(GIRL)["events"]) == 3)
    assert waits.see(GIRL)["events"] == ["inquire", "open_occasion", "register"]
    assert "inquire" not in waits.see(FATHER)["events"]
    assert waits.see(REPRESENTED)["events"] == waits.see(GIRL)["events"]
    bundle, counts = waits.check(GIRL)
    assert counts == {"open": 3, "own": 0}
    told = [entry for roll in bundle.rolls for entry in roll.entries if entry.earlier is not None]
    assert len(told) == 2
    for entry in told:
        _require_old_commit(entry, hidden)
    waits.verify()
    assert waits.see(GIRL) != plain.see(GIRL)  # now it shows, so that it can be seen here


def _find_root(watched: Watched) -> bool:
    found = call_party("broker", watched.world.home, "status")
    return bool(found["tag_root_size"])


def _open(watched: Watched) -> None:
    home = watched.world.home
    (listed,) = call_party("broker", home, "special_list")["special_situations"]
    said = call_party(
        "broker", home, "special_open", number=listed["number"], by="d.baas", role="directeur"
    )
    assert said["opened"] == 3


def _require_old_commit(entry: RollEntry, hidden: list[bytes]) -> None:
    """Check that what is told now is what lay sealed all the while, by its public commit."""
    told = parse_payload(entry.payload or b"").reopened
    assert told is not None
    lay = parse_entry(hidden[told.index])
    assert entry.earlier is not None
    assert lay.ref == entry.earlier.tag
    content = Content(salt=told.salt, core=told.core, payload=told.payload)
    assert lay.hash == derive_commit(content.core, content.payload_hash)
