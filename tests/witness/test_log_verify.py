"""`datwat log verify`: what an honest log gives, and what each dishonest one is told."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datwat.protocol.documents import SignedDocument
from datwat.protocol.notes import MAX_NOTE_LENGTH, SignatureLine, VerifierKey
from datwat.protocol.tiles import encode_bundle
from datwat.protocol.trust import LogEntry, Witness
from tests.party.covenant import TestCovenant
from tests.witness.conftest import RunCommand
from tests.witness.log_maker import LogMaker, TestWitness, build_log, read_folder, serving, tag
from witness import follow, verify

ByKey = Callable[[LogMaker], tuple[str, ...]]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even a small log come in several parts."""
    monkeypatch.setattr(follow.follow, "__kwdefaults__", {"part_entries": 1_024})


def test_a_whole_log_from_a_folder_and_over_http(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(3_000, every=500)
    folder = maker.show(tmp_path / "log")
    done = command("log", "verify", folder, *by_key(maker))
    assert done.code == 0, done.error
    said = done.said
    assert said["verified"] is True
    assert (said["entries"], said["new_entries"], said["tag_roots"]) == (3_000, 3_000, 5)
    assert said["root"] == maker.edge(3_000)[0].root.hex()
    assert said["counted_up_to"] + said["not_counted_yet"] == 3_000
    assert (said["cosignatures"], said["cosigned_seconds_ago"]) == (0, None)
    with serving(folder) as server:
        assert command("log", "verify", server.url, *by_key(maker)).said["entries"] == 3_000


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 1_023, 1_024, 1_025, 2_049])
def test_every_edge_of_a_tile(
    tmp_path: Path, command: RunCommand, by_key: ByKey, size: int
) -> None:
    maker = build_log(size, every=300) if size else LogMaker()
    folder = maker.show(tmp_path / "log")
    done = command("log", "verify", folder, *by_key(maker), "--state", tmp_path / "state")
    assert (done.code, done.said.get("entries")) == (0, size), done.error


