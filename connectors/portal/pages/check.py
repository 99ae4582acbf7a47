"""*Check it yourself*: that nothing is missing from the log, on one's own device or by the portal.

Rules: with a script the browser checks (WebCrypto), with the very checker of the stand-alone page
and the keys of the trust list; without one the portal's own check is shown, and the files by which
somebody else can do it. What a copy for somebody else says, it says without keys: it lets nobody
follow more. Source: protocol.md sections 10 and 11.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.own_proof import Asked
from connectors.portal.pages.acting import find_other_person
from connectors.portal.pages.downloads import JSON, answer_file
from connectors.portal.pages.persons import find_whose
from connectors.portal.resident import Resident
from datwat.party.check_page import (
    build_check_page,
    derive_check_page_hash,
    derive_keys,
    read_checker,
    read_texts,
)
from datwat.protocol.completeness import CompletenessBundle, build_copy
from datwat.protocol.completeness_checks import Verdict
from datwat.protocol.errors import ProtocolError
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/check"
_HERE: Final = Path(__file__).parent
_TEXTS: Final = read_texts()
# What the page's own script says of these; the rest belongs to the stand-alone page.
_SAID: Final = (
    "checking", "refused", "refused_what", "status", "explain", "look", "findings", "cosigned",
    "codes", "chains",
)  # fmt: skip
_HEADS: Final = (mark("Quarter"), mark("Part"), mark("Entries"), mark("Without contents"))
_BAD_GATEWAY: Final = 502


def load_files() -> dict[str, bytes]:
    """Return the script of the page: the checker of the stand-alone page, and what shows it."""
    own = (_HERE / "static" / "check_here.js").read_text("utf-8")
    return {"check.js": f'(() => {{"use strict";\n{read_checker()}\n{own}}})();\n'.encode()}


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen, and of the files by which somebody else checks."""
    screen = _Screen(desk)
    return (
        site.get(PATH, screen.show),
        site.post(PATH, screen.check),
        site.get("/downloads/proof.json", screen.download_own),
        site.get("/downloads/proof-copy.json", screen.download_copy),
        site.get("/downloads/check.html", screen.download_page),
    )


class _Screen:
    def __init__(self, desk: ResidentDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what can be checked, and how."""
        return visit.render("check.html", self._build_context(visit, visit.new_form()))

    async def check(self, visit: Visit[Resident], form: Form) -> Response:
        """Check here, and show what was found; nothing is changed by it."""
        other = find_other_person(visit, form)
        if other is not None:
            return other
        context = self._build_context(visit, visit.new_form())
        texts = _TEXTS[visit.speech.code]
        try:
            bundle, verdict = await self._fetch(visit)
        except ProtocolError as error:
            code = error.code if error.code in texts["codes"] else "completeness_refused"
            context["refusal"] = (texts["refused"], texts["codes"][code], texts["refused_what"])
            return visit.render("check.html", context, status=_BAD_GATEWAY)
        context["found"] = _describe(bundle, verdict, texts)
        return visit.render("check.html", context)

    async def download_own(self, visit: Visit[Resident]) -> Response:
        """Send the bundle, with the keys by which its owner can follow their log."""
        bundle, _ = await self._fetch(visit)
        return answer_file(visit, bundle.model_dump_json().encode(), JSON, "log-proof.json")

    async def download_copy(self, visit: Visit[Resident]) -> Response:
        """Send the copy for somebody else, without keys."""
        bundle, _ = await self._fetch(visit)
        raw = build_copy(bundle).model_dump_json().encode()
        return answer_file(visit, raw, JSON, "log-proof-for-others.json")

    async def download_page(self, visit: Visit[Resident]) -> Response:
        """Send the page on which a bundle is checked without this portal."""
        page = build_check_page(self._desk.trust)
        return answer_file(visit, page, "text/html; charset=utf-8", "check-log.html")

    async def _fetch(self, visit: Visit[Resident]) -> tuple[CompletenessBundle, Verdict]:
        return await self._desk.fetch_checked_proof(visit.held.handle, Asked(visit.held.eyes, ()))

    def _build_context(self, visit: Visit[Resident], form: Form) -> dict[str, Any]:
        whole = _TEXTS[visit.speech.code]
        texts = {name: whole[name] for name in _SAID}
        heads = [visit.say(one) for one in _HEADS]
        return {
            "form": form,
            "whose": find_whose(visit),
            "who": visit.held.viewing,
            "check": json.dumps({"texts": texts, "trust": derive_keys(self._desk.trust)}),
            "heads": heads,
            "heads_json": json.dumps(heads),
            "page_hash": derive_check_page_hash(self._desk.trust),
            "limits": whole["limits"][visit.held.eyes],
            "found": None,
            "refusal": None,
        }


def _describe(
    bundle: CompletenessBundle, verdict: Verdict, texts: dict[str, Any]
) -> dict[str, Any]:
    """Return what a bundle proves, in the words of the stand-alone page."""
    return {
        "is_proved": verdict.status == "proved" and not verdict.findings,
        "title": texts["status"][verdict.status],
        "explain": texts["explain"][verdict.status][bundle.view],
        "until": None if verdict.status == "entries_only" else verdict.until,
        "findings": [texts["findings"][one] for one in verdict.findings],
        "rows": [
            (roll.quarter, texts["chains"][roll.audience], roll.entries, roll.erased)
            for roll in verdict.rolls
        ],
    }
