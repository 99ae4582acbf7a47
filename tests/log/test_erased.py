"""Contents that ended: nothing of them lies anywhere, and the log of before still verifies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker.purposes.catalogue import load_catalogue
from datwat.party.settings import change_settings
from datwat.protocol.acts import Wish
from tests.api.conftest import start, stop
from tests.connectors.client.bsns import BSNS
from tests.databases import are_on_server, change_rows, read_rows, read_url, read_whole
from tests.exchange.world import POLICIES, World, by_bsn, by_handle, member, opens, say
from tests.log.world import ask_outside
from tests.parties import run_command

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("log-erased"),
    pytest.mark.timeout(400),
]

PURPOSE = "coordinate_family_help"
_PIECE = 24


class Ending:
    """A served broker with entries about two persons, of whom one is to end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.world = World(folder)
        change_settings(self.world.home, {"tag_root_seconds": 1})
        self.start()
        self.digest = load_catalogue(POLICIES).to_data()["purposes"][PURPOSE]["revisions"][0][
            "digest"
        ]
        for bsn in BSNS[:2]:
            opened = self.served.ask("social-team", "open_occasion", [member(bsn)], _OPENING)
            self.part: Any = opened.persons[0].part
            self.inquire()

    def start(self) -> None:
        served = self.served = start(self.world, self.folder / "log")
        self.stack.callback(lambda: stop(served))

    def inquire(self) -> None:
        self.served.ask(
            "social-team",
            "inquire",
            [by_handle(self.part.handle)],
            say(occasion=self.part.occasion),
            purpose={"id": PURPOSE, "digest": self.digest},
            rung="dat",
        )

    def run(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        return read_rows(self.world.home, query, **values)

    def list_secrets(self, subject: bytes) -> list[bytes]:
        """Return all that lies sealed of a person, and the sealed key that opens it."""
        contents = self.run(
            "SELECT sealed, input_sealed FROM log_entries WHERE subject_id = :subject",
            subject=subject,
        )
        query = "SELECT key_sealed FROM log_quarter_keys WHERE subject_id = :subject"
        keys = self.run(query, subject=subject)
        return [blob for row in (*contents, *keys) for blob in row if blob is not None]

    def find(self, secrets: Sequence[bytes], *, but: Sequence[Path] = ()) -> list[str]:
        """Return the files of the broker in which a piece of any of these lies; `rows` of a server.

        There PostgreSQL's own files hold what was erased until its VACUUM, as "ends" says.
        """
        pieces = {
            secret[place : place + _PIECE]
            for secret in secrets
            for place in range(0, len(secret) - _PIECE + 1, _PIECE)
        }
        paths = [path for path in sorted(self.world.folder.rglob("*")) if path not in but]
        held = [(path.name, path.read_bytes()) for path in paths if path.is_file()]
        if are_on_server():
            held.append(("rows", read_whole(read_url(self.world.home))))
        return [name for name, content in held if any(piece in content for piece in pieces)]

    def verify(self, source: str) -> dict[str, Any]:
        log = self.world.card.log
        assert log is not None
        keys = ("--key", log.vkeys[0], "--origin", log.origin)
        code, said, error = ask_outside("log", "verify", source, *keys)
        assert code == 0, error
        return said

    def mirror(self, folder: Path) -> None:
        log = self.world.card.log
        assert log is not None
        keys = ("--key", log.vkeys[0], "--origin", log.origin)
        code, _, error = ask_outside("log", "mirror", self.prefix, str(folder), *keys)
        assert code == 0, error

    @property
    def prefix(self) -> str:
        return f"{self.served.url}/v1/log"


_OPENING = say(opens=opens())


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Ending]:
    with ExitStack() as stack:
        yield Ending(tmp_path, stack)


def test_what_ended_lies_nowhere_and_the_mirror_of_before_verifies(
    ending: Ending, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mirror = tmp_path_factory.mktemp("outside") / "mirror"
    home = ("--home", str(ending.world.home))
    ending.mirror(mirror)
    before = ending.verify(str(mirror))
    (subject,), (other,) = ending.run(
        "SELECT subject_id FROM log_entries WHERE number = 1 AND audience = 'open' ORDER BY idx"
    )
    secrets, kept = ending.list_secrets(subject), ending.list_secrets(other)
    assert len(secrets) >= 4
    assert ending.find(secrets), "what is looked for must be found before it ends"
    change = "UPDATE log_entries SET retention_until = 1 WHERE subject_id = :subject"
    change_rows(ending.world.home, change, subject=subject)
    due = run_command("housekeep", *home, "--dry-run")
    done = run_command("housekeep", *home)
    assert done["failed"] == []
    query = "SELECT sealed FROM log_entries WHERE subject_id = :subject ORDER BY idx"
    gone = ending.run(query, subject=subject)
    assert [row for row in gone if row[0] is not None][1:] == [], due  # the notice alone is left
    assert ending.find(secrets) == []
    assert set(ending.find(kept)) & {"party.sqlite", "party.sqlite-wal", "rows"}
    ending.inquire()
    ending.mirror(mirror)  # it goes on from what it held before
    after = ending.verify(str(mirror))
    assert after["entries"] > before["entries"]
    assert ending.verify(ending.prefix)["entries"] >= after["entries"]
    stop(ending.served)
    assert ending.find(secrets) == []
    assert ending.find(kept) == ["rows" if are_on_server() else "party.sqlite"]


def test_what_a_resident_wishes_erased_two_officers_erase_by_command(
    ending: Ending, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mirror = tmp_path_factory.mktemp("outside") / "mirror"
    home = ("--home", str(ending.world.home))
    ending.mirror(mirror)
    session = ending.served.ask("portal", "open_session", [by_bsn(BSNS[1], identity="document")])
    part: Any = session.persons[0].part
    (subject, number), *_ = ending.run(
        "SELECT subject_id, idx FROM log_entries WHERE audience = 'open' ORDER BY idx DESC"
    )
    secrets = ending.list_secrets(subject)
    wish = by_handle(part.handle, wish=Wish(erases=number))
    asked = str(ending.served.ask("portal", "wish", [wish]).persons[0].index)
    two = ("--by", "m.jansen", "--role", "officer", "--second-by", "p.smit")
    why = ("--second-role", "manager", "--reason", "The help ended long ago.")
    for wrong in (str(number), "999999"):
        code, _, said = ask_outside("broker", "erase", wrong, *home, *two, *why)
        assert code == 1
        assert "no resident wished" in said
    done = run_command("broker", "erase", asked, *home, *two, *why)
    assert (done["outcome"], done["contents"], done["answered_before"]) == ("erased", 1, False)
    again = run_command("broker", "erase", asked, *home, *two, *why)
    assert (again["outcome"], again["contents"], again["answered_before"]) == ("erased", 1, True)
    run_command("housekeep", *home)
    query = "SELECT sealed FROM log_entries WHERE idx = :number"
    assert ending.run(query, number=number) == [(None,)]
    assert ending.find(secrets) == []
    ending.mirror(mirror)
    ending.verify(str(mirror))
