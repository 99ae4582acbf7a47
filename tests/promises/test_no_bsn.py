"""Promise 1: broker and key holder never receive, store or log a BSN.

A marked number goes through every route and the pages; afterwards it is looked for in all files of
all parties (databases, WAL, ratchets, logs, temporary files), and in everything that broker and key
holder received and sent.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from connectors.client import requests
from connectors.client.outgoing import ROUTES
from datwat.party.database import open_engine, reading
from datwat.protocol.acts import (
    Authority,
    CloseOccasion,
    Contact,
    Conversation,
    Handler,
    Objection,
    Professional,
    SpecialSituation,
)
from datwat.protocol.values import decode_bytes, encode_bytes
from demo.covenant import build_login
from tests.databases import are_on_server, find_own_url, opened, read_url, read_whole
from tests.demo.test_portal import get_me, get_proof, log_in, post
from tests.demo.world import TEMPORARY, World
from tests.party.covenant import now
from tests.promises.needles import (
    WEAK,
    build_base64_needles,
    build_needles,
    find_in_bytes,
    find_leaks,
    read_files,
)
from tests.promises.pages import (
    walk_the_officers_pages,
    walk_the_portals_pages,
    walk_the_staffs_pages,
)
from tests.watching.scraping import PARTIES, scrape

MARKED = ("999990019", "999993653")
NOOR = Professional(id="noor", role="regisseur")
real_processes = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]


def add_to_youth_help(world: World) -> None:
    """Put the marked person into the partner's own system, and sync."""
    with sqlite3.connect(world.folder / "systems" / "youth-help.sqlite") as connection:
        connection.execute(
            "INSERT INTO klant VALUES ('JH-9001', '999990019', 'Merk', 'Mark', '06-05-2011')"
        )
        connection.execute(
            "INSERT INTO traject VALUES (91, 'JH-9001', '01-02-2026', '01-02-2027', '45A', 'G',"
            " 'L', 'V', 'P. Vos', '', '02-02-2026')"
        )
    connection.close()
    world.command("connector", "sync", "--home", str(world.covenant.home("youth-help")))


def do_the_other_acts(world: World) -> None:
    """Go through the routes that the case file does not go through."""
    moment, team = now(), world.covenant.connect("social-team")
    talk = Conversation(at=moment, told="Iets.", reaction="agrees", alternatives="Iets anders.")
    team.record_conversation(
        requests.RecordConversation(
            professional=NOOR,
            occasion="merk",
            rows=(requests.ConversationRow(client="P-1", conversation=talk),),
        )
    )
    team.record_objection(
        requests.RecordObjection(
            professional=NOOR, client="P-1", objection=Objection(made_at=moment)
        )
    )
    authority = Authority(
        kind="both_parents",
        scope="alles",
        source="document",
        checked_at=moment,
        until_at=moment + timedelta(days=30),
    )
    team.record_authority(
        requests.RecordAuthority(
            professional=NOOR, occasion="merk", client="P-1", authority=authority
        )
    )
    situation = SpecialSituation(
        ground="rights_of_others",
        decider=Professional(id="yvonne", role="manager"),
        until_at=moment + timedelta(days=3),
        opening="automatic",
        reason="Iets.",
    )
    team.declare_special_situation(
        requests.DeclareSpecialSituation(
            professional=NOOR, occasion="merk", special_situation=situation
        )
    )
    leads = Handler(professional="noor", role="coordinator", from_at=moment)
    team.hand_over(requests.HandOver(professional=NOOR, occasion="merk", handlers=(leads,)))
    team.close_occasion(
        requests.Close(
            professional=NOOR,
            occasion="merk",
            closes=CloseOccasion(reason="completed", goals_reached="yes", plan_made=True),
        )
    )
    team.fetch_figures(requests.FetchFigures())
    register_and_end(world)
    helper = world.covenant.connect("youth-help")
    (contact,) = helper.list_contacts().contacts
    helper.answer_contact(
        requests.AnswerContact(
            professional=Professional(id="p.vos", role="hulpverlener"),
            contact=contact.number,
            state="seen",
        )
    )
    team.report_wrong_person(requests.ReportWrongPerson(professional=NOOR, clients=("P-2",)))


