"""Prints the story of a case: who asks what, in whose name, what comes out, and why.

Rule: written for somebody who knows nothing of the project; meaning never by colour alone; what a
resident reads is printed in the words that they read (Dutch), with the English in the story around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from connectors.client.results import ActResult, InquiryResult, ReleaseResult
from datwat.protocol.access_log import AccessCard
from datwat.protocol.answers import Weighing
from datwat.protocol.messages import BLADES
from demo.checking import find_opening
from demo.events import Acting, AskKnown, Compare, Look, OfficerActs, OpenSituation, Withdraw
from demo.model import Case, PartnerDeclared
from demo.officers import OFFICERS
from demo.steps import LogStep, Step

# Each blade of the juridisch Zwitsers zakmes: its names, and the question that it asks.
_BLADES = {
    "purpose": ("purpose (doelbinding)", "what is it for, in this situation?"),
    "subsidiarity": ("subsidiarity (subsidiariteit)", "can it be done with less?"),
    "proportionality": (
        "proportionality (proportionaliteit)",
        "is it no more than fits the concern?",
    ),
    "efficiency": ("efficiency (doelmatigheid)", "is this the most suitable way?"),
    "transparency": ("transparency (transparantie)", "does the resident know?"),
}
_SIGNS = {
    "[green]●[/green]": "permitted; in a log: written down, and not a refusal",
    "[red]□[/red]": "refused, with the reason and with what is possible instead",
    "DAT": "that an organisation is involved, and whom to call; nothing about why",
    "WAT": "what is known: the fields that were asked for and are needed",
}
_OFFERED = {
    "talk_first": "speak with the resident first",
    "consult_anonymously": "consult a colleague without a name",
    "request_contact": "ask to be called (relayed; reveals nothing)",
    "later": "ask later",
}


class Story:
    """Prints cases as they are played."""

    def __init__(
        self,
        console: Console,
        partners: Mapping[str, PartnerDeclared],
        texts: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Keep where to print, and the texts of codes by language."""
        self._console = console
        self._partners = partners
        self._texts = texts
        self._case: Case | None = None
        self._is_first_log = True

    def explain(self) -> None:
        """Print what the signs and words mean, once."""
        legend = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for sign, meaning in _SIGNS.items():
            legend.add_row(sign, meaning)
        blades = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, question in _BLADES.values():
            blades.add_row(name, question)
        between = "\nBefore anything is given, every question is held against five blades:"
        last = "\nWhat a resident reads in their log is shown in their own words, in Dutch."
        body = Group(legend, between, blades, last)
        title = "[bold]How to read this[/bold]"
        self._console.print()
        self._console.print(Panel(body, title=title, title_align="left"))

    def begin(self, case: Case) -> None:
        """Print what a case is about, and who is in it."""
        self._case, self._is_first_log = case, True
        people = ", ".join(
            f"{one.called} {one.family_name} ({key})" for key, one in case.people.items()
        )
        body = f"{escape(case.story)}\n\n[bold]People:[/bold] {escape(people)}"
        title = f"[bold]Case {case.number}  {escape(case.title)}[/bold]"
        self._console.print()
        self._console.print(Panel(body, title=title, title_align="left"))

    def show(self, step: Step | LogStep) -> None:
        """Print one step, or one resident's log."""
        if isinstance(step, LogStep):
            self._show_log(step)
        else:
            self._show_step(step)
        for difference in step.differences:
            self._console.print(f"   [bold red]NOT AS EXPECTED[/bold red] {escape(difference)}")

    def end(self, case: Case, differences: Sequence[str]) -> None:
        """Print what the case shows, and whether everything came out."""
        self._console.print()
        self._print(f"[italic]{escape(case.lesson)}[/italic]", 1)
        verdict = (
            "[green]✔ everything came out as the case says[/green]"
            if not differences
            else f"[bold red]✘ {len(differences)} differences[/bold red]"
        )
        self._print(verdict, 1)

    def _show_step(self, step: Step) -> None:
        event = step.event
        self._console.print()
        self._print(f"[bold]▸ {escape(self._find_actor(step))}[/bold] {escape(event.say)}", 1)
        if isinstance(event, AskKnown):
            asked = ", ".join(event.fields)
            source = self._partners[event.source].name
            self._print(f"asks {escape(source)}: {escape(asked)}", 3)
        for fact in step.facts:
            self._print(escape(fact), 3)
        for key, result in step.results.items():
            self._show_result(key, result)
        if step.log is not None:
            count, proofs = len(step.log.cards), step.log.proofs
            same = " [green]✔ exactly the same[/green]" if not step.differences else ""
            same = same if getattr(event, "same_as", None) else ""
            self._print(f"entries: {count}; proofs that hold: {proofs}.{same}", 3)
        if isinstance(event, Compare):
            self._show_compared(event, step.compared)

    def _find_actor(self, step: Step) -> str:
        event = step.event
        match event:
            case Look() | Withdraw():
                who = event.through if isinstance(event, Look) and event.through else event.who
                return f"{self._name(who)} ({who}, at the portal):"
            case OpenSituation():
                return f"{event.by} ({event.role}):"
            case OfficerActs():
                return f"{event.by} ({OFFICERS[event.by][0].replace('_', ' ')} at the broker):"
            case Acting() if self._case is not None:
                worker = self._case.professionals[event.by]
                return f"{event.by} ({worker.role}, {self._partners[worker.partner].name}):"
        return "Then:"

    def _show_result(self, key: str, result: ActResult | InquiryResult | ReleaseResult) -> None:
        word = "[green]● permitted[/green]" if result.weighing.permitted else "[red]□ refused[/red]"
        where = f" [dim](entry {result.entry.index} of the log)[/dim]" if result.entry else ""
        self._print(f"{escape(key)}: {word}{where}", 3)
        match result:
            case InquiryResult():
                self._show_pointers(result)
            case ReleaseResult():
                self._show_release(result)
            case ActResult() if result.introduction is not None:
                self._print("a code was given that works once, within seven days", 5)
        if not result.weighing.permitted:
            self._show_refusal(result.weighing)

    def _show_pointers(self, result: InquiryResult) -> None:
        for pointer in result.pointers:
            if pointer.source_name is None:
                reach = pointer.contact.phone or pointer.contact.role
                self._print(f"somebody in {pointer.domain}; {escape(reach)}, no more than that", 5)
                continue
            reach = ", ".join(filter(None, (pointer.contact.role, pointer.contact.phone)))
            self._print(f"DAT: {escape(pointer.source_name)} is involved; {escape(reach)}", 5)
        if result.weighing.permitted:
            scope = result.scope
            found = "" if result.pointers else "nobody. "
            self._print(
                f"{found}Asked: {scope.partners_asked} partners in "
                f"{escape(', '.join(scope.domains))}; "
                f"not visible for this purpose: {len(scope.cannot_see)} kinds of help",
                5,
            )

    def _show_release(self, result: ReleaseResult) -> None:
        for name, value in (result.values or {}).items():
            self._print(f"WAT: {escape(name)} = {escape(str(value))}", 5)
        if result.failure is not None:
            self._print(f"nothing came: {escape(self._say(result.failure))}", 5)
        if result.weighing.permitted:
            for one in result.withheld:
                self._print(f"withheld: {escape(one.field)}: {escape(self._say(one.code))}", 5)
        if result.values is not None and result.legal_basis is not None:
            basis = result.legal_basis
            self._print(
                f"[dim]may give: {escape(basis.giver_article)}; "
                f"may take: {escape(basis.taker_article)} ({basis.mode})[/dim]",
                5,
            )

    def _show_refusal(self, weighing: Weighing) -> None:
        for one in weighing.findings:
            if not one.satisfied:
                self._print(f"because: {escape(self._say(one.code, one.params))}", 5)
        offered = [_OFFERED[one] for one in weighing.alternatives if one in _OFFERED]
        if offered:
            self._print(f"instead: {escape('; '.join(offered))}", 5)

    def _show_compared(self, event: Compare, results: Sequence[ReleaseResult]) -> None:
        table = Table(box=None, padding=(0, 2))
        table.add_column("blade")
        for name in event.steps:
            table.add_column(name)
        for blade in BLADES:
            cells = [self._describe_blade(result.weighing, blade) for result in results]
            table.add_row(_BLADES[blade][0], *(escape(cell) for cell in cells))
        self._console.print(Padding(table, (0, 0, 0, 3)))

    def _show_log(self, step: LogStep) -> None:
        if self._is_first_log:
            self._console.print()
            self._print("[bold]What each resident reads, and can prove[/bold]", 1)
            self._is_first_log = False
        who = self._name(step.expected.who)
        through = step.expected.through
        eyes = f", as seen by {self._name(through)}" if through else ""
        lines = [self._describe_card(card) for card in step.log.cards]
        lines = lines or ["[dim]Er is niets over u vastgelegd.[/dim]"]
        proof = (
            f"[green]✔ bewijs gecontroleerd: alles staat in het logboek ({step.log.proofs})[/green]"
            if step.log.proofs
            else ""
        )
        body = Group(*lines, *([proof] if proof else []))
        title = f"{escape(who)}: Wie vroeg om mijn gegevens?{escape(eyes)}"
        self._console.print(Padding(Panel(body, title=title, title_align="left"), (0, 0, 0, 1)))

    def _describe_card(self, card: AccessCard) -> str:
        sign = "□" if card.permitted is False else "●"
        parts = [f"{sign} {card.at:%d-%m %H:%M}  {escape(card.summary.nl)}"]
        if card.told_later_at is not None:
            parts.append(f"     {escape(self._describe_opening(card))}")
        parts += [f"     getoond: {escape(one.source_name)}" for one in card.pointers]
        if card.fields_given:
            parts.append(f"     gedeeld: {escape(', '.join(card.fields_given))}")
        if card.permitted:
            parts += [
                f"     niet gedeeld: {escape(one.field)}. {escape(one.text.nl)}"
                for one in card.withheld
            ]
        else:
            unmet = [one.text.nl for one in card.findings if not one.satisfied]
            parts += [f"     niet voldaan: {escape(text)}" for text in unmet]
        return "\n".join(parts)

    def _describe_opening(self, card: AccessCard) -> str:
        opening = find_opening(card)
        since = f"U ziet dit pas sinds {card.told_later_at:%d-%m %H:%M}"
        if opening is None:
            return f"{since}."
        ground = self._texts["nl"].get(opening.ground, opening.ground)
        return f"{since}. Reden: {ground}. Besloten door: {opening.role}."

    def _name(self, key: str) -> str:
        if self._case is None:
            return key
        person = self._case.people[key]
        return f"{person.called} {person.family_name}"

    def _say(self, code: str, params: Mapping[str, object] | None = None) -> str:
        """Return the English text of a code, its gaps filled with the texts of its parameters."""
        texts = self._texts["en"]
        text = texts.get(code, code)
        for name, value in (params or {}).items():
            text = text.replace(f"{{{name}}}", texts.get(str(value), str(value)))
        return text

    def _describe_blade(self, weighing: Weighing, blade: str) -> str:
        found = [one for one in weighing.findings if one.blade == blade]
        unmet = [self._say(one.code, one.params) for one in found if not one.satisfied]
        return "\n".join(f"□ {text}" for text in unmet) or "● met"

    def _print(self, text: str, indent: int) -> None:
        self._console.print(Padding(text, (0, 0, 0, indent)))
