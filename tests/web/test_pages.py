"""Pages: nobody keeps, frames or adds to them, and what a partner wrote is text."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import httpx
import pytest
from jinja2 import UndefinedError
from markupsafe import escape

from datwat.web.pages import Frame, require_plain
from tests.web.visitor import ORIGIN, Visitor
from tests.web.world import GALLERY, World

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "' onmouseover='alert(1)",
    "%(name)s %s %d",
    "javascript:alert(1)",
    "</textarea><form action=https://elsewhere.example>",
    "\u202eetarever\u202c",
    "a\r\nSet-Cookie: x=y",
)
EVERY = ("/gallery", "/bad", "/nothing", "/fail/away", "/fail/fault", "/logged-out")


@pytest.mark.parametrize("path", EVERY)
async def test_every_page_is_framed_kept_and_added_to_by_nobody(
    visitor: Visitor, path: str
) -> None:
    for _ in range(2):  # without a login, then with one
        page = await visitor.client.get(path)
        policy = dict(
            part.split(" ", 1) for part in page.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert page.headers["cross-origin-resource-policy"] == "same-origin"
        assert "unsafe" not in page.headers["content-security-policy"]
        await visitor.log_in()


async def test_only_who_is_logged_in_may_be_led_to_the_provider_by_a_form(
    visitor: Visitor, world: World
) -> None:
    before = (await visitor.client.get("/logged-out")).headers["content-security-policy"]
    assert "form-action 'self';" in before
    await visitor.log_in()
    after = (await visitor.client.get("/gallery")).headers["content-security-policy"]
    assert f"form-action 'self' {world.site.pages.site.form_targets[0]};" in after


@pytest.mark.parametrize("text", NASTY)
def test_what_a_partner_wrote_is_text_wherever_it_stands(world: World, text: str) -> None:
    context: dict[str, Any] = {
        **GALLERY,
        "name": text,
        "reason": text,
        "points": [(1, "shared", text)],
        "nodes": [(text, text, True)],
        "rows": [[text, text, text]],
        "form": world.site.forms.build(None, "/gallery", world.site.visit(_request()).now),
    }
    frame = Frame("/gallery", "", "c", None, (text,))
    for code in ("nl", "en"):
        html = world.site.pages.render_text(code, "gallery.html", context, frame)
        assert str(escape(text)) in html
        for harm in ("<script>alert", "<img src=x", "onmouseover='", "<form action=https"):
            assert harm not in html
        # Of our own elements only: the set of tags is that of a harmless name.
        assert _tags(html) == _tags(
            world.site.pages.render_text(
                code,
                "gallery.html",
                {**context, "name": "A", "reason": "A", "rows": [["A", "A", "A"]]}
                | {"nodes": [("A", "A", True)], "points": [(1, "shared", "A")]},
                Frame("/gallery", "", "c", None, ("A",)),
            )
        )


def test_a_template_gets_values_and_models_only(world: World) -> None:
    frame = Frame("/gallery", "", None, None)
    for thing in (world.site, world.site.sessions, print, iter([]), object(), type, b"x"):
        for context in ({"name": thing}, {"name": [thing]}, {"name": {"a": (thing,)}}):
            with pytest.raises(TypeError, match="values and models only"):
                world.site.pages.render_text("nl", "error.html", context, frame)
    require_plain({"a": [1, "b", None, date(2026, 1, 1)], "f": frame}, "place")


@pytest.mark.parametrize("name", ["organisation", "site", "code", "frame", "theme", "icon"])
def test_no_page_changes_its_frame(world: World, name: str) -> None:
    frame = Frame("/gallery", "", None, None)
    with pytest.raises(TypeError, match=f"names of its own: {name}"):
        world.site.pages.render_text("nl", "logged_out.html", {name: "x"}, frame)


def test_what_is_not_given_is_a_fault_and_no_gap(world: World) -> None:
    with pytest.raises(UndefinedError):
        world.site.pages.render_text("nl", "gallery.html", {}, Frame("/", "", None, None))


async def test_the_language_is_dutch_until_somebody_chooses(visitor: Visitor) -> None:
    accept = {"Accept-Language": "en"}
    page = await visitor.client.get("/logged-out", headers=accept)
    assert '<html lang="nl"' in page.text
    assert page.headers["content-language"] == "nl"
    assert 'href="/logged-out?lang=en"' in page.text
    english = await visitor.client.get("/logged-out?lang=en&page=2&x=%22%3E")
    assert '<html lang="en"' in english.text
    assert 'href="/logged-out?lang=nl&amp;page=2&amp;x=%22%3E"' in english.text
    (cookie,) = english.headers.get_list("set-cookie")
    assert cookie.startswith("datwat-language=en; HttpOnly; Max-Age=31536000")
    assert '<html lang="en"' in (await visitor.client.get("/logged-out")).text
    for odd in ("fr", "en\r\nX: y", "", "../nl"):
        page = await visitor.client.get("/logged-out", params={"lang": odd})
        assert '<html lang="en"' in page.text
        assert "x" not in page.headers


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing", 404, "Deze pagina is er niet"),
        ("/nothing/%0d%0aX:%20y", 404, "Deze pagina is er niet"),
        ("/fail/away", 502, "Wij kunnen dit nu niet ophalen"),
        ("/fail/restored", 503, "Dit kan nu even niet"),
        ("/fail/damaged", 502, "Het logboek is beschadigd"),
        ("/fail/fault", 500, "Er ging hier iets mis"),
        ("/gallery", 401, "U bent niet ingelogd"),
        ("/static/0000000000000000/pages.css", 404, "Deze pagina is er niet"),
    ],
)
async def test_what_goes_wrong_is_a_page_in_plain_words(
    visitor: Visitor, path: str, status: int, words: str
) -> None:
    page = await visitor.client.get(path)
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.search(rf"<h1>\s*{words}\s*</h1>", page.text)
    for told in ("999990019", "RuntimeError", "Peer", "peer_", "Traceback"):
        assert told not in page.text
    assert "X" not in page.headers


async def test_programs_get_problems(visitor: Visitor) -> None:
    for path, headers in (
        ("/v1/nothing", {"Accept": "*/*"}),
        ("/nothing", {"Accept": "application/json"}),
        ("/fail/away", {"Accept": "application/problem+json, application/json"}),
    ):
        page = await visitor.client.get(path, headers=headers)
        assert page.headers["content-type"] == "application/problem+json"
        assert page.json()["code"] in {"not_found", "peer_unreachable"}
    html = {"Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"}
    page = await visitor.client.get("/nothing", headers=html)
    assert page.headers["content-type"].startswith("text/html")


async def test_an_away_party_says_what_still_works(visitor: Visitor) -> None:
    page = await visitor.client.get("/fail/away")
    assert "Wat nog wel werkt" in page.text
    assert "over een kwartier" in page.text


async def test_the_way_of_a_form_can_be_opened_as_a_page(visitor: Visitor) -> None:
    answer = await visitor.client.get("/logout")
    assert answer.status_code == 405
    assert "Deze pagina is er niet" in answer.text


def _tags(html: str) -> list[str]:
    """Return the elements of a page, but for pieces of names that were set in two lines."""
    found = re.findall(r"<(/?[a-z0-9]+)", html)
    return [tag for tag in found if tag not in ("text", "/text")]


def _request() -> Any:  # noqa: ANN401 - a request that nothing reads
    from starlette.requests import Request  # noqa: PLC0415 - for this one line

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    return Request({**scope, "server": ("site.example", 80), "scheme": "http"})


async def test_nothing_of_a_page_is_kept_after_logging_out(visitor: Visitor) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    await visitor.send(fields, "/logout")
    page = await visitor.client.get("/gallery")
    assert page.status_code == 401
    assert isinstance(visitor.client, httpx.AsyncClient)
    assert ORIGIN not in page.text
