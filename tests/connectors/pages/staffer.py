"""Somebody of a partner's staff at its pages, without a browser: pages read, forms filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

import httpx

CASE = 3
OCCASION = "gezin-f"
TEAM = "social-team"
_FORM = re.compile(r'<form class="form[^"]*"[^>]*action="([^"]*)"(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


class Staffer:
    """A browser of its own; every address that it was led to is kept."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.url = url
        self.addresses: list[str] = []
        cookies = {"datwat-language": language}
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=60, cookies=cookies)

    def log_in(self, who: str) -> httpx.Response:
        """Log in at the staff's own provider; return the last answer on the way."""
        away = self.client.get("/login")
        chosen = self.client.post(away.headers["location"], data={"sub": who})
        return self.client.get(chosen.headers["location"])

    def get(self, path: str) -> httpx.Response:
        """Open a page."""
        answer = self.client.get(path)
        self.addresses.append(str(answer.request.url))
        return answer

    def read(self, path: str) -> str:
        """Return the text of a page that is there, with its signs as they are read."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return unescape(answer.text)

    def read_form(self, path: str) -> tuple[str, dict[str, str]]:
        """Return where the form of a page goes, and its hidden fields."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code, page.text[-2000:])
        action, form = _FORM.findall(page.text)[-1]
        return unescape(action), dict(_HIDDEN.findall(form))

    def send(self, path: str, fields: Mapping[str, object] | None = None) -> httpx.Response:
        """Fill in the form of a page and send it."""
        action, hidden = self.read_form(path)
        return self.post(action, {**hidden, **(fields or {})})

    def post(self, path: str, fields: Mapping[str, object]) -> httpx.Response:
        """Send fields as a page of this site does."""
        answer = self.client.post(path, data=fields, headers={"Origin": self.url})
        self.addresses += [str(answer.request.url), answer.headers.get("location", "")]
        return answer

    def follow(self, path: str, fields: Mapping[str, object] | None = None) -> str:
        """Send the form of a page and return where it leads."""
        answer = self.send(path, fields)
        assert answer.status_code == 303, (path, answer.status_code, answer.text[:3000])
        return str(answer.headers["location"])

    def begin(self, purpose: str, occasion: str) -> str:
        """Begin a question and return where its pages lie."""
        path = self.follow("/ask", {"purpose": purpose})
        place = self.follow(path, {"occasion": occasion})
        return place.rpartition("/")[0]

    def choose(self, question: str, *persons: str) -> None:
        """Choose about whom it is."""
        self.follow(f"{question}/person", {"persons": list(persons)})

    def ask(self, question: str, rung: str = "dat") -> str:
        """Ask who is involved and return the page with the answer."""
        return self.read(self.follow(f"{question}/{rung}"))

    def want(self, question: str, place: str, fields: list[str]) -> str:
        """Choose data of a source that was shown; return where its pages lie, before sending."""
        page = self.get(f"{question}/wat").text
        hidden = dict(_HIDDEN.findall(page[page.index("<main") :]))
        led = self.post(f"{question}/wat", {**hidden, "ask": place})
        assert led.status_code == 303
        wanted = str(led.headers["location"])
        self.follow(wanted, {"fields": fields})
        self.follow(f"{wanted}/told", {"told": "before"})
        reasons = dict.fromkeys(BLADES, "Wij maken samen een plan.")
        assert self.follow(f"{wanted}/why", reasons) == f"{wanted}/check"
        return wanted


BLADES = ("purpose", "subsidiarity", "proportionality", "efficiency", "transparency")
