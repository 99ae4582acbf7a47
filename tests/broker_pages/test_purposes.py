"""A purpose from a draft to in force on pages alone, without JavaScript, and what is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest

from broker.purposes.roles import GiveAsked
from datwat.web.dates import ZONE
from tests.authoring.world import (
    AUTHOR,
    BAKKER,
    OFFICER,
    PURPOSE,
    RIJNSTAD,
    SECOND_AUTHOR,
    SMIT,
    act_as,
)
from tests.broker_pages.world import PASSPHRASE, PagesWorld, Visitor, read_form, words_of

# One worker for all of them: what the first ones publish is what the later ones look back at.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("broker-pages"),
]
BSN = "999990007"


def tomorrow() -> dict[str, str]:
    """Return the fields of a moment that is to come, each time a later one."""
    moment = datetime.now(UTC).astimezone(ZONE) + timedelta(days=1)
    return {"valid_from-date": f"{moment:%Y-%m-%d}", "valid_from-time": f"{moment:%H:%M:%S}"}


async def begin(visitor: Visitor, purpose: str = PURPOSE) -> tuple[str, httpx.Response]:
    """Begin a draft of a purpose as the author; return its path and its page."""
    await visitor.log_in(AUTHOR)
    page = await visitor.send(await visitor.open("/drafts/new"), "/drafts/new", of=purpose)
    return str(page.url.path), page


def titled(name: str) -> dict[str, str]:
    """Return the fields of a draft that may be proposed: a moment to come, and another title."""
    return {**tomorrow(), "title-nl": f"Weer naar school {name}"}


async def propose(visitor: Visitor, name: str) -> str:
    """Propose a draft with another title; return the proposal's path."""
    path, page = await begin(visitor)
    shown = await visitor.send(page, path, more=titled(name), do="propose")
    return str(shown.url.path)


async def approve(visitor: Visitor, path: str, passphrase: str = PASSPHRASE) -> httpx.Response:
    page = await visitor.open(path)
    return await visitor.post(page, path, read="yes", passphrase=passphrase)


async def test_the_list_shows_every_purpose_and_its_page_says_what_is_done(
    pages: PagesWorld, visitor: Visitor
) -> None:
    await visitor.log_in(OFFICER)
    listed = await visitor.open("/purposes")
    ground = await pages.desk.grounds.fetch()
    for name, revisions in ground.catalogue.purposes.items():
        assert f'href="/purposes/{name}"' in listed.text
        page = words_of(await visitor.open(f"/purposes/{name}"))
        assert revisions[-1].sentence.nl in page
    await visitor.open("/purposes/no_such", 404)


async def test_from_a_draft_to_published_by_two_others(pages: PagesWorld, visitor: Visitor) -> None:
    before = pages.office.list_revisions()
    path = await propose(visitor, "411")
    own = await visitor.open(path)
    assert "411" in own.text
    assert 'name="passphrase"' not in own.text  # nobody approves their own
    await visitor.log_in(BAKKER)
    assert (await approve(visitor, path)).status_code == 303
    assert pages.office.list_revisions() == before
    again = await visitor.open(path)
    assert 'name="passphrase"' not in again.text  # once
    await visitor.log_in(SMIT)
    assert (await approve(visitor, path)).status_code == 303
    after = pages.office.list_revisions()
    assert after[:-1] == before
    calendar = words_of(await visitor.open("/calendar"))
    assert f'href="/purposes/{PURPOSE}"' in calendar
    assert after[-1] in words_of(await visitor.open(path))


async def test_an_approval_without_reading_or_with_another_phrase_does_nothing(
    visitor: Visitor,
) -> None:
    path = await propose(visitor, "412")
    await visitor.log_in(BAKKER)
    page = await visitor.open(path)
    unread = await visitor.post(page, path, passphrase=PASSPHRASE)
    assert unread.status_code == 422
    assert PASSPHRASE not in unread.text
    wrong = await approve(visitor, path, "een heel andere wachtzin hier")
    assert wrong.status_code == 422
    assert "een heel andere wachtzin hier" not in wrong.text
    assert 'id="error-passphrase"' in wrong.text
    empty = await approve(visitor, path, "")
    assert empty.status_code == 422
    assert "0 van 2" in words_of(await visitor.open(path))


