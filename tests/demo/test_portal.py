"""The portal as a browser meets it: cookies, token, other sites, represented persons, the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from datwat.party.trust_list import parse_list
from datwat.protocol.completeness import CompletenessBundle, read_bundle
from datwat.protocol.completeness_checks import LogTrust, check_parsed
from datwat.protocol.trust import TrustList
from demo.covenant import build_login
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
JSON = {"Accept": "application/json"}


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield client


def log_in(world: World, browser: httpx.Client, login: str, **headers: str) -> list[httpx.Response]:
    """Follow the login as a browser does and return every answer on the way; `headers` go last."""
    away = browser.get(f"{world.covenant.url('portal')}/login")
    chosen = browser.post(away.headers["location"], data={"sub": login})
    back = browser.get(chosen.headers["location"], headers=headers)
    return [away, chosen, back]


@pytest.fixture
def portal(world: World, browser: httpx.Client) -> str:
    case = world.cases[1]
    *_, back = log_in(world, browser, build_login(case, "father"))
    assert back.status_code == 303
    return world.covenant.url("portal")


def get_me(browser: httpx.Client, portal: str) -> dict[str, Any]:
    answer = browser.get(f"{portal}/v1/me", headers=JSON)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def post(
    browser: httpx.Client, portal: str, path: str, members: object, **headers: str
) -> tuple[int, dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = browser.post(f"{portal}{path}", json=members, headers={**JSON, **named})
    return answer.status_code, answer.json()


def test_a_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    world: World, browser: httpx.Client
) -> None:
    *_, back = log_in(world, browser, build_login(world.cases[1], "mother"))
    cookies = back.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith("datwat-session="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert back.headers["location"] == "/"
    assert back.headers["cache-control"] == "no-store"


def test_nothing_of_a_person_stands_in_an_address(world: World, browser: httpx.Client) -> None:
    case = world.cases[1]
    for answer in log_in(world, browser, build_login(case, "child", "father")):
        for person in case.people.values():
            for known in (person.bsn, person.family_name, person.called):
                assert known not in str(answer.request.url)
                assert known not in answer.headers.get("location", "")


def test_the_log_needs_the_sessions_own_token(browser: httpx.Client, portal: str) -> None:
    me = get_me(browser, portal)
    assert me["persons"] == ["self"]
    body = {"person": "self", "page": {"limit": 5}}
    for headers in ({}, {"X_CSRF_Token": "x" * 43}):
        status, problem = post(browser, portal, "/v1/me/access-log", body, **headers)
        assert (status, problem["code"]) == (403, "cross_site")
    token = me["csrf_token"]
    status, problem = post(
        browser,
        portal,
        "/v1/me/access-log",
        body,
        X_CSRF_Token=token,
        Origin="https://elsewhere.example",
    )
    assert (status, problem["code"]) == (403, "cross_site")
    status, page = post(browser, portal, "/v1/me/access-log", body, X_CSRF_Token=token)
    assert status == 200
    assert set(page) == {"v", "rid", "checkpoint", "cards", "next", "erased"}


def test_without_a_login_there_is_nothing(world: World, browser: httpx.Client) -> None:
    portal = world.covenant.url("portal")
    for cookie in (None, "x" * 43):
        browser.cookies.clear()
        if cookie:
            browser.cookies.set("datwat-session", cookie)
        answer = browser.get(f"{portal}/v1/me", headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_missing")
        for path in (
            "/v1/me/access-log",
            "/v1/me/access-log/proof",
            "/v1/me/wishes",
            "/v1/me/wishes/list",
            "/v1/me/involvements",
            "/v1/logout",
        ):
            status, problem = post(browser, portal, path, {})
            assert (status, problem["code"]) == (401, "session_missing")


def test_a_callback_that_nobody_began_is_refused(world: World, browser: httpx.Client) -> None:
    url = f"{world.covenant.url('portal')}/login/callback?code=x&state=y"
    answer = browser.get(url, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, "login_refused")
    assert "datwat-session" not in browser.cookies


def test_a_callback_of_another_browser_is_refused(world: World, browser: httpx.Client) -> None:
    away = browser.get(f"{world.covenant.url('portal')}/login")
    login = build_login(world.cases[1], "father")
    chosen = browser.post(away.headers["location"], data={"sub": login})
    with httpx.Client(trust_env=False, timeout=20) as other:
        answer = other.get(chosen.headers["location"], headers=JSON)
    assert answer.status_code == 403


def test_somebody_without_a_number_or_level_is_not_let_in(
    world: World, browser: httpx.Client
) -> None:
    # The provider of the demo makes any name a user, with no claims of ours.
    *_, back = log_in(world, browser, "somebody", **JSON)
    assert (back.status_code, back.json()["code"]) == (403, "login_level")


def test_who_represents_somebody_has_both_views(world: World, browser: httpx.Client) -> None:
    case, portal = world.cases[1], world.covenant.url("portal")
    log_in(world, browser, build_login(case, "child", "father"))
    me = get_me(browser, portal)
    assert me["persons"] == ["self", "represented"]
    seen = []
    for person in me["persons"]:
        status, page = post(
            browser,
            portal,
            "/v1/me/access-log",
            {"person": person, "page": {}},
            X_CSRF_Token=me["csrf_token"],
        )
        assert status == 200
        seen.append(page["cards"])
    assert seen[0] != seen[1] or seen == [[], []]


def read_list(world: World) -> TrustList:
    accepted, _, _ = parse_list((world.covenant.home("trust") / "trust-list.json").read_bytes())
    return accepted.trust


def get_proof(
    browser: httpx.Client, portal: str, me: dict[str, Any], **asked: object
) -> CompletenessBundle:
    """Ask for a bundle as a page does, and return it as whoever gets the file reads it."""
    answer = browser.post(
        f"{portal}/v1/me/access-log/proof",
        json=asked,
        headers={**JSON, "X-CSRF-Token": me["csrf_token"]},
    )
    assert answer.status_code == 200, answer.text
    return read_bundle(answer.content)


def test_a_bundle_proves_what_the_page_shows_for_self_and_represented(
    world: World, browser: httpx.Client
) -> None:
    case, portal = world.cases[1], world.covenant.url("portal")
    log_in(world, browser, build_login(case, "child", "father"))
    me = get_me(browser, portal)
    trust = LogTrust.from_list(read_list(world))
    for person, view in (("self", "self"), ("represented", "representative")):
        bundle = get_proof(browser, portal, me, person=person)
        verdict = check_parsed(bundle, trust, datetime.now(UTC))
        assert verdict.view == view
        _, page = post(
            browser,
            portal,
            "/v1/me/access-log",
            {"person": person, "page": {"limit": 100}},
            X_CSRF_Token=me["csrf_token"],
        )
        shown = {proof["index"] for card in page["cards"] for proof in card["proofs"]}
        proved = {entry.index for roll in bundle.rolls for entry in roll.entries}
        assert proved == {index for index in shown if index < verdict.size}


def test_a_bundle_for_somebody_else_has_no_keys(world: World, browser: httpx.Client) -> None:
    case, portal = world.cases[1], world.covenant.url("portal")
    log_in(world, browser, build_login(case, "father"))
    me = get_me(browser, portal)
    mine, copy = (get_proof(browser, portal, me, made_for=one) for one in ("self", "somebody_else"))
    assert all(roll.tag_key is not None for roll in mine.rolls)
    assert all(roll.tag_key is None and roll.end is None for roll in copy.rolls)
    assert (copy.view, copy.tail) == ("somebody_else", b"")
    trust = LogTrust.from_list(read_list(world))
    assert check_parsed(copy, trust, datetime.now(UTC)).status == "entries_only"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"quarters": ["2026Q5"]}, "input_invalid"),
        ({"quarters": ["2026Q4"] * 41}, "input_invalid"),
        ({"quarters": ["2999Q1"]}, "peer_refused"),
        ({"made_for": "999990019"}, "input_invalid"),
    ],
)
def test_a_bundle_of_no_quarter_is_refused_without_its_value(
    browser: httpx.Client, portal: str, body: dict[str, Any], code: str
) -> None:
    token = get_me(browser, portal)["csrf_token"]
    status, problem = post(browser, portal, "/v1/me/access-log/proof", body, X_CSRF_Token=token)
    assert status >= 400
    assert problem["code"] == code
    assert "999990019" not in str(problem)


def test_who_may_not_look_is_named_listed_and_taken_back(
    world: World, browser: httpx.Client
) -> None:
    case, portal = world.cases[1], world.covenant.url("portal")
    log_in(world, browser, build_login(case, "child", "father"))
    token = get_me(browser, portal)["csrf_token"]

    def ask(path: str, **members: object) -> tuple[int, dict[str, Any]]:
        return post(browser, portal, path, members, X_CSRF_Token=token)

    known = browser.get(f"{portal}/v1/organisations", headers=JSON).json()["organisations"]
    assert known == sorted(known, key=lambda one: (one["name"].casefold(), one["id"]))
    assert not [one for one in known if one["id"].endswith(":portal")]
    school = next(one for one in known if one["id"].endswith(":school"))
    wish = {"blocks": school["id"], "asks": {"to": school["id"], "text": "Waarom vroeg u dit?"}}
    status, made = ask("/v1/me/wishes", wish=wish)
    assert (status, made["weighing"]["permitted"]) == (200, True)
    _, own = ask("/v1/me/wishes/list")
    assert [(one["number"], one["organisation_name"]) for one in own["blocks"]] == [
        (made["entry"], school["name"])
    ]
    assert [(one["number"], one["state"]) for one in own["questions"]] == [(made["entry"], "open")]
    _, seen = ask("/v1/me/wishes/list", person="represented")
    assert (seen["blocks"], seen["questions"]) == ([], [])
    status, involved = ask("/v1/me/involvements")
    assert (status, set(involved)) == (200, {"v", "rid", "as_of", "now", "past", "is_whole"})
    status, _ = ask("/v1/me/wishes", wish={"lifts": made["entry"]})
    assert status == 200
    assert ask("/v1/me/wishes/list")[1]["blocks"] == []
    numbered = {"asks": {"text": f"Mijn nummer is {case.people['child'].bsn}."}}
    status, problem = ask("/v1/me/wishes", wish=numbered)
    assert (status, problem["code"]) == (422, "number_in_text")
    assert case.people["child"].bsn not in str(problem)
    unknown = {"blocks": "00000099000000009999:school"}
    status, problem = ask("/v1/me/wishes", wish=unknown)
    assert (status, problem["code"]) == (404, "organisation_unknown")


def test_nobody_is_represented_by_asking(browser: httpx.Client, portal: str) -> None:
    status, problem = post(
        browser,
        portal,
        "/v1/me/access-log",
        {"person": "represented"},
        X_CSRF_Token=get_me(browser, portal)["csrf_token"],
    )
    assert (status, problem["code"]) == (404, "not_represented")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"person": "self", "more": 1}, "input_invalid"),
        ({"person": "999990019"}, "input_invalid"),
        ({"page": {"limit": 101}}, "input_invalid"),
        ({"page": {"before": "x" * 64}}, None),
    ],
)
def test_bad_input_is_told_without_its_value(
    browser: httpx.Client, portal: str, body: dict[str, Any], code: str | None
) -> None:
    token = get_me(browser, portal)["csrf_token"]
    status, problem = post(browser, portal, "/v1/me/access-log", body, X_CSRF_Token=token)
    assert status >= 400
    assert code is None or problem["code"] == code
    assert "999990019" not in str(problem)


def test_another_kind_of_body_is_refused(browser: httpx.Client, portal: str) -> None:
    token = get_me(browser, portal)["csrf_token"]
    answer = browser.post(
        f"{portal}/v1/me/access-log",
        content="person=self",
        headers={**JSON, "X-CSRF-Token": token, "Content-Type": "text/plain"},
    )
    assert answer.status_code == 415


def test_logging_out_ends_the_session_here_and_at_the_broker(
    world: World, browser: httpx.Client, portal: str
) -> None:
    token = get_me(browser, portal)["csrf_token"]
    before = len(world.recorders["broker"].find("/v1/sessions"))
    cookie = browser.cookies["datwat-session"]
    status, _ = post(browser, portal, "/v1/logout", {}, X_CSRF_Token=token)
    assert status == 200
    browser.cookies.set("datwat-session", cookie)
    assert browser.get(f"{portal}/v1/me", headers=JSON).status_code == 401
    ended = world.recorders["broker"].find("/v1/sessions")[before:]
    assert [one.status for one in ended] == [200]


def test_status_counts_who_is_logged_in(world: World, portal: str) -> None:
    assert portal
    status = world.command("portal", "status", "--home", str(world.covenant.home("portal")))
    assert status["sessions"] >= 1
    assert status["listed"]
    assert status["issuer"] == world.covenant.url("identity")


def test_the_api_describes_itself(world: World, browser: httpx.Client) -> None:
    found = browser.get(f"{world.covenant.url('portal')}/v1/openapi.json").json()
    assert set(found["paths"]) == {
        "/me",
        "/me/access-log",
        "/me/access-log/proof",
        "/me/involvements",
        "/me/wishes",
        "/me/wishes/list",
        "/organisations",
        "/logout",
        "/health",
        "/openapi.json",
    }
