"""The officers' API: the whole life of a purpose by token, over the functions of the commands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from broker.api.officers import MOST_AT_WORK, MOST_TRIES
from broker.api.officers_table import OFFICER_ROUTES
from broker.commands.approval_check import require_as_shown
from broker.commands.authoring_commands import build_authoring_commands
from broker.commands.trial_commands import build_trial_commands
from broker.purposes.roles import EndAsked, GiveAsked
from datwat.party.admin import TOKEN_NAME, RoleCommand, create_admin_token
from datwat.party.settings import read_secret
from datwat.protocol.purpose_approval import sign_approval
from tests.authoring.api_world import (
    ROUTES,
    Program,
    build_api,
    make_token,
    read_problem,
    serve,
    stop_clock,
)
from tests.authoring.world import NAMES, RIJNSTAD, Office, number
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [
    ON_EACH_DATABASE,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
NAME = "coordinate_family_help"


class Desk:
    """The programs of each officer."""

    def __init__(self, office: Office, tokens: dict[str, str]) -> None:
        self.office = office
        self.app = serve(build_api(office))
        self.asked: set[str] = set()
        self.programs = {
            name: Program(self.app, token, self.asked) for name, token in tokens.items()
        }

    def __getattr__(self, name: str) -> Program:
        return self.programs[name]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(office: Office) -> AsyncIterator[Desk]:
    give = {"organisation": RIJNSTAD, "role": "operator", "staff": "o.beheer"}
    await office.broker.role_register.give(GiveAsked.model_validate({**give, "key": None}))
    yield Desk(
        office,
        {
            "author": await make_token(office, "a.auteur", "author"),
            "bakker": await make_token(office, "b.bakker", "approver"),
            "smit": await make_token(office, "c.smit", "approver"),
            "officer": await make_token(office, "d.toezicht", "data_protection_officer"),
            "operator": await make_token(office, "o.beheer", "operator"),
        },
    )


async def sign(program: Program, proposal_id: str, office: Office, number: int) -> dict[str, Any]:
    """Sign as an approver's own machine does: after it saw for itself what it signs."""
    found = await program.ask("proposals/to-sign", id=proposal_id)
    keys = office.authoring.ports.read_policy_keys()
    signed = sign_approval(*require_as_shown(found, keys), office.keys[number])
    return signed.model_dump(mode="json")


async def test_from_a_draft_to_in_force(desk: Desk) -> None:
    office, author = desk.office, desk.author
    begun = await author.ask("drafts/begin", purpose=NAME)
    text = office.write(NAME, sentence=number(700))
    checked = await author.ask("drafts/check", text=text, cases=begun["cases"], language="en")
    assert checked["faults"] == []
    assert any("700" in one for one in checked["changes"])
    saved = await author.ask("drafts", text=text, cases=begun["cases"])
    draft_id = saved["line"]["id"]
    assert [one["id"] for one in (await author.ask("drafts/list"))["drafts"]] == [draft_id]
    shown = await desk.officer.ask("drafts/show", id=draft_id)
    assert (shown["text"], shown["line"]["is_mine"]) == (text, False)

    tried = await author.ask("case-trials", draft=draft_id)
    assert tried["failed"] == 0 < tried["total"]
    check = await author.ask("mutation-checks", draft=draft_id)
    async with asyncio.timeout(120):
        while check["state"] == "running":
            await asyncio.sleep(0.1)
            check = await desk.officer.ask("mutation-checks/show", digest=check["digest"])
    assert check["result"]["unnoticed"] == []
    replay = await author.ask("replays", draft=draft_id)
    async with asyncio.timeout(60):
        while replay["state"] == "running" or office.broker.replays.is_running:
            await asyncio.sleep(0.05)
            replay = await desk.officer.ask("replays/show", number=replay["number"])
    assert (replay["state"], replay["newly_allowed"]) == ("done", 0)
    listed = await author.ask("replays/list")
    assert listed["replays"][0]["number"] == replay["number"]
    for path, code in (
        ("replays/stop", "replay_state"),
        ("replays/resume", "replay_state"),
        ("replays/sign-off", "role_missing"),
    ):
        assert (await author.refuse(path, number=replay["number"]))["code"] == code

    seq = office.broker.policy.bundle.seq
    proposed = (await author.ask("proposals", id=draft_id))["line"]
    assert proposed["needed"] == 2
    shown = await desk.bakker.ask("proposals/show", id=proposed["id"], language="en")
    assert shown["may_approve"]
    assert (await author.refuse("proposals/to-sign", id=proposed["id"]))["code"] == "role_missing"
    signed = await sign(desk.bakker, proposed["id"], office, 0)
    first = await desk.bakker.ask("approvals", id=proposed["id"], signatures=signed)
    assert (first["published"], first["approvals"]) == (False, 1)
    signed = await sign(desk.smit, proposed["id"], office, 1)
    done = await desk.smit.ask("approvals", id=proposed["id"], signatures=signed)
    assert (done["published"], done["seq"]) == (True, seq + 1)
    assert office.broker.policy.bundle.seq == seq + 1
    calendar = (await desk.operator.ask("calendar/list"))["calendar"]
    assert proposed["digest"] in {one["digest"] for one in calendar}
    newest = (await desk.officer.ask("publications/list", purpose=NAME))["publications"][0]
    assert (newest["seq"], newest["state"]) == (seq + 1, "approved")
    # Each act is the same statement on the log as by command, and names nobody.
    said = [one["type"] for one in office.list_statements()[-4:]]
    assert said == [
        "purpose_proposed",
        "purpose_approved",
        "purpose_approved",
        "purpose_published",
    ]
    assert not any(name in str(office.list_statements()) for name in NAMES)


