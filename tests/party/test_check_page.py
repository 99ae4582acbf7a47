"""The stand-alone page, in a real browser from disk, says what Python's checker says."""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio

from broker.audit.payloads import Event
from datwat.party.check_page import build_check_page, derive_check_page_hash, read_texts
from datwat.protocol import completeness_errors
from datwat.protocol.completeness import CompletenessBundle, View, build_copy
from datwat.protocol.completeness_checks import Finding, check_bundle, list_left_out
from datwat.protocol.completeness_delayed import DelayedCounts
from datwat.protocol.completeness_ended import find_latest
from datwat.protocol.errors import ProtocolError
from datwat.protocol.trust import LogEntry, TrustList, Witness
from tests.browser import Tab, find_browser, open_tab, skip_without
from tests.check_page import check, read_seconds
from tests.party.covenant import TestCovenant
from tests.protocol import completeness_findings
from tests.protocol.completeness_attacks import ATTACKS, Attack, change_entry
from tests.protocol.completeness_findings import CASES, Case
from tests.protocol.completeness_world import Maker, World, build_world
from tests.protocol.test_completeness_findings import build_notices

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
    skip_without("Chromium", is_there=find_browser() is not None),
]


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def build_list(maker: Maker) -> TrustList:
    """Return a trust list with the log and the witnesses of a made log."""
    witnesses = tuple(Witness(name=name, vkey=maker.vkey(name)) for name in maker.witnesses)
    return (
        TestCovenant()
        .build()
        .model_copy(
            update={
                "log": LogEntry(origin=maker.origin, vkeys=(maker.signer.vkey,)),
                "witnesses": witnesses,
                "witness_threshold": maker.trust.threshold,
            }
        )
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tab]:
    page = tmp_path_factory.mktemp("page") / "check.html"
    page.write_bytes(build_check_page(build_list(build_world().maker)))
    async with open_tab() as opened:
        await opened.open(page.as_uri())
        yield opened


def write(folder: Path, bundle: CompletenessBundle, name: str = "bundle.json") -> Path:
    path = folder / name
    path.write_text(bundle.model_dump_json(), encoding="utf-8")
    return path


async def read_result(tab: Tab) -> str:
    text: str = await tab.evaluate("document.getElementById('result').innerText")
    return text


async def test_an_honest_bundle_is_proved_in_both_languages(tab: Tab, tmp_path: Path) -> None:
    world = build_world()
    world.person.rolls["open", "2026Q4"][1].is_erased = True
    outcome = await check(tab, write(tmp_path, world.maker.build(world.person, now=now())))
    assert outcome == "proved"
    said = await read_result(tab)
    assert "Bewezen: er ontbreekt niets" in said
    assert "Wijkteam Noord" in said
    assert "gewist" in said
    assert "gevraagd wie betrokken is · later verteld" in said
    assert "Andere kwartalen" in said
    await tab.evaluate("document.querySelector('[data-language=en]').click()")
    assert "Proved: nothing is missing" in await read_result(tab)
    assert await tab.evaluate("document.documentElement.lang") == "en"
    await tab.evaluate("document.querySelector('[data-language=nl]').click()")
    if picture := os.environ.get("TESTS_DATWAT_PICTURE"):
        await tab.screenshot(Path(picture))


async def test_quarters_that_were_left_out_are_named_as_python_names_them(
    tab: Tab, tmp_path: Path
) -> None:
    world = build_world()
    whole = world.maker.build(world.person, now=now())
    kept = tuple(roll for roll in whole.rolls if roll.quarter == "2026Q3")
    bundle = whole.model_copy(update={"rolls": kept})
    assert await check(tab, write(tmp_path, bundle)) == "proved"
    left_out = check_bundle(bundle.model_dump_json().encode(), world.maker.trust, now()).left_out
    assert left_out[0].startswith("2026Q4")
    expected = f"Over deze kwartalen zegt dit bestand niets: {', '.join(left_out)}."
    assert expected in await read_result(tab)
    quarters = [["2026Q4"], ["2025Q4", "2026Q2"], ["0000Q1", "2026Q4"], ["2027Q1"]]
    for some in quarters:
        for moment in ("2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z", "2026-12-31T23:59:59Z"):
            until = datetime.fromisoformat(moment)
            rolls = json.dumps([{"quarter": quarter} for quarter in some])
            said = await tab.evaluate(f"listLeftOut({{rolls: {rolls}}}, {int(until.timestamp())})")
            assert tuple(said) == list_left_out(some, until)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_the_page_names_what_a_dishonest_broker_hands_out(
    tab: Tab, tmp_path: Path, attack: Attack
) -> None:
    bundle = attack(build_world(), now())
    assert await check(tab, write(tmp_path, bundle)) == ATTACKS[attack]
    said = await read_result(tab)
    texts = read_texts()["nl"]
    assert {**texts["codes"], **texts["status"]}[ATTACKS[attack]] in said