async def test_who_is_no_approver_cannot_approve_by_a_form_of_their_own(visitor: Visitor) -> None:
    path = await propose(visitor, "413")
    page = await visitor.open(path)
    form = read_form(page, "/logout")
    sent = await visitor.client.post(
        path,
        data={**dict(form.fields), "form_id": "own", "read": "yes", "passphrase": PASSPHRASE},
        headers={"Origin": visitor.world.url},
    )
    assert sent.status_code == 403
    # An approver who proposed it: the role is there, and still it is their own.
    await visitor.log_in(SECOND_AUTHOR)
    draft = await visitor.send(await visitor.open("/drafts/new"), "/drafts/new", of=PURPOSE)
    own = await visitor.send(draft, str(draft.url.path), more=titled("414"), do="propose")
    sent = await visitor.client.post(
        str(own.url.path),
        data={
            "csrf": dict(read_form(own, "/logout").fields)["csrf"],
            "form_id": "own",
            "read": "yes",
            "passphrase": PASSPHRASE,
        },
        headers={"Origin": visitor.world.url},
    )
    assert sent.status_code == 422
    assert "schreef dit zelf" in words_of(sent)


async def test_a_case_that_comes_out_otherwise_stops_a_proposal_and_is_named(
    visitor: Visitor,
) -> None:
    path, page = await begin(visitor)
    refused = await visitor.post(page, path, more=tomorrow(), do="propose", retention_days="411")
    assert refused.status_code == 422
    assert "Een geval komt anders uit dan er staat." in words_of(refused)
    told = words_of(refused).partition("errors-title")[2].partition("</section>")[0]
    assert told.count("‘who is involved’") == 1  # once, without the names of members
    assert "retention_days" not in told
    assert dict(read_form(refused, path).fields)["retention_days"] == "411"