async def test_withdrawn_rolled_back_taken_back_and_dropped(desk: Desk) -> None:
    author, seq = desk.author, desk.office.broker.policy.bundle.seq
    listed = (await author.ask("purposes/list"))["purposes"]
    assert NAME in {one["id"] for one in listed}
    for path, members in (
        ("withdrawals", {"purpose": NAME}),
        ("roll-backs", {"seq": max(1, seq - 1)}),
    ):
        proposed = await author.ask(path, **members, reason="It asked too much.")
        open_ones = (await desk.officer.ask("proposals/list"))["proposals"]
        assert proposed["line"]["id"] in {one["id"] for one in open_ones}
        back = await author.ask("proposals/take-back", id=proposed["line"]["id"])
        assert back["taken_back"]
    draft = await author.ask("drafts", text="id: unfinished\n")
    assert (await author.ask("drafts/drop", id=draft["line"]["id"]))["dropped"]
    assert (await author.refuse("drafts/show", id=draft["line"]["id"]))["code"] == "draft_unknown"
    begun = await author.ask("replays/withdrawal", purpose=NAME)
    await desk.office.broker.replays.require_replay(begun["number"])
    async with asyncio.timeout(60):
        while desk.office.broker.replays.is_running:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)


async def test_no_passphrase_ever_travels_here(desk: Desk) -> None:
    asked = {"id": "0" * 32, "passphrase": "vijf woorden die niets betekenen"}
    found = await desk.bakker.refuse("approvals", **asked)
    assert found["code"] == "input_invalid"
    assert "vijf" not in str(found)


async def test_only_a_named_token_that_holds_opens_anything(desk: Desk) -> None:
    office = desk.office
    home = office.broker.settings.home
    if not (home / "secrets" / TOKEN_NAME).exists():
        create_admin_token(home)
    of_the_home = read_secret(home, TOKEN_NAME).decode("ascii")
    ended = await make_token(office, "e.tweede", "author", "that_ends")
    program = Program(desk.app, ended)
    await program.ask("drafts/list")
    await office.broker.role_register.end(
        EndAsked(organisation=RIJNSTAD, role="author", staff="e.tweede")
    )
    author = desk.author.token or ""
    for token in (None, "", of_the_home, ended, author[:-1], author.swapcase()):
        answer = await Program(desk.app, token).send("purposes/list", b"{}")
        assert read_problem(answer)["code"] == "officer_token_missing"
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert not token or token not in answer.text
    for header in (author, f"bearer {author}", f"Basic {author}", f"Bearer {author} "):
        sent = await Program(desk.app).send("purposes/list", b"{}", Authorization=header)
        assert sent.status_code == 401


async def test_the_register_decides_and_not_the_token(desk: Desk) -> None:
    """What is being written is not for who keeps the machines, nor acts for who reads."""
    for path in ("drafts/list", "drafts/show"):
        members = {"id": "0" * 32} if path == "drafts/show" else {}
        assert (await desk.operator.refuse(path, **members))["status"] == 403
    text = desk.office.write(NAME, sentence=number(701))
    for program in (desk.officer, desk.bakker, desk.operator):
        assert (await program.refuse("drafts", text=text))["code"] == "role_missing"
    assert (await desk.officer.refuse("case-trials", text=text))["code"] == "role_missing"


