"""The purposes: a list with what waits around it, and one purpose in plain sentences."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup, escape
from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.fault_words import attempt
from broker.pages.life_words import EFFECTS, PROPOSAL_STATES, REVISION_STATES
from broker.pages.officer import READERS, Officer
from broker.policy.asked import WithdrawalAsked
from broker.policy.draft_reading import Ground
from broker.policy.shown import DraftLine, HistoryLine, ProposalLine, PurposeLine
from broker.purposes.life_errors import RevisionUnknownError
from broker.purposes.models import Purpose
from broker.purposes.naming import choose
from broker.purposes.sentences import Sentence, write_sentences
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/purposes"
_FIELD: Final = re.compile(r"\*([a-z0-9_.]+)\*")
_NEW: Final = mark("A new purpose: %(name)s")


@dataclass(frozen=True)
class PurposeView:
    """A purpose in a list."""

    path: str
    title: str
    owner: str
    kind: str
    state: str
    upcoming: tuple[datetime, ...]
    is_unchecked: bool


@dataclass(frozen=True)
class ProposalView:
    """A proposal in a list."""

    path: str
    what: str
    kind: str
    state: str
    valid_from: datetime | None
    approvals: int
    needed: int
    at: datetime


@dataclass(frozen=True)
class DraftView:
    """A draft in a list."""

    path: str
    purpose: str
    is_outdated: bool
    changed_at: datetime


@dataclass(frozen=True)
class HistoryView:
    """A publication, as a line of a history."""

    seq: int
    at: datetime
    what: str
    kind: str
    state: str
    changes: tuple[Markup, ...]
    reason: str
    signatures: int
    is_in_force: bool


class _Purposes:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def list(self, visit: Visit[Officer]) -> Response:
        """Show all purposes, and what waits around them."""
        await self._desk.roles.require_role(visit, *READERS)
        acting, life = visit.session.held.acting, self._desk.authoring
        purposes = await asyncio.to_thread(life.list_purposes, visit.speech.code)
        proposals = await asyncio.to_thread(life.list_proposals)
        drafts = await asyncio.to_thread(life.list_drafts, acting)
        waiting = [one for one in proposals if one.state in ("proposed", "stale")]
        titles = {one.id: one.title for one in purposes}
        context = {
            "purposes": [build_purpose(one, visit) for one in purposes],
            "proposals": [build_proposal(one, visit, titles) for one in waiting],
            "drafts": [build_draft(one, visit, titles) for one in drafts if one.is_mine],
            "is_author": visit.session.held.has("author"),
        }
        return visit.render("purposes.html", context)

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show one purpose: its sentences, what comes, and its history."""
        await self._desk.roles.require_role(visit, *READERS)
        return await self._show(visit, visit.new_form())

    async def withdraw(self, visit: Visit[Officer], form: Form) -> Response:
        """Propose that a purpose ends, with a reason."""
        await self._desk.roles.require_role(visit, "author")
        name = visit.request.path_params["id"]
        reason = form.text(
            "reason",
            most=200,
            missing=visit.say(mark("Write why this purpose ends.")),
            too_long=visit.say(mark("Make the reason shorter: at most 200 signs.")),
        )
        if form.errors:
            return await self._show(visit, form)
        asked = WithdrawalAsked(purpose=name, digest=None, reason=reason)
        proposing = self._desk.authoring.propose_withdrawal(visit.session.held.acting, asked)
        proposal = await attempt(form, visit, "reason", proposing)
        if proposal is None:
            return await self._show(visit, form)
        return visit.redirect(
            f"/proposals/{proposal.line.id}",
            notice=visit.say(mark("The withdrawal waits for your colleagues.")),
        )

    async def _show(self, visit: Visit[Officer], form: Form) -> Response:
        name, code = visit.request.path_params["id"], visit.speech.code
        ground = await self._desk.grounds.fetch()
        revisions = ground.catalogue.purposes.get(name)
        if not revisions:
            raise RevisionUnknownError
        now = visit.now
        shown = ground.catalogue.find_revision(name, now) or revisions[-1]
        sentences = await asyncio.to_thread(
            write_sentences, shown, ground.catalogue, ground.texts, code
        )
        history = await asyncio.to_thread(self._desk.authoring.history, name, code)
        context = {
            "form": form,
            "id": name,
            "title": choose(shown.title, code),
            "sentence": choose(shown.sentence, code),
            "is_in_force": shown.valid_from <= now,
            "valid_from": shown.valid_from,
            "valid_until": shown.valid_until,
            "sentences": list_sentences(sentences),
            # The articles stand there as links already.
            "laws": [
                one.text for one in sentences if one.part == "law" and one.phrase != "article"
            ],
            "articles": list_articles(shown),
            "upcoming": [one.valid_from for one in revisions if one.valid_from > now],
            "history": [build_history(one, visit, list_titles(ground, visit)) for one in history],
            "is_author": visit.session.held.has("author"),
        }
        if form.errors:
            return visit.render_refused("purpose.html", context)
        return visit.render("purpose.html", context)


