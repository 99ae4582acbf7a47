"""The residents' pages on a log of any length: real site, templates and texts, cards from entries.

What stands in for the broker is a list of entries: each card is built from what its entries commit
to, by the functions with which broker and portal build theirs; pages, cursors and numbers follow
`broker.transparency`. Pages of a real covenant are looked at in tests/demo/test_log_pages.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import httpx
from starlette.applications import Starlette

from broker.policy.publication import build_publication
from connectors.portal.api import PortalApi
from connectors.portal.desk import Handles, ResidentDesk
from connectors.portal.own_log import write_card
from connectors.portal.own_proof import Asked
from connectors.portal.pages.screens import build_routes, build_site
from connectors.portal.resident import Resident
from connectors.portal.settings import PortalSettings
from datwat.party import clock
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.protocol.access_log import AccessCard, AccessLog, EntryProof
from datwat.protocol.acts import Page
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.card_sentences import build_titles
from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.completeness_checks import LogTrust, Verdict, check_parsed
from datwat.protocol.entry import derive_commit, derive_payload_hash
from datwat.protocol.own_affairs import KnownOrganisation
from datwat.protocol.texts import Texts
from datwat.protocol.trust import TrustList
from datwat.protocol.values import encode_bytes
from datwat.web.errors import ErrorPages
from datwat.web.site import Site
from tests.party.covenant import TestCovenant
from tests.policy.opa_world import make_bundle

ORIGIN: Final = "http://portal.example"
OWN, OTHER = b"o" * 16, b"r" * 16
NOW: Final = datetime(2026, 11, 25, 18, 30, tzinfo=UTC)
LONG: Final = (
    "Stichting Samenwerkende Jeugdhulpverleningsorganisaties Noordoost-Overijssel en Omstreken"
)
HOSTILE: Final = "<img src=x onerror=alert(1)>\"'{{ 7*7 }}%(name)s</h3>"
_POLICIES: Final = Path(__file__).parents[2] / "policies"
_TEAM: Final = "00000099000000010000"
BUNDLE: Final[Bundle] = make_bundle(build_publication(_POLICIES))
_TEXTS: Final = Texts(BUNDLE.texts)
_TITLES: Final = build_titles(BUNDLE.view, clock.now())
MOTIVATION: Final = dict.fromkeys(
    ("purpose", "subsidiarity", "proportionality", "efficiency", "transparency"),
    "Wij maken samen met het gezin een plan.",
)
BASIS: Final = {
    "giver_article": "Wgs 8d",
    "taker_article": "Wgs 8d; Wmo 2015 2.3.2(4)(f)",
    "mode": "may",
}
_BLADES: Final = {
    "known_purpose": "purpose",
    "some_rung_open": "subsidiarity",
    "all_fields_permitted": "proportionality",
    "act_fits": "efficiency",
    "told": "transparency",
}


def build_said(*, permit: bool, rung: str, **members: object) -> dict[str, Any]:
    """Return a decision with a finding of each blade; without a permit one is not met."""
    findings = [
        {"blade": blade, "code": code, "satisfied": permit or blade != "subsidiarity", "params": {}}
        for code, blade in _BLADES.items()
    ]
    return {"permit": permit, "rung": rung, "findings": findings, "revision": "b" * 64, **members}


def ask_who(
    *, permit: bool = True, given: Sequence[str] = ("Schuldhulp Rijnstad",)
) -> dict[str, Any]:
    """Return what an entry says of the question who is involved."""
    return {
        "event": "inquire",
        "asked": {
            "role": "regisseur",
            "purpose": "coordinate_family_help",
            "occasion_kind": "help_request",
            "rung": "dat",
        },
        "said": build_said(permit=permit, rung="dat", legal_basis=BASIS),
        "pointers": [
            {
                "source": {"id": f"{_TEAM}:debt-counselling", "name": name},
                "kind": "debt_counselling",
                "rung": "dat",
            }
            for name in (given if permit else ())
        ],
    }


def ask_what(*, permit: bool = True, source: str = "Schuldhulp Rijnstad") -> dict[str, Any]:
    """Return what an entry says of a question for data, of which one field is never given."""
    fields = ["regeling.status", "regeling.soort", "aantal_schuldeisers"]
    codes = fields[2:] if permit else fields
    return {
        "event": "release",
        "asked": {
            "role": "regisseur",
            "purpose": "coordinate_family_help",
            "occasion_kind": "help_request",
            "rung": "wat",
            "source": {"id": f"{_TEAM}:debt-counselling", "name": source},
            "product": "schuldregeling",
            "fields": fields,
            "motivation": MOTIVATION,
        },
        "said": build_said(
            permit=permit,
            rung="wat",
            withheld=[{"field": one, "code": "field_not_in_purpose"} for one in codes],
            obligations=[{"code": "delete_after", "params": {"days": 365}}],
            legal_basis=BASIS,
        ),
        "delivered": {"fields": fields[:2]} if permit else None,
    }


REGISTERED: Final[dict[str, Any]] = {
    "event": "register",
    "asked": {"role": "administrator"},
    "said": build_said(permit=True, rung="none"),
    "detail": {"kind": "debt_counselling", "since_at": "2026-02-02T00:00:00Z", "shielded": False},
}


def tell_later(number: int, at: datetime, says: Mapping[str, Any], name: str) -> AccessCard:
    """Return the card of an entry that waited for 30 days, as the one that opened it shows it."""
    earlier = build_entry(number, at - timedelta(days=30), says, name).proofs[0]
    commit = derive_commit(earlier.core, derive_payload_hash(earlier.salt, earlier.payload))
    opened = {
        "event": "opened",
        "detail": {
            "ground": "child_safety",
            "until_at": "2026-11-25T00:00:00Z",
            "opening": "by_person",
            "decider_role": "vertrouwensarts",
        },
        "reopened": {
            "index": number,
            "commit": encode_bytes(commit),
            "salt": encode_bytes(earlier.salt),
            "core": encode_bytes(earlier.core),
            "payload": encode_bytes(earlier.payload),
        },
    }
    return build_entry(number + 1, at, opened, name)


def build_entry(
    number: int, at: datetime, says: Mapping[str, Any], name: str = "Sociaal team Rijnstad"
) -> AccessCard:
    """Return the card of one entry, with the sentences that the portal writes."""
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    payload = {
        "v": 1,
        "event": "inquire",
        "at": moment,
        "rid": encode_bytes(number.to_bytes(16, "big")),
        "requester": {"id": f"{_TEAM}:social-team", "name": name},
        "notice": "now",
        **{member: value for member, value in says.items() if value is not None},
    }
    proof = EntryProof(
        index=number,
        path=(b"p" * 32,) * 9,
        audience="open",
        tag=number.to_bytes(32, "big"),
        core=b"core",
        salt=b"s" * 32,
        payload=encode_canonical(payload),
    )
    return write_card((proof,), _TEXTS, _TITLES)


def build_log(count: int, names: Sequence[str] = ("Sociaal team Rijnstad",)) -> list[AccessCard]:
    """Return so many entries, newest first, one a day: of each kind, by each name in turn."""
    kinds = (ask_who(), ask_what(permit=False), REGISTERED, ask_what(), ask_who(permit=False))
    return [
        build_entry(
            7 * (count - place),
            NOW - timedelta(days=place),
            kinds[place % len(kinds)],
            names[place % len(names)],
        )
        for place in range(count)
    ]


@dataclass
class StandIn:
    """The desk of a portal whose broker has these logs; `asked` are the pages that were read."""

    logs: dict[bytes, list[AccessCard]]
    erased: set[int] = field(default_factory=set)
    asked: list[Page] = field(default_factory=list)
    bundle: CompletenessBundle | None = None
    trust: TrustList = field(default_factory=lambda: TestCovenant().build())

    async def fetch_access_log(self, handle: bytes, page: Page) -> AccessLog:
        """Answer as the broker does: a page below a cursor, or the card of a number."""
        self.asked.append(page)
        cards = self.logs.get(handle, [])
        if page.number is not None:
            found = tuple(card for card in cards if card.number == page.number)
            is_erased = handle == OWN and page.number in self.erased
            return self._answer(found, None, is_erased=is_erased)
        begin = int(page.before or 0)
        end = begin + page.limit
        return self._answer(tuple(cards[begin:end]), str(end) if end < len(cards) else None)

    async def fetch_proof(self, handle: bytes, asked: Asked) -> CompletenessBundle:
        """Return the bundle unchecked: what a browser finds is its own."""
        assert (handle, asked.view) in ((OWN, "self"), (OTHER, "representative"))
        assert self.bundle is not None
        return self.bundle

    async def fetch_checked_proof(
        self, handle: bytes, asked: Asked
    ) -> tuple[CompletenessBundle, Verdict]:
        """Return the bundle and what it proves, as the desk of a portal does."""
        bundle = await self.fetch_proof(handle, asked)
        return bundle, check_parsed(bundle, LogTrust.from_list(self.trust), clock.now())

    async def require_bundle(self) -> Bundle:
        """Return the bundle of this repository's policies."""
        return BUNDLE

    def list_organisations(self) -> tuple[KnownOrganisation, ...]:
        """Return the one that asks."""
        return (
            KnownOrganisation(
                id=f"{_TEAM}:social-team",
                name="Sociaal team Rijnstad",
                domain="care",
                contact="010 555 02 00",
            ),
        )

    def _answer(
        self, cards: tuple[AccessCard, ...], cursor: str | None, *, is_erased: bool = False
    ) -> AccessLog:
        return AccessLog(
            v=1, rid=b"r" * 16, checkpoint="note", cards=cards, next=cursor, erased=is_erased
        )


