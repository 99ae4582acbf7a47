"""In and out of a site: what a login leads to, and all that it must not."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from datwat.party import clock
from datwat.web.sessions import IDLE
from tests.portal.provider import CLIENT_ID, HostileProvider
from tests.web.visitor import ORIGIN, Visitor
from tests.web.world import World, build_world

ELSEWHERE = (
    "https://elsewhere.example/",
    "//elsewhere.example/gallery",
    "/\\elsewhere.example",
    "/gallery\r\nSet-Cookie: a=b",
    "/gallery%0d%0aX: y",
    "/fail/a\r\nSet-Cookie: a=b",
    "/fail/a?x=//elsewhere.example",
    "/fail/\\elsewhere.example",
    "/fail/é",
    "javascript:alert(1)",
    "gallery",
    "/logout",
    "/login",
    "/nothing",
    "/../gallery",
    "/gallery?x=//elsewhere.example",
    "/" + "a" * 300,
    "",
)


async def test_a_login_leads_home_or_to_the_page_that_was_asked(visitor: Visitor) -> None:
    assert (await visitor.log_in()).headers["location"] == "/gallery"
    back = await visitor.log_in("/login?next=/fail/away")
    assert back.headers["location"] == "/fail/away"


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_a_login_leads_to_no_other_place(visitor: Visitor, path: str) -> None:
    sent = await visitor.begin(str(httpx.URL("/login", params={"next": path})))
    back = await visitor.come_back(sent)
    assert (back.status_code, back.headers["location"]) == (303, "/gallery")


async def test_the_session_cookie_tells_nothing_and_scripts_cannot_read_it(
    visitor: Visitor, world: World
) -> None:
    back = await visitor.log_in()
    (cookie,) = [one for one in back.headers.get_list("set-cookie") if "session=" in one]
    assert cookie.startswith("datwat-session=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "pairwise" not in cookie
    assert "pairwise" not in repr(vars(world.site.sessions))


async def test_behind_tls_the_cookies_are_of_this_host_alone(hostile: HostileProvider) -> None:
    origin = "https://site.example"
    world = build_world(hostile.issuer, origin, is_secure=True)
    transport = httpx.ASGITransport(app=world.app)
    async with httpx.AsyncClient(transport=transport, base_url=origin) as client:
        back = await Visitor(client, hostile).log_in()
    for cookie in back.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-datwat-")
        assert "Secure" in cookie
        assert "Domain" not in cookie


async def test_a_token_from_before_the_login_is_worth_nothing_after_it(
    visitor: Visitor, world: World
) -> None:
    """Fixation: neither a planted token nor that of an earlier session becomes a session."""
    visitor.client.cookies.set("datwat-session", "planted-by-somebody", domain="site.example")
    await visitor.log_in()
    first = visitor.client.cookies["datwat-session"]
    assert first != "planted-by-somebody"
    await visitor.log_in()
    second = visitor.client.cookies["datwat-session"]
    assert second != first
    assert len(world.site.sessions) == 1
    visitor.client.cookies.set("datwat-session", first, domain="site.example")
    assert (await visitor.client.get("/gallery")).status_code == 401


async def test_who_used_this_browser_before_is_logged_out_elsewhere_as_well(
    visitor: Visitor, world: World
) -> None:
    await visitor.log_in(who="pairwise-1")
    await visitor.log_in(who="pairwise-2")
    assert world.left == ["pairwise-1"]
    assert len(world.site.sessions) == 1


async def test_a_login_that_another_browser_began_lets_nobody_in(
    visitor: Visitor, world: World, hostile: HostileProvider
) -> None:
    """Login CSRF: somebody is led to a callback with the attacker's own code and state."""
    sent = await visitor.begin()
    transport = httpx.ASGITransport(app=world.app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as victim:
        back = await Visitor(victim, hostile).come_back(sent)
        assert back.status_code == 403
        assert "datwat-session" not in victim.cookies
        # Nor where the victim has begun a login of their own.
        other = Visitor(victim, hostile)
        await other.begin()
        assert (await other.come_back(sent)).status_code == 403
    assert len(world.site.sessions) == 0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"claims": {"iss": "http://127.0.0.1:9"}}, 403),
        ({"claims": {"aud": "another"}}, 403),
        ({"claims": {"nonce": "another"}}, 403),
        ({"claims": {"exp": 1}}, 403),
        ({"claims": {"iat": 1}}, 403),
        ({"claims": {"acr": "http://eidas.europa.eu/LoA/low"}}, 403),
        ({"leave_out": {"acr"}}, 403),
        ({"challenge": "another"}, 403),
        ({"sign_with_other_key": True}, 403),
        ({"algorithm": "HS256"}, 502),
        ({"with_id_token": False}, 403),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