@pytest.mark.parametrize("older", [0, 1])
async def test_the_page_takes_an_older_root_with_its_whole_tail(
    tab: Tab, tmp_path: Path, older: int
) -> None:
    world = build_world()
    root = world.maker.tag_roots[older]
    bundle = world.maker.build(world.person, now=now(), tag_root=root)
    assert await check(tab, write(tmp_path, bundle)) == "proved"


async def test_the_page_takes_every_size_of_log(tab: Tab, tmp_path: Path) -> None:
    """Each shape of peaks and tail, so that its own way to the root is the tree's."""
    world = build_world()
    for _ in range(9):
        world.maker.write(world.other, "open", "2026Q4")
        bundle = world.maker.build(world.person, now=now())
        assert await check(tab, write(tmp_path, bundle)) == "proved"


async def test_the_page_checks_what_the_auditor_gets(tab: Tab, tmp_path: Path) -> None:
    world, moment = build_world(), now()
    bundle = completeness_findings.opened_after_its_term(world, moment)
    assert await check(tab, write(tmp_path, bundle)) == "proved"
    said = await read_result(tab)
    assert "te laat geopend" in said
    assert "gemaakt voor de auditor" in said
    assert "geopend op" in said
    assert re.search(r"\bover u\b|\buw\b", said) is None, "nothing in it is the auditor's own"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_the_page_finds_what_somebody_should_look_at(
    tab: Tab, tmp_path: Path, case: Case
) -> None:
    world, moment = build_world(), now()
    bundle = case(world, moment)
    assert await check(tab, write(tmp_path, bundle)) == "proved"
    said = await read_result(tab)
    texts = read_texts()["nl"]["findings"]
    assert [one for one in texts if texts[one] in said] == list(CASES[case])
    kind = await tab.evaluate("document.getElementById('result').dataset.kind")
    assert kind == ("part" if CASES[case] else "good")
    assert ("Maar lees wat hieronder staat" in said) == bool(CASES[case])
    assert ("Geen andere regel zegt waarom" in said) == ("unannounced" in CASES[case])


@pytest.mark.parametrize("width", [360, 800])
async def test_the_widest_table_fits_a_telephone(tab: Tab, tmp_path: Path, width: int) -> None:
    sized = {"height": 800, "deviceScaleFactor": 1, "mobile": False}
    await tab.call("Emulation.setDeviceMetricsOverride", width=width, **sized)
    try:
        for case in (completeness_findings.withheld_as_if_erased, build_every_state):
            file = write(tmp_path, case(build_world(), now()))
            assert await check(tab, file) == "proved"
            room = await tab.evaluate(
                "[...document.querySelectorAll('#result, #result *')]"
                ".filter((one) => one.scrollWidth > one.clientWidth && one.clientWidth).length"
            )
            assert room == 0, case.__name__
    finally:
        await tab.call("Emulation.clearDeviceMetricsOverride")


async def test_the_page_finds_the_last_notice_of_each_place(tab: Tab) -> None:
    draw = random.Random(5)  # noqa: S311 - made-up places
    for _ in range(60):
        count = draw.randint(0, 9)
        notices = build_notices(draw, count)
        given = json.dumps(
            [{"index": n, "places": [one.model_dump() for one in held]} for n, held in notices]
        )
        found = await tab.evaluate(f"findLatest({count}, {given})")
        assert found == find_latest(count, notices)


