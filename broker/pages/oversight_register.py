"""The register of processing activities and the fact sheet for a DPIA, as pages and as files.

Rule: both are made when they are shown, from the bundle and the trust list in force at that moment.
Source: AVG 30, 35; standards.md (`rvva`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.pages.oversight_figures import build_file
from broker.pages.oversight_port import OversightPort
from broker.pages.oversight_views import read_language
from broker.pages.register_names import RegisterNames
from broker.transparency.dpia import Section
from broker.transparency.oversight_words import Language
from broker.transparency.register_words import say_register
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/register"
_JSON: Final = "application/json"
_KIND: Final = "involvement: "


@dataclass(frozen=True)
class ActivityView:
    """One processing activity in its version that is in force, or will be."""

    title: str
    sentence: str
    is_active: bool
    is_open: bool
    facts: list[tuple[str, str]]
    fields: list[str]


@dataclass(frozen=True)
class SectionView:
    """Facts that belong together, named."""

    title: str
    facts: list[tuple[str, str]]


class Registers:
    """The pages of this room."""

    def __init__(self, desk: OfficerDesk) -> None:
        """Keep who may, and the service."""
        self._roles = desk.roles
        self._port: OversightPort = desk.oversight
        self._grounds = desk.grounds

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show the register."""
        await self._roles.require_role(visit, *READERS)
        found = self._port.service.read_register()
        parties = {one["id"]: one["name"] for one in found.entities}
        names = RegisterNames(await self._grounds.fetch(), read_language(visit))
        context = {
            "seq": found.bundle_seq,
            "list_seq": found.list_seq,
            "activities": [
                self._build_activity(visit, one, parties, names) for one in found.activities
            ],
        }
        return visit.render("oversight_register.html", context)

    async def download(self, visit: Visit[Officer]) -> Response:
        """Return the register as JSON by `rvva`."""
        await self._roles.require_role(visit, *READERS)
        return _build_json(visit, self._port.service.read_register().to_json(), "register.json")

    async def show_dpia(self, visit: Visit[Officer]) -> Response:
        """Show the facts for a DPIA."""
        await self._roles.require_role(visit, *READERS)
        found, language = self._port.service.read_dpia(), read_language(visit)
        names = RegisterNames(await self._grounds.fetch(), language)
        context = {
            "seq": found.bundle_seq,
            "list_seq": found.list_seq,
            "sections": [_build_section(one, language, names) for one in found.sections],
        }
        return visit.render("oversight_dpia.html", context)

    async def download_dpia(self, visit: Visit[Officer]) -> Response:
        """Return the facts as JSON."""
        await self._roles.require_role(visit, *READERS)
        return _build_json(visit, self._port.service.read_dpia().to_json(), "dpia.json")

    def _build_activity(
        self,
        visit: Visit[Officer],
        one: dict[str, Any],
        parties: dict[str, str],
        names: RegisterNames,
    ) -> ActivityView:
        language = read_language(visit)
        version = next(each for each in one["versions"] if each["version"] == one["latestVersion"])
        more = version.get("datwat", {})
        data = version["personalData"]
        days = data["retentionPeriod"].strip("PD")
        articles = [f"{each['law']} {each['article']}" for each in more.get("articles", ())]
        facts = [
            (visit.say(mark("Legal basis")), self._say_all(version["legalBasis"], language)),
            (visit.say(mark("Articles")), "; ".join(articles)),
            (visit.say(mark("Whose data")), self._say_all(version["dataSubjects"], language)),
            (visit.say(mark("Which data")), "; ".join(_list_data(version, names))),
            (visit.say(mark("Kept for (days)")), days),
            (
                visit.say(mark("Who may receive it")),
                "; ".join(parties.get(each["entityId"], "–") for each in version["recipients"]),
            ),
            (visit.say(mark("Number of the activity")), one["id"]),
        ]
        title = more.get("title", {}).get(language) or say_register(version["name"], language)
        return ActivityView(
            title=title,
            sentence=more.get("sentence", {}).get(language, ""),
            is_active=one["active"],
            is_open=more.get("legal_check") == "open",
            facts=[(name, value) for name, value in facts if value],
            fields=names.fields(more.get("fields", ())),
        )

    def _say_all(self, codes: list[str], language: Language) -> str:
        """Return codes of the register, of the bundle, or words as they are, in a line."""
        said = ((one, say_register(one, language)) for one in codes)
        return "; ".join(
            self._port.say(one, language) if text == one else text for one, text in said
        )


def _list_data(version: dict[str, Any], names: RegisterNames) -> list[str]:
    """Return which data a version may show or give: kinds of involvement, then the rest."""
    kinds = map(names.kind, version.get("datwat", {}).get("kinds", ()))
    rest = (one for one in version["personalData"]["categories"] if not one.startswith(_KIND))
    return [*kinds, *map(names.category, rest)]


def _build_section(section: Section, language: Language, names: RegisterNames) -> SectionView:
    return SectionView(
        title=say_register(f"section_{section.code}", language),
        facts=[
            (
                say_register(one.code, language),
                f"{one.count}: {'; '.join(names.fact(one))}" if one.words else str(one.count),
            )
            for one in section.facts
        ],
    )


def _build_json(visit: Visit[Officer], members: dict[str, Any], name: str) -> Response:
    content = orjson.dumps(members, option=orjson.OPT_INDENT_2)
    return build_file(visit, content, _JSON, name)


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this room."""
    one = Registers(desk)
    return (
        site.get(PATH, one.show),
        site.get(f"{PATH}/json", one.download),
        site.get(f"{PATH}/dpia", one.show_dpia),
        site.get(f"{PATH}/dpia/json", one.download_dpia),
    )