@dataclass
class LogWorld:
    """A portal with this desk; `log_in` is somebody who came through the provider."""

    app: Starlette
    site: Site[Resident]
    desk: StandIn

    def log_in(self, *, represents: bool = False) -> tuple[str, str]:
        """Return name and value of the cookie of a new session."""
        held = Resident(Handles(OWN, OTHER if represents else None))
        return self.site.cookies.session, self.site.sessions.open(held, "somebody", clock.now())

    def client(self, *, represents: bool = False, language: str = "nl") -> httpx.AsyncClient:
        """Return the client of somebody who is logged in."""
        name, value = self.log_in(represents=represents)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url=ORIGIN,
            cookies={name: value, "datwat-language": language},
            headers={"Origin": ORIGIN},
            follow_redirects=True,
        )


def build_log_world(
    own: Sequence[AccessCard], other: Sequence[AccessCard] = (), *, url: str = ORIGIN
) -> LogWorld:
    """Return the portal at an address, on the log of who logs in and of whom they represent."""
    world = _build_portal(url)
    world.desk.logs = {OWN: list(own), OTHER: list(other)}
    world.desk.erased.clear()
    world.desk.asked.clear()
    world.desk.bundle = None
    return world


@lru_cache
def _build_portal(url: str) -> LogWorld:
    """Return a portal without a log: to read every template takes a second."""
    settings = PortalSettings.model_construct(
        name="Gemeente Rijnstad",
        url=url,
        issuer="http://idp.example",
        client_id="portal",
        theme="",
        exit_url="https://weather.example",
    )
    desk = StandIn({})
    site = build_site(settings)
    errors = ErrorPages(site)
    app = build_app(
        ApiInfo(title="portal", description="A portal of a test."),
        PortalApi(site, cast("ResidentDesk", desk), url).build_operations(),
        limits=Limits(max_body_bytes=100_000),
        build_refusal=errors.build_refusal,
    )
    app.router.routes.extend(build_routes(site, cast("ResidentDesk", desk)))
    errors.install(app)
    return LogWorld(app, site, desk)


_HIDDEN: Final = re.compile(r'<input type="hidden" name="(csrf|form_id|who)" value="([^"]*)">')


def read_form(html: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form that posts to a path."""
    begin = html.index(f'action="{action}"')
    return dict(_HIDDEN.findall(html[begin : html.index("</form>", begin)]))