async def test_a_provider_that_lies_lets_nobody_in(
    visitor: Visitor, world: World, hostile: HostileProvider, changes: dict[str, Any], status: int
) -> None:
    try:
        sent = await visitor.begin() if "algorithm" not in changes else {}
        for name, value in changes.items():
            setattr(hostile, name, value)
        back = await visitor.come_back(sent) if sent else await visitor.client.get("/login")
    finally:
        assert len(world.site.sessions) == 0
    assert back.status_code == status
    assert back.headers["content-type"].startswith("text/html")
    assert "datwat-session" not in visitor.client.cookies
    for told in ("nonce", "claim", "token", "Traceback", "pairwise", "127.0.0.1"):
        assert told not in back.text


async def test_logging_out_ends_the_session_here_elsewhere_and_at_the_provider(
    visitor: Visitor, world: World, hostile: HostileProvider
) -> None:
    hostile.metadata = {"end_session_endpoint": f"{hostile.issuer}/end"}
    await visitor.log_in()
    fields = await visitor.read_form()
    token = visitor.client.cookies["datwat-session"]
    out = await visitor.send(fields, "/logout")
    assert out.status_code == 303
    place = urlsplit(out.headers["location"])
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{hostile.issuer}/end"
    query = parse_qs(place.query)
    assert set(query) == {"client_id", "post_logout_redirect_uri", "state"}
    assert query["client_id"] == [CLIENT_ID]
    assert query["post_logout_redirect_uri"] == [f"{ORIGIN}/logged-out"]
    # Nothing that is or holds an identity token: three parts of base64 with dots between.
    assert "eyJ" not in out.headers["location"]
    assert world.left == ["pairwise-1"]
    visitor.client.cookies.set("datwat-session", token, domain="site.example")
    assert (await visitor.client.get("/gallery")).status_code == 401
    assert (await visitor.client.get("/logged-out")).status_code == 200


@pytest.mark.parametrize(
    "place",
    [
        "https://elsewhere.example/end",
        "{issuer}.elsewhere.example/end",
        "{issuer}@elsewhere.example/end",
        "{issuer}/end?id_token_hint=x",
        "javascript:alert(1)",
        7,
        None,
    ],
)
async def test_a_provider_sends_who_logs_out_nowhere_else(
    visitor: Visitor, hostile: HostileProvider, place: object
) -> None:
    named = place.format(issuer=hostile.issuer) if isinstance(place, str) else place
    hostile.metadata = {"end_session_endpoint": named}
    await visitor.log_in()
    out = await visitor.send(await visitor.read_form(), "/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/logged-out")


async def test_who_logs_out_is_out_also_when_the_provider_is_away(
    visitor: Visitor, world: World, hostile: HostileProvider
) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    hostile.metadata = {"issuer": "http://127.0.0.1:9"}
    out = await visitor.send(fields, "/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/logged-out")
    assert len(world.site.sessions) == 0


async def test_another_site_logs_nobody_out(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    assert (await visitor.client.get("/logout")).status_code == 405
    out = await visitor.client.post(
        "/logout", data=fields, headers={"Origin": "https://elsewhere.example"}
    )
    assert out.status_code == 403
    away = await visitor.client.get("/leave", headers={"Sec-Fetch-Site": "cross-site"})
    assert away.status_code == 303
    assert len(world.site.sessions) == 1


async def test_leaving_quickly_ends_the_session_at_once(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    away = await visitor.client.get("/leave", headers={"Sec-Fetch-Site": "same-origin"})
    assert (away.status_code, away.headers["location"]) == (303, "https://weather.example")
    assert len(world.site.sessions) == 0
    assert world.left == ["pairwise-1"]


async def test_a_session_that_ended_asks_for_a_new_login(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    later = clock.now() + IDLE
    monkeypatch.setattr(clock, "now", lambda: later)
    page = await visitor.client.get("/gallery")
    assert page.status_code == 401
    assert '/login?next=/gallery"' in page.text
    assert "Alles bij elkaar" not in page.text


async def test_a_refused_login_repeats_nothing_that_the_provider_sent(visitor: Visitor) -> None:
    sent = await visitor.begin()
    refused = await visitor.come_back({**sent, "state": "other-state"}, page="2")
    assert refused.status_code >= 400
    assert 'href="/login/callback?lang=en&amp;page=2"' in refused.text
    assert "other-state" not in refused.text
