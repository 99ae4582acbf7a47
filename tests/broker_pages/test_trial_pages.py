"""The pages around a draft: guard rails, what must be done and by whom, cases that are taken."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from broker.purposes.naming import choose
from broker.purposes.phrases_guards import GUARDS, REASONS, REFUSALS
from datwat.party.strict_yaml import read_yaml_text
from datwat.protocol.errors import DatwatError
from tests.authoring.world import BAKKER, OFFICER, PURPOSE
from tests.broker_pages.test_purposes import begin, titled, tomorrow
from tests.broker_pages.world import PagesWorld, Visitor, read_form, words_of
from tests.exchange.world import bsns, register

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("broker-pages-trial"),
]
NUMBERS = bsns()


def steps_of(page: httpx.Response) -> list[str]:
    """Return how each step of the road stands, in its order."""
    road = page.text.partition('id="road"')[2].partition("</ol>")[0]
    return re.findall(r"</svg><span>([^<]*)</span>", road)


async def test_every_guard_rail_is_read_with_its_law_in_both_languages(visitor: Visitor) -> None:
    await visitor.log_in(OFFICER)
    for code, number in (("nl", 0), ("en", 1)):
        words = words_of(await visitor.open(f"/guards?lang={code}"))
        for guard, (text, law) in GUARDS.items():
            card = words.partition(f'id="guard-{guard}"')[2].partition("</article>")[0]
            assert text[number] in card
            assert law in card
            for reason in set(REFUSALS[guard]) - {"switch"}:
                assert REASONS[reason][number] in card
        assert words.count(REASONS["switch"][number]) == 1  # of all of them, once
    assert 'href="/guards"' in (await visitor.open("/purposes?lang=nl")).text


async def test_a_draft_that_breaks_a_guard_rail_reads_which_and_why(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    typed = {**tomorrow(), "retention_days": "5"}
    looked = words_of(await visitor.post(page, path, more=typed, do="look"))
    beside = looked.split('id="beside-inside"')[1]
    (text, _), law = GUARDS["log"]
    assert REASONS["retention"][0] in beside
    assert f'href="/guards#guard-log">Vangrail: {text} ({law})</a>' in beside
    assert REASONS["retention"][1] not in beside
    saved = await visitor.send(page, path, more=typed, do="save")
    assert 'href="/guards"' in saved.text
    trial = words_of(await visitor.open(f"{path}/trial"))
    assert REASONS["retention"][0] in trial
    assert 'href="/guards#guard-log"' in trial


async def test_a_draft_that_does_not_fit_the_rest_is_told_so_in_dutch(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    more = {**tomorrow(), "requesters-0-function": "no-such"}
    looked = words_of(await visitor.post(page, path, more=more, do="look"))
    beside = looked.split('id="beside-inside"')[1]
    assert "‘no-such’ is hier niet bekend. Kies uit de lijst." in beside
    assert "is not known" not in beside


async def test_a_new_purpose_without_cases_is_told_that_it_needs_them(visitor: Visitor) -> None:
    text = (await begin_text(visitor)).replace(f"id: {PURPOSE}", "id: eigen_doel")
    page = await visitor.send(await visitor.open("/drafts/new"), "/drafts/new", id="eigen_doel")
    path = str(page.url.path)
    as_yaml = await visitor.post(page, path, do="yaml")
    refused = await visitor.post(as_yaml, path, text=text, do="propose")
    assert refused.status_code == 422
    words = words_of(refused)
    assert "Een doel heeft gevallen nodig: minstens één dat mag" in words
    assert "komt anders uit" not in words.partition("errors-title")[2].partition("</section>")[0]
    assert "A purpose needs" not in words
    # In lists it stands as the new purpose that it is.
    assert "Nieuw doel: eigen_doel" in words_of(await visitor.open("/purposes"))
    assert "Nieuw doel: eigen_doel" in words_of(await visitor.open("/"))


async def begin_text(visitor: Visitor) -> str:
    """Return the YAML of a draft that may be proposed."""
    path, page = await begin(visitor)
    as_yaml = await visitor.post(page, path, more=titled("eigen"), do="yaml")
    await visitor.send(page, f"{path}/drop")
    return dict(read_form(as_yaml, path).fields)["text"]


async def test_the_road_says_what_is_needed_now_and_by_whom(
    pages: PagesWorld, visitor: Visitor
) -> None:
    path, page = await begin(visitor)  # its moment is past
    assert steps_of(page)[:3] == ["Nu nodig", "Aangeraden", "Daarna"]
    saved = await visitor.send(page, path, more=titled("de weg"), do="save")
    # Nothing about anybody is in this log: nothing to replay.
    assert steps_of(saved)[0] == "Klaar"
    assert steps_of(saved)[2:5] == ["Klaar", "Niet nodig", "Nu nodig"]
    await register(pages.office.running, "debt-counselling", next(NUMBERS), "debt_counselling")
    trial = await visitor.open(f"{path}/trial")
    assert steps_of(trial)[2:5] == ["Nu nodig", "Alleen als iets nieuw mag", "Daarna"]
    assert "Door: u" in words_of(trial)
    assert "Door: 2 goedkeurders die het niet schreven" in words_of(trial)
    refused = await visitor.post(await visitor.open(path), path, do="propose")
    assert refused.status_code == 422
    assert "Speel eerst het verleden na." in words_of(refused)
    await visitor.send(trial, f"{path}/trial", do="replay")
    done = await wait_until_done(visitor, path)
    assert steps_of(done)[2:5] == ["Klaar", "Niet nodig", "Nu nodig"]
    assert "Er zou niets nieuw mogen." in words_of(done)
    await visitor.log_in(BAKKER)
    assert "Door: wie het schreef" in words_of(await visitor.open(f"{path}/trial"))


async def wait_until_done(visitor: Visitor, path: str) -> httpx.Response:
    """Return the page of a trial when nothing of it runs any more."""
    async with asyncio.timeout(200):
        while True:
            page = await visitor.open(f"{path}/trial")
            if "hx-get" not in page.text.partition('id="work"')[2].partition(">")[0]:
                return page
            await asyncio.sleep(0.5)


async def test_a_case_that_would_notice_is_put_under_the_others(
    pages: PagesWorld, visitor: Visitor
) -> None:
    path, page = await begin(visitor)
    await visitor.send(page, path, more=titled("bewaken"), do="save")
    trial = await visitor.open(f"{path}/trial")
    ground = await pages.desk.grounds.fetch()
    held = ground.catalogue.find_newest(PURPOSE)
    assert held is not None
    assert f"Proefdraaien: {choose(held.title, 'nl')} bewaken" in words_of(trial)
    assert "Niet geprobeerd sinds u inlogde" in words_of(trial)
    cases = dict(read_form(trial, f"{path}/trial").fields)["cases"]
    kept = re.sub(r", retention_days: \d+|\n *retention_days: \d+", "", cases)
    assert kept != cases
    trial = await visitor.send(trial, f"{path}/trial", do="cases", cases=kept)
    running = await visitor.send(trial, f"{path}/trial", do="mutate")
    assert "U mag deze pagina sluiten" in words_of(running)
    # What a button cannot do says so, and what was typed in another form stays.
    busy = await visitor.client.post(
        f"{path}/trial",
        data={**dict(read_form(running, "/logout").fields), "form_id": "own", "do": "mutate"},
        headers={"Origin": visitor.world.url},
    )
    assert busy.status_code == 422
    assert dict(read_form(busy, f"{path}/trial").fields)["cases"].strip() == kept.strip()
    found = await wait_until_done(visitor, path)
    words = words_of(found)
    assert "Zoveel dagen blijven de regels in het logboek: ‘1095’ werd ‘1096’." in words
    taken = await visitor.send(found, f"{path}/trial", do="take:0")
    assert "Het staat nu onder de gevallen" in words_of(taken)
    now = dict(read_form(taken, f"{path}/trial").fields)["cases"]
    assert now.startswith(kept.rstrip())
    assert now.count("proposed: retention_days changed") == 1
    assert "Alle gevallen komen uit zoals geschreven" in words_of(taken)
    await visitor.send(taken, f"{path}/trial", do="mutate")
    after = words_of(await wait_until_done(visitor, path))
    assert "Zoveel dagen blijven de regels in het logboek" not in after


async def test_a_new_purpose_gets_cases_of_its_own_from_its_conditions(visitor: Visitor) -> None:
    text = (await begin_text(visitor)).replace(f"id: {PURPOSE}", "id: nog_een_doel")
    page = await visitor.send(await visitor.open("/drafts/new"), "/drafts/new", id="nog_een_doel")
    path = str(page.url.path)
    as_yaml = await visitor.post(page, path, do="yaml")
    await visitor.send(as_yaml, path, text=text, do="save")
    trial = await visitor.open(f"{path}/trial")
    await visitor.send(trial, f"{path}/trial", do="mutate")
    found = await wait_until_done(visitor, path)
    taken = await visitor.send(found, f"{path}/trial", do="take:all")
    cases = read_yaml_text(
        dict(read_form(taken, f"{path}/trial").fields)["cases"], "cases", DatwatError
    )["cases"]
    # They are questions of when the purpose is in force, written as those that are there.
    assert "Alle gevallen komen uit zoals geschreven" in words_of(taken)
    assert any(one["expect"]["permit"] for one in cases)
    assert not all("now" in one.get("given", {}) for one in cases)
    bodies = [{key: has for key, has in one.items() if key != "name"} for one in cases]
    assert all(one not in bodies[:number] for number, one in enumerate(bodies))


async def test_what_came_out_is_taken_over_as_what_must_come_out(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    saved = await visitor.send(
        page, path, more={**titled("overnemen"), "retention_days": "1100"}, do="save"
    )
    assert saved.status_code == 200
    trial = await visitor.open(f"{path}/trial")
    failed = await visitor.send(trial, f"{path}/trial", do="cases")
    assert "komt anders uit" in words_of(failed) or "komen anders uit" in words_of(failed)
    assert 'value="accept:0"' in failed.text
    before = dict(read_form(failed, f"{path}/trial").fields)["cases"]
    for odd in ("9" * 5_000, "none"):  # no button says so
        refused = await visitor.client.post(
            f"{path}/trial",
            data={
                **dict(read_form(failed, "/logout").fields),
                "form_id": odd[:4],
                "do": f"accept:{odd}",
            },
            headers={"Origin": visitor.world.url},
        )
        assert refused.status_code == 422
        assert dict(read_form(refused, f"{path}/trial").fields)["cases"] == before
    one = await visitor.send(failed, f"{path}/trial", do="accept:0")
    assert dict(read_form(one, f"{path}/trial").fields)["cases"] != before
    if "anders uit" in words_of(one).partition('id="tried"')[2].partition('id="conditions"')[0]:
        one = await visitor.send(one, f"{path}/trial", do="accept:all")
    assert "Alle gevallen komen uit zoals geschreven" in words_of(one)
    after = dict(read_form(one, f"{path}/trial").fields)["cases"]
    assert "1095" not in after.partition("expect:")[2]
    assert "retention_days: 1100" in after
    # Whoever may not change the draft is not offered it, and cannot do it.
    await visitor.log_in(BAKKER)
    assert "accept:" not in (await visitor.open(f"{path}/trial")).text