def register_and_end(world: World) -> None:
    team, case = world.covenant.connect("social-team"), world.promises
    record = requests.BsnRecord(
        bsn=MARKED[1], family_name="Anders", birth_date=case.people["other"].born
    )
    row = requests.RegistrationRow(
        client="P-2",
        family_name="Anders",
        birth_date=case.people["other"].born,
        record=record,
        kind="social_team_support",
        contact=Contact(role="regisseur"),
        since_at=now(),
    )
    team.register(requests.Register(professional=NOOR, rows=(row,)))
    ending = requests.EndingRow(client="P-2", kind="social_team_support", ends="ended")
    team.end(requests.End(professional=NOOR, rows=(ending,)))


def read_at_the_portal(world: World) -> None:
    """Log in as a resident: the proof that nothing is missing, who is involved, what was said."""
    portal, who = world.covenant.url("portal"), next(iter(world.promises.people))
    with httpx.Client(trust_env=False, timeout=20) as browser:
        log_in(world, browser, build_login(world.promises, who))
        me = get_me(browser, portal)
        assert get_proof(browser, portal, me).rolls
        for path in ("/v1/me/involvements", "/v1/me/wishes/list"):
            status, _ = post(browser, portal, path, {}, X_CSRF_Token=me["csrf_token"])
            assert status == 200


@pytest.fixture(scope="module")
def walked(world: World) -> World:
    """The world after the marked number went everywhere."""
    add_to_youth_help(world)
    differences, _ = world.play(world.promises)
    assert differences == []
    walk_the_staffs_pages(world, world.promises, MARKED)
    walk_the_portals_pages(world, world.promises, MARKED)
    walk_the_officers_pages(world, MARKED)
    do_the_other_acts(world)
    read_at_the_portal(world)
    return world


def read_traffic(world: World) -> Iterator[tuple[str, bytes]]:
    for recorder in world.recorders.values():
        for number, one in enumerate(recorder.exchanges):
            where = f"traffic of {one.door}, {one.path}, number {number}"
            yield where, one.path.encode() + one.headers.encode() + b"\n" + one.request
            yield f"{where}, answer", one.answer


def read_references(home: Path) -> set[bytes]:
    """Return what stands for somebody or something of theirs, of every table of a database."""
    wanted = {"subject_id", "occasion_id", "lookup", "pseudonym", "reference", "handle"}
    values: set[bytes] = set()
    with opened(home) as engine, reading(engine).connect() as connection:
        schema = inspect(connection)
        for table in schema.get_table_names():
            for name in {column["name"] for column in schema.get_columns(table)} & wanted:
                rows = connection.exec_driver_sql(f"SELECT {name} FROM {table}").scalars()
                values |= {one for one in rows if isinstance(one, bytes) and len(one) > 8}
    return values


def find_references(values: set[bytes], texts: list[str]) -> list[bytes]:
    """Return which of these is in any of the texts, in hexadecimal or base64url."""
    whole = "\n".join(texts)
    return [one for one in values if one.hex() in whole or encode_bytes(one) in whole]


def read_everything(world: World) -> Iterator[tuple[str, bytes]]:
    """All files of all parties; what belongs to residents' provider and partners' own is theirs."""
    theirs = (world.folder / "systems", world.folder / "users.json")
    yield from read_files(world.folder, without=theirs)
    yield from read_traffic(world)
    for name in (*PARTIES, *world.covenant.partners):
        yield f"figures of {name}", scrape(world.covenant.home(name)).encode()
        if are_on_server() and name != "portal":  # which keeps no database
            yield f"rows of {name}", read_whole(read_url(world.covenant.home(name)))