def test_the_next_run_reads_only_what_is_new(
    tmp_path: Path, command: RunCommand, by_key: ByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MAX_RUNS", 3)
    maker = build_log(2_000, every=300)
    state = tmp_path / "state"
    log = tmp_path / "log"
    with serving(log) as server:
        done = None
        for step in (1, 255, 256, 700, 0, 1_500):
            maker.add_persons(step).add_root()
            maker.show(log)
            server.asked.clear()
            done = command("log", "verify", server.url, *by_key(maker), "--state", state)
            assert done.code == 0, done.error
            assert done.said["not_counted_yet"] == 1
            read = [path for path in server.asked if "entries" in path]
            assert len(read) <= (done.said["new_entries"] + 255) // 256 + 1
    assert done is not None
    assert len(list((state / "tags").glob("*.tags"))) <= 4
    assert done.said["tag_roots"] == sum(entry[1] == 2 for entry in maker.entries)
    again = command("log", "verify", maker.show(log), *by_key(maker), "--state", state)
    assert (again.said["new_entries"], again.said["entries"]) == (0, maker.size)


def test_a_run_that_was_cut_short_is_gone_on_with(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(5_000, every=700)
    log, state = tmp_path / "log", tmp_path / "state"
    maker.show(log)
    held = (log / "tile/entries/015").read_bytes()
    (log / "tile/entries/015").unlink()
    missing = command("log", "verify", log, *by_key(maker), "--state", state)
    assert "not there" in missing.error
    (log / "tile/entries/015").write_bytes(held)
    done = command("log", "verify", log, *by_key(maker), "--state", state)
    assert (done.code, done.said["entries"], done.said["tag_roots"]) == (0, 5_000, 7), done.error
    assert done.said["new_entries"] < 5_000


@pytest.mark.parametrize("place", [0, 300, 1_500, 2_999])
def test_an_entry_taken_out_or_changed_after_it_was_signed_is_found(
    tmp_path: Path, command: RunCommand, by_key: ByKey, place: int
) -> None:
    maker = build_log(3_000, every=500)
    note = maker.note()
    changed = maker.fork()
    changed.entries[place] = changed.entries[place][:-1] + b"\x00"
    removed = maker.fork()
    del removed.entries[place]
    removed.add_persons(1, "other")
    for forged in (changed, removed):
        done = command("log", "verify", forged.show(tmp_path / "log", note=note), *by_key(maker))
        assert done.code == 1
        assert "do not lead to the root that the log signed" in done.error


def test_a_wrong_tag_root_is_found_though_everything_is_signed(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    state = tmp_path / "state"
    hidden = build_log(1_200, every=300)
    place = hidden.size
    hidden.add_root(root=hashlib.sha256(b"without one of them").digest())
    hidden.add_persons(1_500).add_root()
    for _ in range(2):  # what was found is found again
        done = command(
            "log", "verify", hidden.show(tmp_path / "log"), *by_key(hidden), "--state", state
        )
        assert done.code == 1
        assert f"Entry {place} states a root" in done.error


def test_other_things_that_no_honest_log_signs(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    ahead = build_log(300).add_root(size=300).add_root(size=302)
    back = build_log(700, every=300).add_root(size=5)
    padded = build_log(300)
    padded.entries.append(b"\x01\x02" + (299).to_bytes(8, "big") + b"\x01" * 56)
    version = build_log(300)
    version.entries.append(b"\x02" + version.entries[-1][1:])
    kind = build_log(300)
    kind.entries.append(b"\x01\x04" + bytes(64))
    named = build_log(300)
    named.entries.append(b"\x01\x03" + b"\x01" * 64)
    short = build_log(300)
    short.entries.append(short.entries[-1][:40])
    twice = build_log(600, every=300)
    twice.entries.append(twice.entries[1])
    within = build_log(600, every=300)
    within.entries.append(within.entries[1])
    within.add_root(root=bytes(32))
    cases = [
        (ahead, "Entry 301 states a root"),
        (back, "Entry 700 states a root"),
        (padded, "Entry 300 states a root"),
        (version, "holds at 300 is not an entry"),
        (kind, "holds at 300 is not an entry"),
        (named, "holds at 300 is not an entry"),
        (short, "holds at 300 is not an entry"),
        (twice, "occurs at another entry too"),
        (within, "occurs at another entry too"),
    ]
    for number, (maker, sentence) in enumerate(cases):
        folder = maker.show(tmp_path / f"log{number}")
        done = command("log", "verify", folder, *by_key(maker))
        assert (done.code, sentence in done.error) == (1, True), (number, done.error)


def test_a_fork_and_a_shrunk_log_change_nothing(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(1_500, every=400)
    log, state = tmp_path / "log", tmp_path / "state"
    assert command("log", "verify", maker.show(log), *by_key(maker), "--state", state).code == 0
    before = read_folder(state)
    fork = LogMaker(maker.origin, maker.key, maker.entries[:1_000]).add_persons(500, "fork")
    longer = fork.fork().add_persons(900)
    shrunk = fork.fork()
    shrunk.entries = maker.entries[:1_400]
    for other, sentence in (
        (fork, "signed two different histories"),
        (longer, "signed two different histories"),
        (shrunk, "smaller checkpoint"),
    ):
        done = command("log", "verify", other.show(log), *by_key(maker), "--state", state)
        assert (done.code, sentence in done.error) == (1, True), done.error
        assert read_folder(state) == before
    assert command("log", "verify", maker.show(log), *by_key(maker), "--state", state).code == 0


def test_tiles_that_do_not_fit(tmp_path: Path, command: RunCommand, by_key: ByKey) -> None:
    maker = build_log(2_300, every=500)
    log = maker.show(tmp_path / "log")
    entries = maker.files()["tile/entries/000"]
    cases: list[tuple[str, bytes]] = [
        ("tile/0/000", bytes(8_192)),
        ("tile/0/000", b"garbage"),
        ("tile/0/008.p/252", bytes(252 * 32)),
        ("tile/1/000.p/8", bytes(256)),
        ("tile/0/003", bytes(8_193)),
        ("tile/entries/004", bytes(17_408)),
        ("tile/entries/004", entries),
        ("tile/entries/004", entries[:-68]),
        ("tile/entries/004", entries + encode_bundle([bytes(66)])),
        ("tile/entries/008.p/252", b""),
        ("tile/entries/000", b"\xff" * 20_000),
    ]
    with serving(log) as server:
        for name, data in cases:
            server.changes = {name: data}
            done = command("log", "verify", server.url, *by_key(maker))
            assert done.code == 1, name
            assert "tile" in done.error, (name, done.error)
        server.changes = {}
        assert command("log", "verify", server.url, *by_key(maker)).code == 0


def test_a_damaged_mirror_is_not_taken_for_a_fork(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(700, every=200)
    log, state = tmp_path / "log", tmp_path / "state"
    assert command("log", "verify", maker.show(log), *by_key(maker), "--state", state).code == 0
    maker.add_persons(600)
    maker.show(log)
    whole = (log / "tile/0/002").read_bytes()
    (log / "tile/0/002").write_bytes(bytes(8_192))  # the root of 1,300 entries does not read it
    done = command("log", "verify", log, *by_key(maker), "--state", state)
    assert (done.code, "they are damaged" in done.error) == (1, True), done.error
    (log / "tile/0/002").write_bytes(whole)
    assert command("log", "verify", log, *by_key(maker), "--state", state).code == 0


def test_a_partial_tile_may_be_gone_once_the_full_one_is_there(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(700, every=200)
    early = maker.files(600)
    maker.add_persons(500)
    log = maker.show(tmp_path / "log", note=early["checkpoint"])
    (log / "tile/1/000.p/2").write_bytes(early["tile/1/000.p/2"])  # no full one yet
    assert not (log / "tile/0/002.p").exists()
    with serving(log) as server:
        for place in (log, server.url):
            done = command("log", "verify", place, *by_key(maker))
            assert (done.code, done.said.get("entries")) == (0, 600), done.error


def test_checkpoints_that_do_not_hold(tmp_path: Path, command: RunCommand, by_key: ByKey) -> None:
    maker = build_log(300)
    state = tmp_path / "state"
    key = VerifierKey.parse(maker.signer.vkey)
    forged = SignatureLine(name=key.name, key_id=key.key_id, signature=bytes(64)).text.encode()
    other = LogMaker("other.example/log/1", maker.key, maker.entries)
    note = maker.note()
    long_name = note.replace(f"— {maker.origin}".encode(), b"\xe2\x80\x94 " + b"n" * 10_240)
    cases: list[tuple[bytes, str]] = [
        (b"", "not a signed checkpoint"),
        (b"\xff\xfe", "not a signed checkpoint"),
        (note.replace(b"\n300\n", b"\n301\n"), "signature under this checkpoint is not valid"),
        (note + forged, "signature under this checkpoint is not valid"),
        (LogMaker(entries=maker.entries).note(), "No known key"),
        (other.note(), "No known key"),
        (long_name, "not a signed checkpoint"),
        (note * (MAX_NOTE_LENGTH // len(note) + 1), "longer than a checkpoint can be"),
    ]
    for shown, sentence in cases:
        log = maker.show(tmp_path / "log", note=shown)
        done = command("log", "verify", log, *by_key(maker), "--state", state)
        assert done.code == 1, sentence
        assert sentence in done.error, done.error
        assert read_folder(state, without=[".lock"]) == {}


@pytest.mark.parametrize("verb", ["verify", "mirror"])
def test_what_is_too_long_for_a_checkpoint_is_called_so(
    tmp_path: Path, command: RunCommand, by_key: ByKey, verb: str
) -> None:
    maker, log, new = build_log(300), tmp_path / "log", tmp_path / "new"
    maker.show(log, note=b"x" * 3_000_000)
    target = (new,) if verb == "mirror" else ()
    with serving(log) as server:
        for source in (server.url, log):
            done = command("log", verb, source, *target, *by_key(maker))
            assert done.code == 1
            assert "longer than a checkpoint can be" in done.error
            assert "tile" not in done.error
    assert not [path for path in new.glob("*") if path.name != ".lock"]


@pytest.mark.parametrize("verb", ["verify", "mirror"])
def test_a_log_that_is_not_there_is_named(
    tmp_path: Path, command: RunCommand, by_key: ByKey, verb: str
) -> None:
    target = (tmp_path / "new",) if verb == "mirror" else ()
    keys = by_key(build_log(1))
    nowhere = command("log", verb, "http://127.0.0.1:1/v1/log", *target, *keys)
    assert "http://127.0.0.1:1 cannot be reached: check the address" in nowhere.error
    missing = command("log", verb, tmp_path / "none", *target, *keys)
    assert f"no folder {tmp_path / 'none'}" in missing.error


def test_cosignatures_are_counted_and_their_age_is_said(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker, one, two = build_log(300), TestWitness(), TestWitness("witness.example/w2")
    keys = (*by_key(maker), "--witness", one.vkey, "--witness", two.vkey)
    log = tmp_path / "log"
    lacking = command("log", "verify", maker.show(log, note=one.cosign(maker.note())), *keys)
    assert lacking.code == 1
    assert "1 of the known witnesses vouch" in lacking.error
    note = two.cosign(one.cosign(maker.note(), age=30), age=7_200)
    done = command("log", "verify", maker.show(log, note=note), *keys)
    assert done.code == 0, done.error
    assert (done.said["cosignatures"], done.said["cosignatures_needed"]) == (2, 2)
    assert 7_199 <= done.said["cosigned_seconds_ago"] <= 7_260
    forged = one.cosign(maker.note()).replace(b"\n300\n", b"\n300\n")[:-6] + b"AAA=\n"
    assert command("log", "verify", maker.show(log, note=forged), *keys).code == 1


def test_keys_from_a_pinned_trust_list(tmp_path: Path, command: RunCommand) -> None:
    maker, witness = build_log(300), TestWitness()
    covenant = TestCovenant()
    trust = covenant.build().model_copy(
        update={
            "log": LogEntry(origin=maker.origin, vkeys=(maker.signer.vkey,)),
            "witnesses": (Witness(name=witness.name, vkey=witness.vkey),),
            "witness_threshold": 1,
        }
    )
    document = covenant.sign(trust)
    pin = hashlib.sha256(SignedDocument.from_bytes(document).payload).hexdigest()
    (tmp_path / "list.json").write_bytes(document)
    log = maker.show(tmp_path / "log", note=witness.cosign(maker.note()))
    with serving(tmp_path) as server:
        for place in (str(tmp_path / "list.json"), f"{server.url}/list.json"):
            done = command("log", "verify", log, "--trust-list", place, "--pin", pin)
            assert (done.code, done.said.get("cosignatures_needed")) == (0, 1), done.error
    wrong = command(
        "log", "verify", log, "--trust-list", tmp_path / "list.json", "--pin", "00" * 32
    )
    assert "not the one that is pinned" in wrong.error
    absent = command("log", "verify", log, "--trust-list", tmp_path / "no.json", "--pin", pin)
    assert "is not there: check the path" in absent.error
    assert (
        "hexadecimal"
        in command(
            "log", "verify", log, "--trust-list", tmp_path / "list.json", "--pin", "xyz"
        ).error
    )


def test_what_is_asked_wrongly(tmp_path: Path, command: RunCommand, by_key: ByKey) -> None:
    maker = build_log(300)
    log = maker.show(tmp_path / "log")
    key, witness = maker.signer.vkey, TestWitness()
    for words, code in (
        ((), 2),
        (("--key", key), 2),
        (("--trust-list", "list.json"), 2),
        (("--trust-list", "list.json", "--pin", "00", *by_key(maker)), 2),
        (("--key", witness.vkey, "--origin", maker.origin), 2),
        ((*by_key(maker), "--witness", key), 2),
        (("--key", "nonsense", "--origin", maker.origin), 2),
        ((*by_key(maker), "--witness", "nonsense"), 2),
    ):
        assert command("log", "verify", log, *words).code == code, words
    for words, named in (
        (("--key", "nonsense", "--origin", maker.origin), ("--key", "`datwat log key`")),
        (("--key", witness.vkey, "--origin", maker.origin), ("--key", "another kind")),
        ((*by_key(maker), "--witness", "nonsense"), ("--witness", "a witness", "copy the key")),
        ((*by_key(maker), "--witness", key), ("--witness", "another kind")),
    ):
        error = command("log", "verify", log, *words).error
        assert all(part in error for part in named), error
    assert "There is no folder" in command("log", "verify", tmp_path / "no", *by_key(maker)).error
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "cannot be read there" in command("log", "verify", empty, *by_key(maker)).error
    closed = command("log", "verify", "http://127.0.0.1:9", *by_key(maker))
    assert "cannot be reached" in closed.error


def test_state_folders_of_others_are_refused_and_left_alone(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker, other = build_log(300), LogMaker("other.example/log/1").add_persons(5)
    state, used = tmp_path / "state", tmp_path / "used"
    log = maker.show(tmp_path / "log")
    assert command("log", "verify", log, *by_key(maker), "--state", state).code == 0
    used.mkdir()
    (used / "letter.txt").write_text("mine")
    before = read_folder(state)
    strange = command(
        "log", "verify", other.show(tmp_path / "other"), *by_key(other), "--state", state
    )
    assert "the folder of another log" in strange.error
    assert (
        "holds other files" in command("log", "verify", log, *by_key(maker), "--state", used).error
    )
    assert read_folder(state) == before
    held = json.loads((state / "state.json").read_text())
    for damage in (
        {**held, "size": 299},
        {**held, "edge": held["edge"][:-2]},
        {**held, "edge": "00" * (len(held["edge"]) // 2)},
        {**held, "v": 2},
    ):
        (state / "state.json").write_text(json.dumps(damage))
        done = command("log", "verify", log, *by_key(maker), "--state", state)
        assert "damaged" in done.error, damage.keys()
    (state / "state.json").write_text(json.dumps(held))
    (state / "tags" / "0-300.tags").unlink()
    maker.add_persons(3)
    done = command("log", "verify", maker.show(tmp_path / "log"), *by_key(maker), "--state", state)
    assert "damaged" in done.error


def test_a_slow_log_ends_in_a_sentence(
    tmp_path: Path, command: RunCommand, by_key: ByKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = build_log(300)
    monkeypatch.setattr("witness.source.HttpSource.__init__.__defaults__", (0.2,))
    with serving(maker.show(tmp_path / "log")) as server:
        server.delay = 1.0
        began = time.monotonic()
        done = command("log", "verify", server.url, *by_key(maker))
        assert "did not answer in time" in done.error
        assert time.monotonic() - began < 5


def test_tags_are_taken_from_where_the_maker_puts_them() -> None:
    assert build_log(3).tags(3) == sorted([(tag(1), 1), (tag(2), 2)])