async def test_rows_are_added_and_taken_out_by_sending_the_form(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    count = len(re.findall(r'name="edges-0-fields-\d+-field"', page.text))
    more = await visitor.post(page, path, do="add:edges-0-fields")
    assert more.status_code == 200
    assert len(re.findall(r'name="edges-0-fields-\d+-field"', more.text)) == count + 1
    fewer = await visitor.post(more, path, do="remove:edges-0-fields:0")
    assert len(re.findall(r'name="edges-0-fields-\d+-field"', fewer.text)) == count
    assert 'name="edges-0-fields-0-field"' not in fewer.text
    # Nothing of it was kept: the page as it lies at the broker has all rows.
    kept = await visitor.open(path)
    assert len(re.findall(r'name="edges-0-fields-\d+-field"', kept.text)) == count


async def test_the_part_beside_the_form_follows_what_is_typed(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    looked = await visitor.post(
        page,
        path,
        more={**tomorrow(), "sentence-nl": "De school kijkt mee met de leerplicht."},
        do="look",
        retention_days="433",
    )
    shown = words_of(looked)
    assert looked.status_code == 200
    assert "433" in shown.split('id="beside-inside"')[1]
    assert "De school kijkt mee met de leerplicht." in shown.split("beside__resident")[1]
    plain = await visitor.client.post(
        path,
        content=urlencode([*read_form(page, path).fields, ("do", "look")]).encode(),
        headers={
            "Origin": visitor.world.url,
            "HX-Request": "true",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    assert plain.status_code == 200
    assert "<html" not in plain.text
    assert 'id="beside-inside"' in plain.text


async def test_what_is_wrong_is_said_at_its_field_and_its_line(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    looked = await visitor.post(page, path, more={**tomorrow(), "articles-0-law": ""}, do="look")
    beside = words_of(looked).split('id="beside-inside"')[1]
    assert 'href="#field-articles-0-law"' in beside
    assert "Dit ontbreekt: vul het in." in beside
    assert "Wetsartikelen, Wet<" in beside
    as_yaml = await visitor.post(page, path, do="yaml")
    text = dict(read_form(as_yaml, path).fields)["text"]
    broken = text.replace("owner:", "owner: [", 1)
    wrong = await visitor.post(as_yaml, path, text=broken, do="look")
    assert re.search(r"regel \d+, kolom \d+", words_of(wrong))
    assert "line " not in words_of(wrong).split('id="beside-inside"')[1]
    back = await visitor.post(wrong, path, do="form")
    assert 'name="text"' in back.text  # what cannot be read stays as it was typed
    assert broken.splitlines()[0] in words_of(back)


async def test_a_draft_is_kept_however_unfinished_and_is_nobody_elses(visitor: Visitor) -> None:
    await visitor.log_in(AUTHOR)
    page = await visitor.send(await visitor.open("/drafts/new"), "/drafts/new", id="nieuw_doel")
    path = str(page.url.path)
    saved = await visitor.send(page, path, more={"title-nl": "Iets nieuws"}, do="save")
    assert dict(read_form(saved, path).fields)["title-nl"] == "Iets nieuws"
    refused = await visitor.post(saved, path, do="propose")
    assert refused.status_code == 422
    await visitor.log_in(SECOND_AUTHOR)
    other = await visitor.client.get(path)
    if other.status_code == 200:
        assert 'value="save"' not in other.text
    await visitor.log_in(AUTHOR)
    page = await visitor.open(path)
    await visitor.send(page, f"{path}/drop")
    await visitor.open(path, 404)


async def test_no_citizen_service_number_is_kept(pages: PagesWorld, visitor: Visitor) -> None:
    path, page = await begin(visitor)
    refused = await visitor.post(
        page, path, more={"sentence-nl": f"Voor {BSN} kijkt de school mee."}, do="save"
    )
    assert refused.status_code == 422
    assert "burgerservicenummer" in words_of(refused)
    draft = pages.office.authoring.show_draft(AUTHOR, path.rpartition("/")[2])
    assert BSN not in draft.text


async def test_a_purpose_of_a_hundred_thousand_signs_is_refused_with_its_place(
    visitor: Visitor,
) -> None:
    path, page = await begin(visitor)
    looked = await visitor.post(page, path, more={"sentence-nl": "a" * 100_000}, do="look")
    assert looked.status_code == 200
    beside = words_of(looked).split('id="beside-inside"')[1]
    assert 'href="#field-sentence-nl"' in beside
    assert "te lang" in beside


async def test_a_withdrawal_and_a_way_back_are_proposals_with_a_reason(
    pages: PagesWorld, visitor: Visitor
) -> None:
    await visitor.log_in(AUTHOR)
    address = "/purposes/early_debt_signals"
    page = await visitor.open(address)
    assert (await visitor.post(page, address, reason="")).status_code == 422
    shown = await visitor.send(page, address, reason="De grondslag is vervallen.")
    assert "De grondslag is vervallen." in words_of(shown)
    calendar = await visitor.open("/calendar")
    missing = await visitor.post(calendar, "/calendar", seq="", reason="")
    assert missing.status_code == 422
    earlier = pages.office.authoring.history()[-1].seq
    proposed = await visitor.send(
        calendar, "/calendar", seq=str(earlier), reason="Het was te ruim."
    )
    assert "Het was te ruim." in words_of(proposed)
    fresh = await visitor.open("/calendar")
    unknown = await visitor.post(fresh, "/calendar", seq="99999", reason="Te ruim.")
    assert unknown.status_code == 422


async def test_the_partners_stand_there_with_their_ends(
    pages: PagesWorld, visitor: Visitor
) -> None:
    await visitor.log_in(OFFICER)
    page = words_of(await visitor.open("/partners"))
    for partner in pages.desk.read_directory().trust.partners:
        assert partner.name in page
        for right in partner.bsn_rights:
            assert right.law in page


async def test_a_draft_is_tried_and_its_cases_stand_beside_what_came_out(visitor: Visitor) -> None:
    path, page = await begin(visitor)
    saved = await visitor.send(page, path, more=tomorrow(), do="save")
    assert f'href="{path}/trial"' in saved.text
    trial = await visitor.open(f"{path}/trial")
    assert "base:" in words_of(trial)
    tried = await visitor.send(trial, f"{path}/trial", do="cases")
    assert "Alle gevallen komen uit zoals geschreven" in words_of(tried)
    cases = dict(read_form(tried, f"{path}/trial").fields)["cases"]
    wrong = cases.replace("permit: true", "permit: false", 1)
    assert wrong != cases
    failed = await visitor.send(tried, f"{path}/trial", do="cases", cases=wrong)
    words = words_of(failed)
    assert "Eén geval komt anders uit" in words
    assert re.search(r">Toegestaan</th><td[^>]*>nee</td><td[^>]*>ja</td>", words)
    assert "False" not in words
    refused = await visitor.post(failed, f"{path}/trial", do="cases", cases="cases: [")
    assert refused.status_code in (303, 422)


async def test_who_may_sign_off_finds_the_draft_on_their_first_page(
    pages: PagesWorld, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, page = await begin(visitor)
    await visitor.send(page, path, more=titled("tekenen"), do="save")
    await visitor.send(await visitor.open(f"{path}/trial"), f"{path}/trial", do="replay")
    real = type(pages.desk.replays).list_replays
    newest = pages.desk.replays.list_replays()[0]
    link = f'href="{path}/trial"'
    await visitor.log_in(BAKKER)
    assert link not in words_of(await visitor.open("/"))

    def list_replays(replays: object) -> list[object]:
        # Nothing was decided in this world: only that the replay found something is put in.
        found = {"state": "done", "needs_sign_off": True, "signed_off_at": None}
        rows = real(replays)  # type: ignore[arg-type] # it is that class's own
        return [
            one.model_copy(update=found) if one.number == newest.number else one for one in rows
        ]

    monkeypatch.setattr(type(pages.desk.replays), "list_replays", list_replays)
    assert link in words_of(await visitor.open("/"))
    await visitor.log_in(AUTHOR)
    assert link not in words_of(await visitor.open("/"))


@pytest.mark.parametrize("title", ["zonder", ""])
async def test_what_was_not_replayed_is_not_signed_off(visitor: Visitor, title: str) -> None:
    path, page = await begin(visitor)
    typed = titled(title) if title else {"title-nl": ""}  # without a title it cannot be read at all
    await visitor.send(page, path, more=typed, do="save")
    await visitor.log_in(BAKKER)
    page = await visitor.open(f"{path}/trial")
    sent = await visitor.client.post(
        f"{path}/trial/sign-off",
        data={**dict(read_form(page, "/logout").fields), "form_id": "own", "meant": "yes"},
        headers={"Origin": visitor.world.url},
    )
    assert sent.status_code == 422
    assert "Dit ontwerp is zo nog niet nagespeeld" in words_of(sent)


async def test_who_signs_a_trial_off_reads_the_draft_it_is_of_in_their_own_language(
    pages: PagesWorld, visitor: Visitor
) -> None:
    path, page = await begin(visitor)
    past = {"valid_from-date": "2020-01-01", "valid_from-time": "00:00:00"}
    await visitor.send(page, path, more=past, do="save")
    asked = {"organisation": RIJNSTAD, "role": "reviewer", "staff": "t.oezicht", "key": None}
    await pages.office.broker.role_register.give(GiveAsked.model_validate(asked))
    await visitor.log_in(act_as("t.oezicht", "reviewer"))
    assert f'href="{path}"' in (await visitor.open(f"{path}/trial")).text
    words = words_of(await visitor.open(path))
    assert "Dit moment is al voorbij" in words
    assert "lies in the past" not in words