class TestNoBsn:
    pytestmark = real_processes

    def test_the_number_went_through_every_route(self, walked: World) -> None:
        seen = set()
        for one in walked.recorders["broker"].exchanges:
            if one.request:
                message = json.loads(one.request)
                seen.add(json.loads(decode_bytes(message["object"]))["type"])
        assert seen == set(ROUTES)
        assert walked.recorders["key-holder"].find("/v1/evaluations")
        for path in ("/v1/orders", "/v1/contact-deliveries"):
            assert walked.recorders["youth-help"].find(path), path

    def test_it_is_nowhere(self, walked: World) -> None:
        things = list(read_everything(walked))
        names = [name for name, _ in things]
        for party in ("broker", "key-holder"):
            held = f"rows of {party}" if are_on_server() else f"{party}/database/party.sqlite"
            assert held in names
        assert are_on_server() or any(name.endswith("-wal") for name in names)
        assert len(things) > 100
        assert find_leaks(things, MARKED) == []

    def test_the_figures_of_every_party_were_searched_too(self, walked: World) -> None:
        found = {name: data for name, data in read_everything(walked) if name.startswith("figures")}
        for name in PARTIES:
            planted = found[f"figures of {name}"] + f'datwat_x{{y="{MARKED[0]}"}} 1'.encode()
            assert find_leaks([(name, planted)], MARKED)

    def test_no_pseudonym_and_no_reference_is_in_a_figure_or_an_event(self, walked: World) -> None:
        """Neither as raw bytes, hex or base64url: of every column that holds one, at the broker."""
        values = read_references(walked.covenant.home("broker"))
        assert len(values) > 10
        texts = [scrape(walked.covenant.home(name)) for name in PARTIES]
        texts += [child.log.read_text("utf-8") for child in walked.processes.children]
        assert not find_references(values, texts)
        for form in (bytes.hex, encode_bytes):
            assert find_references(values, [f"{texts[0]} {form(next(iter(values)))}"])

    def test_a_number_planted_in_the_brokers_database_is_found(
        self, walked: World, tmp_path: Path
    ) -> None:
        url = find_own_url(tmp_path)
        if not are_on_server():
            shutil.copytree(walked.covenant.home("broker") / "database", tmp_path / "database")
        engine = open_engine(url)
        for form in ("text", "integer"):
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE TABLE leak_{form} (bsn {form})")
                for bsn in MARKED:
                    value = f"'{bsn}'" if form == "text" else bsn
                    connection.exec_driver_sql(f"INSERT INTO leak_{form} VALUES ({value})")
            assert find_leaks([("database", read_whole(url))], MARKED), form
            with engine.begin() as connection:
                connection.exec_driver_sql(f"DROP TABLE leak_{form}")
        engine.dispose()

    def test_temporary_files_of_every_process_are_searched(self, walked: World) -> None:
        temporary = walked.folder / TEMPORARY
        for child in walked.processes.children:
            environment = Path(f"/proc/{child.process.pid}/environ").read_bytes().split(b"\0")
            assert f"TMPDIR={temporary}".encode() in environment, child.name
        planted = temporary / "planted"
        planted.write_text(MARKED[0], encoding="ascii")
        try:
            assert any(TEMPORARY in leak for leak in find_leaks(read_everything(walked), MARKED))
        finally:
            planted.unlink()

    def test_a_number_planted_in_captured_traffic_is_found(self, walked: World) -> None:
        (one, *_) = walked.recorders["broker"].find("/v1/inquiries")
        message = json.loads(one.request)
        for place in ("object", "protected"):
            plain = json.loads(decode_bytes(message[place]))
            planted = json.dumps({**plain, "leak": MARKED[0]}).encode()
            changed = {**message, place: base64.urlsafe_b64encode(planted).decode().rstrip("=")}
            things = [("planted", json.dumps(changed).encode())]
            assert find_leaks(things, MARKED), place


@pytest.mark.parametrize("name", sorted(build_needles(MARKED[0])))
def test_each_form_of_a_planted_number_is_found(name: str, tmp_path: Path) -> None:
    for bsn in MARKED:
        needle = build_needles(bsn)[name]
        with (tmp_path / "file").open("ab") as file:
            file.write(b"before" + needle + b"after")
    assert any(name in leak for leak in find_leaks(read_files(tmp_path), MARKED))


@given(
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    bsn=st.sampled_from(MARKED),
    layers=st.integers(min_value=1, max_value=3),
    url=st.booleans(),
)
def test_a_number_behind_base64_is_found(
    before: bytes, after: bytes, bsn: str, layers: int, *, url: bool
) -> None:
    data = before + bsn.encode() + after
    for _ in range(layers):
        encode = base64.urlsafe_b64encode if url else base64.b64encode
        data = b'{"x":"' + encode(data).rstrip(b"=") + b'"}'
    assert list(find_in_bytes(data, build_needles(bsn)))


@given(plain=st.binary(min_size=4, max_size=12), before=st.binary(max_size=9), after=st.binary())
def test_what_base64_holds_for_certain_is_in_it(plain: bytes, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + plain + after)
    assert build_base64_needles(plain)[f"base64 at offset {len(before) % 3}"] in encoded


@given(st.binary(max_size=3_000))
def test_random_bytes_are_no_leak(data: bytes) -> None:
    strong = {n: needle for n, needle in build_needles(MARKED[0]).items() if n not in WEAK}
    assert not list(find_in_bytes(data, strong, depth=0))