def build_every_state(world: World, moment: datetime) -> CompletenessBundle:
    """An auditor's bundle in which entries were found to be everything that they can be."""
    maker, chain = world.maker, world.delayed
    for days, opened, erased, stated in (
        (-2, None, False, True),
        (9, None, False, True),
        (-9, moment, False, True),
        (9, moment, False, True),
        (-9, None, True, True),
        (-9, None, False, False),
        (9, moment, False, False),
    ):
        term = completeness_findings.build_term(moment, -30, days, "by_person")
        waiting = maker.declare(chain, "2026Q4", term)
        waiting.is_erased = erased
        waiting.terms = waiting.terms if stated else ()
        if opened is not None:
            maker.open(world.person, waiting, "2026Q4", opened)
    return maker.build(chain, "auditor", now=moment)


@pytest.mark.parametrize("view", ["self", "representative", "auditor"])
async def test_what_is_said_fits_whom_the_bundle_is_made_for(
    tab: Tab, tmp_path: Path, view: View
) -> None:
    world = build_world()
    chains = world.delayed if view == "auditor" else world.person
    assert await check(tab, write(tmp_path, world.maker.build(chains, view, now=now()))) == "proved"
    said = await read_result(tab)
    texts = read_texts()["nl"]
    for name in ("self", "representative", "auditor"):
        own = (texts["explain"]["proved"][name], *texts["limits"][name])
        others = set(own) - {texts["explain"]["proved"][view], *texts["limits"][view]}
        assert all((one in said) == (name == view) for one in others or own)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"v":1', '"v":1,"v":1'),
        ('"origin":', '"\\u006frigin":"a","origin":'),
        ('"tag":', '"tag" : "", "tag":'),
        ('"n":0', '"n":0,"n":0'),
        ('"n":0', '"n":0.0'),
        ('"n":0', '"n":0e0'),
        ('"n":0', '"n":0E1'),
    ],
)
async def test_json_that_can_be_read_in_two_ways_is_refused(
    tab: Tab, tmp_path: Path, old: str, new: str
) -> None:
    world = build_world()
    text = world.maker.build(world.person, now=now()).model_dump_json()
    assert text.count(old)
    path = tmp_path / "twice.json"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        check_bundle(path.read_bytes(), world.maker.trust, now())
    assert await check(tab, path) == caught.value.code == "completeness_form"


async def test_text_that_looks_like_members_is_only_text(tab: Tab, tmp_path: Path) -> None:
    """Quotes, escapes and braces in a text are part of it: the same name may stand in it twice."""
    text = '{"a":"\\"b\\":1,\\\\","b":"{\\"a\\":1e5}","c":[{"a":1},{"a":2}],"d":{"a":{"a":true}}}'
    assert json.loads(text)["a"] == '"b":1,\\'
    assert await tab.evaluate(f"requireOneReading({json.dumps(text)})") is None
    twice = text.replace('"d"', '"a"')
    caught = f"try {{ requireOneReading({json.dumps(twice)}) }} catch (error) {{ error.code }}"
    assert await tab.evaluate(caught) == "completeness_form"


async def test_the_page_reads_a_copy_for_somebody_else(tab: Tab, tmp_path: Path) -> None:
    world = build_world()
    bundle = world.maker.build(world.person, now=now())
    copy = build_copy(bundle)
    assert await check(tab, write(tmp_path, copy)) == "entries_only"
    changed = change_entry(copy, 1, core=b"other")
    assert await check(tab, write(tmp_path, changed)) == "completeness_entry"


