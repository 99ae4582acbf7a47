"""`datwat log check-mine`, `compare` and `page`, with keys from a signed and pinned list."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from datwat.party.check_page import derive_check_page_hash, read_texts
from datwat.party.completeness_cli import app
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.completeness import View
from datwat.protocol.errors import DatwatError
from datwat.protocol.trust import LogEntry, TrustList, Witness
from tests.party.covenant import TestCovenant
from tests.protocol.completeness_attacks import ATTACKS, Attack
from tests.protocol.completeness_findings import CASES, Case
from tests.protocol.completeness_world import Chains, World, build_world
from tests.protocol.test_held_entries import hold


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Desk:
    """A folder with a signed list, whose hash is known, and the log that it names."""

    folder: Path
    world: World
    trust: TrustList
    pin: str

    def write(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def bundle(self, name: str = "bundle.json") -> str:
        bundle = self.world.maker.build(self.world.person, now=now())
        return self.write(name, bundle.model_dump_json())

    def run(self, *arguments: str, pin: str | None = None) -> Result:
        trust = ("--trust-list", str(self.folder / "list.json"), "--pin", pin or self.pin)
        result = CliRunner().invoke(app, [*arguments, *trust])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def code(self, *arguments: str, pin: str | None = None) -> str:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - its code is what is asked
            self.run(*arguments, pin=pin)
        return str(getattr(caught.value, "code", caught.value))

    def detail(self, *arguments: str) -> str:
        """Return what is said of a failure; options that are given stand in for the usual ones."""
        usual = {"--trust-list": str(self.folder / "list.json"), "--pin": self.pin}
        added = [pair for pair in usual.items() if pair[0] not in arguments]
        result = CliRunner().invoke(app, [*arguments, *(part for pair in added for part in pair)])
        assert isinstance(result.exception, DatwatError)
        return result.exception.detail


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    world, covenant = build_world(), TestCovenant()
    maker = world.maker
    trust = covenant.build().model_copy(
        update={
            "log": LogEntry(origin=maker.origin, vkeys=(maker.signer.vkey,)),
            "witnesses": tuple(Witness(name=n, vkey=maker.vkey(n)) for n in maker.witnesses),
            "witness_threshold": 2,
        }
    )
    (tmp_path / "list.json").write_bytes(covenant.sign(trust))
    pin = hashlib.sha256(encode_canonical(trust.model_dump(mode="json"))).hexdigest()
    return Desk(tmp_path, world, trust, pin)


def test_it_says_in_plain_words_what_is_proved_and_what_is_not(desk: Desk) -> None:
    said = desk.run("check-mine", desk.bundle()).stdout
    assert "Bewezen: er ontbreekt niets" in said
    assert "Wat dit niet bewijst" in said
    english = desk.run("check-mine", desk.bundle(), "--language", "en").stdout
    assert "Proved: nothing is missing" in english
    verdict: dict[str, Any] = json.loads(desk.run("check-mine", desk.bundle(), "--json").stdout)
    assert (verdict["status"], verdict["cosigned"]) == ("proved", 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_it_says_what_somebody_should_look_at(desk: Desk, case: Case) -> None:
    path = desk.write("bundle.json", case(desk.world, now()).model_dump_json())
    verdict = json.loads(desk.run("check-mine", path, "--json").stdout)
    assert tuple(verdict["findings"]) == CASES[case]
    for language in ("nl", "en"):
        said = desk.run("check-mine", path, "--language", language).stdout
        texts = read_texts()[language]["findings"]
        assert [one for one in texts if texts[one] in said] == list(CASES[case])


@pytest.mark.parametrize("view", ["self", "representative", "auditor"])
def test_what_it_says_fits_whom_the_bundle_is_made_for(desk: Desk, view: View) -> None:
    chains = desk.world.delayed if view == "auditor" else desk.world.person
    bundle = desk.world.maker.build(chains, view, now=now())
    path = desk.write("bundle.json", bundle.model_dump_json())
    for language in ("nl", "en"):
        texts = read_texts()[language]
        said = desk.run("check-mine", path, "--language", language).stdout
        assert texts["explain"]["proved"][view] in said
        assert all(limit in said for limit in texts["limits"][view])
        assert view != "auditor" or not re.search(r"\bover u\b|\buw\b|\byour?\b", said)
    if view == "auditor":
        assert "wacht, niet te zien tot wanneer: 1" in desk.run("check-mine", path).stdout


def test_it_names_the_quarters_that_a_broker_left_out(desk: Desk) -> None:
    whole = desk.world.maker.build(desk.world.person, now=now())
    early = tuple(roll for roll in whole.rolls if roll.quarter == "2026Q3")
    path = desk.write("early.json", whole.model_copy(update={"rolls": early}).model_dump_json())
    assert (
        "Over deze kwartalen zegt dit bestand niets: 2026Q4" in desk.run("check-mine", path).stdout
    )


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_it_names_what_was_withheld(desk: Desk, attack: Attack) -> None:
    bundle = attack(desk.world, now() - timedelta(seconds=1))
    path = desk.write("bundle.json", bundle.model_dump_json())
    if (expected := ATTACKS[attack]) in ("proved_until", "not_witnessed"):
        found = json.loads(desk.run("check-mine", path, "--json").stdout)["status"]
    else:
        found = desk.code("check-mine", path)
    assert found == expected


def test_keys_come_from_the_pinned_list_and_from_nowhere_else(desk: Desk) -> None:
    path = desk.bundle()
    assert desk.code("check-mine", path, pin="00" * 32) == "trust_list_pin"
    assert desk.code("check-mine", path, pin="no hash") == "trust_list_pin"


def test_what_is_wrong_with_an_option_is_named_with_the_cure(desk: Desk) -> None:
    """Each error says which option or argument, which file, and what to do."""
    absent, folder = str(desk.folder / "absent.json"), str(desk.folder)
    bundle, junk = desk.bundle(), desk.write("junk.json", "{}")
    list_option = ("--trust-list", absent, "--pin", desk.pin)
    unwritable = str(desk.folder / "no" / "check.html")
    for arguments, named in (
        (("check-mine", absent), ("BUNDLE", absent)),
        (("check-mine", folder), ("BUNDLE", folder)),
        (("check-mine", bundle, "--earlier", absent), ("--earlier", absent)),
        (("compare", bundle, absent), ("ENTRIES", absent)),
        (("page", "--out", unwritable), ("--out", unwritable)),
        (("page", "--out", folder), ("--out", folder)),
        (("check-mine", bundle, *list_option), ("--trust-list", absent)),
        (("check-mine", bundle, "--trust-list", junk, "--pin", desk.pin), ("--trust-list", junk)),
        (("check-mine", bundle, "--pin", "no hash"), ("--pin", "64 hexadecimal")),
        (("check-mine", bundle, "--pin", "3f2a"), ("--pin", "64 hexadecimal")),
        (("check-mine", bundle, "--pin", "00" * 32), ("--pin", "list.json", "compare")),
    ):
        said = desk.detail(*arguments)
        assert all(part in said for part in named), (arguments, said)


def test_an_earlier_bundle_tells_another_persons(desk: Desk) -> None:
    earlier = desk.bundle("earlier.json")
    desk.world.maker.write(desk.world.person, "open", "2026Q4")
    assert "Bewezen" in desk.run("check-mine", desk.bundle(), "--earlier", earlier).stdout
    theirs = desk.world.maker.build(desk.world.other, now=now()).model_dump_json()
    path = desk.write("theirs.json", theirs)
    assert desk.code("check-mine", path, "--earlier", earlier) == "completeness_other_roll"
    assert desk.code("check-mine", earlier, "--earlier", desk.bundle()) == "completeness_older"


def test_bad_files_are_one_clear_error(desk: Desk) -> None:
    assert desk.code("check-mine", str(desk.folder / "absent.json")) == "file_unreadable"
    assert desk.code("check-mine", desk.write("x", "{}")) == "completeness_form"
    large = desk.folder / "large.json"
    large.write_bytes(b" " * 100_000_000)
    assert desk.code("check-mine", str(large)) == "completeness_too_large"
    assert desk.code("compare", desk.bundle(), desk.write("e", "{}")) == "held_entries_form"


def test_compare_names_what_a_partner_holds_and_the_bundle_lacks(desk: Desk) -> None:
    world = desk.world
    held = hold(*world.person.rolls["open", "2026Q4"])
    entries = desk.write("entries.json", held.model_dump_json())
    result = desk.run("compare", desk.bundle(), entries)
    assert result.exit_code == 0
    assert (
        f"Alles wat {held.partner} heeft en wat in dit bestand hoort, staat erin" in result.stdout
    )
    none = desk.write("none.json", hold().model_dump_json())
    assert "geen regels gegeven" in desk.run("compare", desk.bundle(), none).stdout
    early = hold(*world.person.rolls["open", "2026Q4"], at=datetime(2025, 1, 2, tzinfo=UTC))
    assert "zegt dit bestand niets" not in result.stdout
    path = desk.write(
        "early.json", early.model_copy(update={"entries": early.entries}).model_dump_json()
    )
    assert desk.run("compare", desk.bundle(), path).exit_code == 0
    hidden = world.maker.write(Chains(b"second" * 5 + b".."), "open", "2026Q4")
    entries = desk.write("entries.json", hold(hidden).model_dump_json())
    result = desk.run("compare", desk.bundle(), entries)
    assert result.exit_code == 1
    assert str(hidden.index) in result.stdout
    assert "Let op: er ontbreken regels." in result.stdout
    assert f"dat {held.partner} heeft en dat in dit bestand ontbreekt" in result.stdout
    english = desk.run("compare", desk.bundle(), entries, "--language", "en").stdout
    assert "Mind: entries are missing." in english
    found = json.loads(desk.run("compare", desk.bundle(), entries, "--json").stdout)
    assert [(one["index"], one["state"]) for one in found["entries"]] == [(hidden.index, "missing")]


def test_the_page_is_written_with_its_hash(desk: Desk) -> None:
    out = desk.folder / "check.html"
    said = json.loads(desk.run("page", "--out", str(out), "--json").stdout)
    assert said["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert said["sha256"] == derive_check_page_hash(desk.trust)
    assert desk.code("page", "--out", str(desk.folder / "no" / "check.html")) == "file_unreadable"