async def test_who_guesses_is_held_up_and_nobody_else_is(office: Office) -> None:
    api = stop_clock(build_api(office))
    looked_up: list[str] = []
    find = api._find_holder  # noqa: SLF001 - the database is watched

    async def watch(token: str) -> Any:  # noqa: ANN401 - a holder
        looked_up.append(token)
        return await find(token)

    api._find_holder = watch  # noqa: SLF001 - as above
    app = serve(api)
    honest = Program(app, await make_token(office, "d.toezicht", "data_protection_officer", "held"))
    await honest.ask("purposes/list")
    codes = []
    for _ in range(MOST_TRIES + 10):
        guess = Program(app, os.urandom(64).hex()[:43])
        codes.append((await guess.send("purposes/list", b"{}")).status_code)
    assert codes[: MOST_TRIES - 1] == [401] * (MOST_TRIES - 1)
    assert codes[-1] == 429
    assert len(looked_up) < len(codes)
    await honest.ask("purposes/list")


async def test_one_officer_asks_so_often_and_no_more(office: Office) -> None:
    app = serve(stop_clock(build_api(office, burst=3)))
    token = await make_token(office, "d.toezicht", "data_protection_officer", "often")
    answers = [await Program(app, token).send("purposes/list", b"{}") for _ in range(20)]
    codes = {one.status_code for one in answers}
    assert codes == {200, 429}
    assert read_problem(answers[-1])["code"] == "rate_limited"


async def test_every_act_of_the_life_is_there_and_nothing_else(office: Office) -> None:
    """Over the very commands: none is left out, and none is written again."""
    built = {**build_authoring_commands(office.broker), **build_trial_commands(office.broker)}
    assert {route.command for route in OFFICER_ROUTES} == set(built)
    assert len({route.path for route in OFFICER_ROUTES}) == len(OFFICER_ROUTES) == len(built)
    assert all(isinstance(command, RoleCommand) for command in built.values())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_malformed"),
        (b"{", "json_malformed"),
        (b"[]", "input_invalid"),
        (b"null", "input_invalid"),
        (b'{"language": "fr"}', "input_invalid"),
        (b'{"language": "nl", "language": "en"}', "json_duplicate_key"),
        (b'{"purpose": 1.5}', "json_float"),
        (b'{"unknown": 1}', "input_invalid"),
        (b'"\xff"', "json_not_utf8"),
        (b"[" * 200 + b"]" * 200, "json_too_deep"),
    ],
)
async def test_what_is_malformed_is_refused_by_its_code(desk: Desk, body: bytes, code: str) -> None:
    for path in ("purposes/list", "drafts", "approvals", "replays"):
        answer = await desk.author.send(path, body)
        found = read_problem(answer)
        assert found["status"] == 400
        assert found["code"] == code


# What a member may be that no editor sends.
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**53,
    "",
    "\x00",
    "é" * 300,
    "../../etc",
    [],
    [[]],
    {},
    {"id": "x"},
)
MEMBERS = (
    "id", "language", "purpose", "text", "cases", "draft", "draft_id", "digest", "number", "seq",
    "reason", "signatures", "base_digest",
)  # fmt: skip
IS_OURS = {200, 400, 403, 404, 409}


@pytest.mark.parametrize("path", sorted(ROUTES))
async def test_whatever_comes_in_is_answered_by_us(desk: Desk, path: str) -> None:
    """Never a fault, never a word of what was sent."""
    known = ROUTES[path].request.model_fields
    for name in MEMBERS:
        for value in ODD:
            body = orjson.dumps({"id": "0" * 32, "text": "id: [", "reason": "Why.", name: value})
            fitting = {key: held for key, held in orjson.loads(body).items() if key in known}
            for members in (fitting, {**fitting, name: value}):
                answer = await desk.author.send(path, orjson.dumps(members))
                assert answer.status_code in IS_OURS, (members, answer.text)
                assert answer.status_code == 200 or "etc" not in read_problem(answer)["detail"]
            if name not in known:
                break


async def test_one_officer_does_not_take_all_threads(office: Office, desk: Desk) -> None:
    long = orjson.dumps({"text": "\n".join(f"k{line}: v" for line in range(2_000))})
    asked = [desk.author.send("drafts/check", long) for _ in range(2 * MOST_AT_WORK)]
    found = await asyncio.gather(desk.bakker.send("drafts/check", long), *asked)
    assert found[0].status_code == 200  # somebody else waits for none of it
    refused = [answer for answer in found[1:] if answer.status_code != 200]
    assert len(refused) == MOST_AT_WORK
    assert {read_problem(answer)["code"] for answer in refused} == {"rate_limited"}
    # Each place is given back, after a failure too.
    for _ in range(MOST_AT_WORK + 1):
        assert (await desk.author.refuse("drafts/show", id="0" * 32))["status"] == 404
    await desk.author.ask("drafts/list")