async def test_the_page_holds_a_bundle_against_an_earlier_one(tab: Tab, tmp_path: Path) -> None:
    world = build_world()
    earlier = write(tmp_path, world.maker.build(world.person, now=now()), "earlier.json")
    world.maker.write(world.person, "open", "2026Q4")
    later = write(tmp_path, world.maker.build(world.person, now=now()))
    assert await check(tab, later, earlier) == "proved"
    assert await check(tab, earlier, later) == "completeness_older"
    theirs = write(tmp_path, world.maker.build(world.other, now=now()), "theirs.json")
    assert await check(tab, theirs, earlier) == "completeness_other_roll"


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"null", b"\xff\xfe", b'{"v":1}', b"[" * 100_000, b'{"__proto__":{"v":1}}'],
    ids=range(7),
)
async def test_the_page_refuses_what_is_no_bundle(tab: Tab, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(content)
    assert await check(tab, path) == "completeness_form"


def change_somewhere(document: Any, draw: random.Random) -> None:  # noqa: ANN401 - JSON
    """Replace, double or take out one member or item anywhere in a document."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = draw.choice(keys)
        if isinstance(node[key], dict | list) and draw.random() < 0.85:
            node = node[key]
            continue
        others = [
            None,
            0,
            1,
            28,
            -1,
            "",
            "A" * 43,
            [],
            {},
            True,
            2**53,
            0.5,
            node[draw.choice(keys)],
        ]
        if draw.random() < 0.3:
            del node[key]
        elif isinstance(node, list) and draw.random() < 0.3:
            node.append(node[key])
        else:
            node[key] = draw.choice(others)
        return


def check_here(document: object, world: World, moment: datetime) -> str:
    """Return the status and all counts, in the page's own order; or that it was refused."""
    try:
        found = check_bundle(json.dumps(document).encode(), world.maker.trust, moment)
    except ProtocolError:
        return "refused"
    rolls = [
        [roll.erased, roll.unannounced, roll.delayed and list(roll.delayed.model_dump().values())]
        for roll in found.rolls
    ]
    return json.dumps([found.status, found.findings, rolls], separators=(",", ":"))


async def test_page_and_python_accept_and_refuse_the_same(tab: Tab) -> None:
    """Some hundreds of bundles, each changed in one or two places, at both checkers."""
    world, moment, draw = build_world(), now(), random.Random(20261125)  # noqa: S311 - a test's choice
    completeness_findings.erased_and_told(world, moment)
    bundles = [
        world.maker.build(world.person, now=moment),
        completeness_findings.term_moved_when_it_was_over(world, moment),
    ]
    bundles[0] = world.maker.build(world.person, now=moment)
    documents = [json.loads(bundle.model_dump_json()) for bundle in bundles]
    documents.append(json.loads(build_copy(bundles[0]).model_dump_json(exclude_none=True)))
    documents[2].update(tag_root=None)
    for roll in documents[2]["rolls"]:
        roll.update(tag_key=None, end=None)
    changed = []
    for number in range(400):
        document = copy.deepcopy(documents[number % 3])
        for _ in range(number % 2 + 1):
            change_somewhere(document, draw)
        changed.append(document)
    changed += documents
    expected = [check_here(document, world, moment) for document in changed]
    assert [json.loads(one)[:2] for one in expected[-3:]] == [
        ["proved", []],
        ["proved", ["late"]],
        ["entries_only", []],
    ]
    stamp = int(moment.timestamp())
    run = (
        "Promise.all(%s.map((one) => Promise.resolve()"
        ".then(() => checkBundle(readBundle(UTF8.encode(JSON.stringify(one))), trust, %d))"
        ".then((found) => JSON.stringify([found.status, found.findings, found.rolls.map((roll) => ["
        "roll.erased, roll.unannounced, roll.delayed && Object.values(roll.delayed)])]),"
        " (error) => error instanceof Refused ? 'refused' : String(error))))"
    )
    found = await tab.evaluate(run % (json.dumps(changed), stamp))
    differ = [
        (one, other, json.dumps(document)[:2_000])
        for one, other, document in zip(expected, found, changed, strict=True)
        if one != other
    ]
    assert differ == []
    assert expected.count("refused") > 200


async def test_the_page_refuses_a_bundle_of_100_mb(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(b" " * 100_000_000)
    assert await check(tab, path) == "completeness_too_large"
    assert "32 MiB" in await read_result(tab)


async def test_what_a_bundle_says_is_shown_as_text_only(tab: Tab, tmp_path: Path) -> None:
    world = build_world()
    payload = b'{"at":"x","event":"<img src=x onerror=alert(1)>","requester":{"name":"<b>A</b>"}}'
    world.maker.write(world.person, "open", "2026Q4", payload=payload)
    assert await check(tab, write(tmp_path, world.maker.build(world.person, now=now()))) == "proved"
    assert "<img src=x" in await read_result(tab)
    assert await tab.evaluate("document.querySelectorAll('#result img, #result b').length") == 0


def build_large(count: int) -> World:
    """Return a log of some thousands of entries, in which one person has `count`."""
    world = build_world()
    for number in range(count - 9):
        world.maker.write(world.person, "open", "2026Q4")
        for _ in range(3):
            world.maker.write(world.other, "open", "2026Q4")
        if number == count - 60:
            world.maker.state_tags()
    return world


async def test_500_entries_are_checked_within_a_second(tab: Tab, tmp_path: Path) -> None:
    world = build_large(500)
    file = write(tmp_path, world.maker.build(world.person, quarters=["2026Q4"], now=now()))
    seconds = []
    for _ in range(6):
        assert await check(tab, file) == "proved"
        seconds.append(await read_seconds(tab))
    print(f"500 entries in Chromium: {seconds} s")  # noqa: T201 - read with `pytest -s`
    assert min(seconds) <= 1.0, seconds


async def test_nothing_but_the_page_itself_is_loaded_or_run(tab: Tab) -> None:
    """No script failed, none was blocked, and no address but the file's own was asked for."""
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith("file:")] == []
    blocked = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'blocked')"
    assert await tab.evaluate(blocked) == "blocked"
    inline = (
        "(() => { const made = document.createElement('script');"
        " made.textContent = 'window.ran = true'; document.body.append(made);"
        " return window.ran === undefined; })()"
    )
    assert await tab.evaluate(inline)
    assert any("Content Security Policy" in error for error in tab.errors)
    tab.errors.clear()


