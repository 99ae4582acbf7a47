"""A proposal: what it changes in words, the text that is signed, and the approval by a key.

Rules: nobody approves what they wrote; the signature covers the digest and the text as it stands on
the page; the passphrase is used at once and kept nowhere, also not while a session has ended.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.fault_words import attempt
from broker.pages.officer import READERS, Officer
from broker.pages.purposes import build_proposal, list_titles, show_changes
from broker.policy.shown import ProposalShown
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/proposals"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a field
_LONGEST: Final = 1_000


class _Proposals:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show a proposal as an approver reads it."""
        await self._desk.roles.require_role(visit, *READERS)
        return await self._show(visit, visit.new_form())

    async def approve(self, visit: Visit[Officer], form: Form) -> Response:
        """Sign a proposal with the approver's key, which the passphrase opens."""
        await self._desk.roles.require_role(visit, "approver")
        passphrase = form.value(PASSPHRASE)
        form.values = {name: held for name, held in form.values.items() if name != PASSPHRASE}
        if not passphrase or len(passphrase) > _LONGEST:
            form.refuse(PASSPHRASE, visit.say(mark("Type the passphrase of your key.")))
        if form.value("read") != "yes":
            form.refuse("read", visit.say(mark("Say that you read the text.")))
        if form.errors:
            return await self._show(visit, form)
        acting, number = visit.session.held.acting, visit.request.path_params["id"]
        signing = self._desk.authoring.approve_sealed(acting, number, passphrase)
        done = await attempt(form, visit, PASSPHRASE, signing)
        if done is None:
            return await self._show(visit, form)
        if done.published:
            notice = visit.say(mark("You signed. It is published now."))
        else:
            notice = visit.say(mark("You signed. Another approver is needed."))
        return visit.redirect(f"{PATH}/{number}", notice=notice)

    async def take_back(self, visit: Visit[Officer], form: Form) -> Response:
        """Take one's own proposal back."""
        await self._desk.roles.require_role(visit, "author")
        number = visit.request.path_params["id"]
        taking = self._desk.authoring.take_back(visit.session.held.acting, number)
        await attempt(form, visit, "all", taking)
        if form.errors:
            return await self._show(visit, form)
        return visit.redirect(
            f"{PATH}/{number}", notice=visit.say(mark("The proposal was taken back."))
        )

    async def _show(self, visit: Visit[Officer], form: Form) -> Response:
        shown = await asyncio.to_thread(
            self._desk.authoring.show_proposal,
            visit.session.held.acting,
            visit.request.path_params["id"],
            visit.speech.code,
        )
        titles = list_titles(await self._desk.grounds.fetch(), visit)
        context = {
            "form": form,
            "proposal": build_proposal(shown.line, visit, titles),
            "path": f"{PATH}/{shown.line.id}",
            "text": shown.text.splitlines(),
            "changes": show_changes(shown.changes, titles),
            "stale": show_changes(shown.stale_changes, titles),
            "reason": shown.reason or "",
            "approvals": [(one.organisation, one.at, one.counts) for one in shown.approvals],
            "digest": shown.line.digest or shown.bundle_digest,
            "draft": shown.draft_id or "",
            **_list_rights(visit, shown),
        }
        if form.errors:
            return visit.render_refused("proposal.html", context)
        return visit.render("proposal.html", context)


def _list_rights(visit: Visit[Officer], shown: ProposalShown) -> dict[str, bool]:
    """Return what who looks may do with it."""
    officer = visit.session.held
    is_open = shown.line.state in ("proposed", "stale")
    return {
        "is_mine": shown.is_mine,
        "is_open": is_open,
        "is_approver": officer.has("approver"),
        "may_approve": shown.may_approve and officer.has("approver"),
        "has_key": shown.has_sealed_key,
        "may_take_back": shown.is_mine and is_open and officer.has("author"),
    }


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Proposals(desk)
    return (
        site.get(f"{PATH}/{{id}}", screen.show),
        site.post(f"{PATH}/{{id}}", screen.approve),
        site.post(f"{PATH}/{{id}}/take-back", screen.take_back),
    )