def show_changes(lines: Iterable[str], titles: Mapping[str, str]) -> tuple[Markup, ...]:
    """Return lines about changes: a purpose by its title, and the field that one is about marked.

    What is signed says its id and `*field*`, for nothing else is sure to be one thing only.
    """
    return tuple(
        Markup(_FIELD.sub(r"<em>\1</em>", str(escape(_say_purpose(line, titles)))))  # noqa: S704 - escaped
        for line in lines
    )


def _say_purpose(line: str, titles: Mapping[str, str]) -> str:
    name, between, rest = line.partition(": ")
    return f"{titles[name]}: {rest}" if between and name in titles else line


def list_articles(purpose: Purpose) -> list[tuple[str, str]]:
    """Return the articles of a purpose, each with the page of its law."""
    return [(f"{one.law} {one.article}", one.link) for one in purpose.articles]


def list_sentences(sentences: tuple[Sentence, ...]) -> list[tuple[str, str]]:
    """Return what is weighed, each sentence with its number; a reason has none."""
    return [(one.number or "", one.text) for one in sentences if one.part in ("rule", "reason")]


def build_purpose(line: PurposeLine, visit: Visit[Officer]) -> PurposeView:
    """Return a purpose as it stands in a list."""
    kind, word = REVISION_STATES[line.state]
    return PurposeView(
        path=f"{PATH}/{line.id}",
        title=line.title,
        owner=line.owner,
        kind=kind,
        state=visit.say(word),
        upcoming=line.upcoming,
        is_unchecked=line.legal_check == "open",
    )


def build_proposal(
    line: ProposalLine, visit: Visit[Officer], titles: Mapping[str, str]
) -> ProposalView:
    """Return a proposal as it stands in a list; `titles` by id of a purpose."""
    kind, word = PROPOSAL_STATES[line.state]
    return ProposalView(
        path=f"/proposals/{line.id}",
        what=describe_proposal(line, visit, titles),
        kind=kind,
        state=visit.say(word),
        valid_from=line.valid_from,
        approvals=line.approvals,
        needed=line.needed,
        at=line.at,
    )


def build_draft(line: DraftLine, visit: Visit[Officer], titles: Mapping[str, str]) -> DraftView:
    """Return a draft as it stands in a list; `titles` by id of a purpose."""
    return DraftView(
        path=f"/drafts/{line.id}",
        purpose=name_draft(line, visit, titles),
        is_outdated=line.is_outdated,
        changed_at=line.changed_at,
    )


def build_history(
    line: HistoryLine, visit: Visit[Officer], titles: Mapping[str, str]
) -> HistoryView:
    """Return a publication as a line of a history; `titles` by id of a purpose."""
    kind, word = REVISION_STATES[line.state] if line.state else ("info", "")
    return HistoryView(
        seq=line.seq,
        at=line.at,
        what=describe_effect(visit, line.effect, find_title(titles, line.purpose)),
        kind=kind,
        state=visit.say(word) if word else "",
        changes=show_changes(line.changes, titles),
        reason=line.reason or "",
        signatures=len(line.kids),
        is_in_force=line.is_in_force,
    )


def list_titles(ground: Ground, visit: Visit[Officer]) -> dict[str, str]:
    """Return what each purpose is called, by its id."""
    newest = ground.catalogue.list_newest()
    return {one.id: choose(one.title, visit.speech.code) for one in newest}


def find_title(titles: Mapping[str, str], purpose: str | None) -> str:
    """Return what a purpose is called; one that is not in force by its id, none by nothing."""
    return titles.get(purpose, purpose) if purpose is not None else ""


def name_draft(line: DraftLine, visit: Visit[Officer], titles: Mapping[str, str]) -> str:
    """Return what the purpose of a draft is called; a new one has no other name than its id."""
    if line.purpose is None:
        return visit.say(mark("A new purpose"))
    return titles.get(line.purpose) or visit.say(_NEW, name=line.purpose)


def describe_proposal(line: ProposalLine, visit: Visit[Officer], titles: Mapping[str, str]) -> str:
    """Return what a proposal does, in a few words."""
    if line.effect == "revise" and line.purpose is not None and line.purpose not in titles:
        return visit.say(_NEW, name=line.purpose)
    return describe_effect(visit, line.effect, find_title(titles, line.purpose))


def describe_effect(visit: Visit[Officer], effect: str | None, purpose: str | None) -> str:
    """Return what a proposal or publication does, in a few words."""
    word = next((text for name, text in EFFECTS.items() if name == effect), "")
    if not word:
        return visit.say(mark("Signed as a file"))
    return f"{visit.say(word)}: {purpose}" if purpose else visit.say(word)


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Purposes(desk)
    return (
        site.get(PATH, screen.list),
        site.get(f"{PATH}/{{id}}", screen.show),
        site.post(f"{PATH}/{{id}}", screen.withdraw),
    )