async def test_the_page_can_be_used_without_seeing_it(tab: Tab) -> None:
    unlabelled = (
        "[...document.querySelectorAll('input')].filter((one) => !one.labels.length"
        " || !document.getElementById(one.getAttribute('aria-describedby'))).length"
    )
    assert await tab.evaluate(unlabelled) == 0
    assert await tab.evaluate("document.querySelector('#result').ariaLive") == "polite"
    tree = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node["role"]["value"] in ("button", "heading")
    ]
    assert ("button", "Controleer") in named
    assert all(name for _, name in named)


async def test_a_page_without_script_from_elsewhere_and_without_handlers() -> None:
    page = build_check_page(build_list(build_world().maker)).decode()
    assert re.search(r"\son[a-z]+=", page.split("<script")[0]) is None
    assert "http:" not in page.split("</style>")[1]
    assert "https:" not in page
    assert "src=" not in page
    assert "default-src 'none'" in page


async def test_the_same_list_gives_the_same_page_and_another_key_another() -> None:
    trust = build_list(build_world().maker)
    assert derive_check_page_hash(trust) == derive_check_page_hash(trust.model_copy())
    fewer = trust.model_copy(update={"witness_threshold": 1})
    assert derive_check_page_hash(fewer) != derive_check_page_hash(trust)


async def test_keys_cannot_break_out_of_their_place() -> None:
    """A trust list is signed by people, and a name in it is still only a name."""
    trust = build_list(build_world().maker)
    odd = trust.log.model_copy(update={"origin": "a</script><b>{texts}{script}&/1"})
    page = build_check_page(trust.model_copy(update={"log": odd})).decode()
    assert "</script><b>" not in page
    (data,) = re.findall(r'id="trust">(.*?)</script>', page)
    assert json.loads(data)["origin"] == odd.origin


async def test_every_refusal_has_words_in_both_languages() -> None:
    codes = {
        error.code
        for error in vars(completeness_errors).values()
        if isinstance(error, type) and issubclass(error, completeness_errors.CompletenessError)
    }
    codes |= {code for code in ATTACKS.values() if code.startswith(("tag_", "checkpoint_"))}
    texts = read_texts()
    for language in ("nl", "en"):
        assert codes <= set(texts[language]["codes"])
        assert set(texts[language]["status"]) == set(texts[language]["explain"])
        assert set(texts[language]["findings"]) == set(get_args(Finding))
        assert set(texts[language]["limits"]) == set(get_args(View))
        assert {*texts[language]["states"], "by_person"} == set(DelayedCounts.model_fields)
    assert {len(names) for names in (texts["nl"], texts["en"])} == {len(texts["nl"])}
    assert texts["nl"]["codes"].keys() == texts["en"]["codes"].keys()


async def test_every_event_has_words_in_both_languages() -> None:
    for language in ("nl", "en"):
        assert set(read_texts()[language]["events"]) == set(get_args(Event))
