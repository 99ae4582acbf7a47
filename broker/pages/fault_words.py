"""What stands in the way of an officer's act, in the language of the page.

The sentences of faults and errors are made elsewhere, in English; those that an officer meets are
said here so that they have a translation. One that is not here is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Final, TypeVar

from broker.pages.officer import Officer
from broker.purposes.phrases_guards import REASONS
from datwat.party.errors import PartyError
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

ResultT = TypeVar("ResultT")
# By the code of an error: what it says on a page. Whatever is not here goes to the error page.
TOLD: Final[dict[str, str]] = {
    "draft_invalid": mark("The draft is not right yet. See what stands beside it."),
    "draft_outdated": mark(
        "The purpose was changed by somebody else since you began. Look at what changed, and begin "
        "again from what is in force."
    ),
    "drafts_full": mark("There are too many drafts. Drop some that nobody needs."),
    "proposals_full": mark(
        "As many proposals of yours wait as one person may have. Take some back first."
    ),
    "nothing_changed": mark("The draft says what is in force already. Change something first."),
    "effective_date_past": mark(
        "The day from which it is in force has passed. Choose a moment that is still to come when "
        "all approvals are there."
    ),
    "number_found": mark(
        "A text seems to hold a citizen service number. That may not come here: take it out."
    ),
    "guard_rail": mark("The draft tries to switch off a guard rail. That is never possible."),
    "checks_failed": mark("A case comes out otherwise than it says. Look at the cases first."),
    "replay_missing": mark("This draft has no replay as it is now. Replay the past first."),
    "sign_off_missing": mark(
        "The replay found decisions that would newly be allowed. Somebody must sign that off first."
    ),
    "proposal_stale": mark(
        "Something else was published since this was proposed. Propose it again, and look again."
    ),
    "proposal_over": mark("This proposal was taken back or published. Nothing is left to decide."),
    "own_proposal": mark("You wrote or proposed this yourself. Somebody else must approve it."),
    "approved_already": mark("You approved this before. Another approver is needed now."),
    "key_not_yours": mark("This is not the key that the register has for you."),
    "approval_invalid": mark("The signatures are not over what was proposed. Look at it again."),
    "passphrase_wrong": mark("This passphrase does not open your key."),
    "sealed_key_missing": mark(
        "Your key is not kept here. Sign on your own machine with datwat purpose approve."
    ),
    "too_many_tries": mark("Too many wrong passphrases. Wait a quarter of an hour."),
    "passphrase_busy": mark("Others are approving now. Try again in a few seconds."),
    "publication_unknown": mark("There is no earlier publication of this number."),
    "revision_unknown": mark("There is no such purpose."),
    "activation_refused": mark(
        "It was published, but could not be taken up. What was in force stays in force. The page "
        "System says why."
    ),
    "trial_refused": mark("This cannot be tried as it is. Look at the draft first."),
    "trial_failed": mark("The trial did not come to its end. Try it again."),
    "trial_busy": mark("Another trial runs now. Wait until it is done."),
    "replay_state": mark("The replay is in another state by now. Load the page again."),
    "replay_unknown": mark("This draft has no replay as it is now. Replay the past first."),
    "proposal_unknown": mark("There is no such proposal."),
}
# Sentences about one member, of `datwat/party/faults.py` and the models.
_FAULTS: Final = (
    mark("This member is missing: add it."),
    mark("A member here is unknown: take it out, or correct its name."),
    mark("Text is needed here, between quotes."),
    mark("A whole number is needed here, without quotes."),
    mark("A list is needed here, also for one item: put it between square brackets."),
    mark("An object is needed here: members between braces."),
    mark("The number must be 1 or more."),
    mark("The number must be 7400 or less."),
    mark("There are too few items: at least 1 are needed."),
    mark("The text is too short: at least 1 characters are needed."),
    mark("The text is too long: at most 200 characters are accepted."),
    mark("The text is too long: at most 2000 characters are accepted."),
    mark("Write text on one line, without control characters."),
    mark("Write text on one line that is not empty, without control characters."),
    mark(
        "Write a name in lower case: a letter first, then letters, digits and underscores, 64 "
        "characters at most."
    ),
    mark("Write the moment in UTC, in whole seconds, as 2026-01-31T12:00:00Z."),
    mark("There is no such moment: correct the date or the time."),
    mark("consent_by belongs to the modes explicit_consent and no_objection, and only there."),
    mark("A field stands there twice."),
    mark("valid_until is not after valid_from."),
    mark(
        "valid_from lies in the past: choose a moment that is still to come when all approvals "
        "are there."
    ),
    mark("Two edges have the same source, requester and product."),
    mark("A requester stands there twice."),
    mark("A purpose is a list of members such as `id:` and `title:`."),
    mark("check quotes, colons and indentation, here and in the line before."),
    mark("A text seems to hold a citizen service number, which may not come here: take it out."),
)
# How a purpose does not fit the rest: as `broker/purposes/consistency.py` says it of a file, and as
# the form says it.
_FITS: Final[dict[str, str]] = {
    "wat without any edge.": mark(
        "A question may go as far as data here, but nobody gives any. Add who gives what to whom, "
        "or choose a lower step."
    ),
    "wat without an edge.": mark(
        "This kind of help is shown up to its data, but nobody gives them. Add who gives what to "
        "whom, or choose a lower step."
    ),
    "may inquire where nothing is seen.": mark(
        "Somebody may ask who is involved, but no kind of help is shown. Show one, or let them not "
        "ask that."
    ),
    "holds up what rests on no occasion.": mark(
        "An objection can hold up nothing here, for no occasion is named. Name one, or let the "
        "question go on."
    ),
    "are not exactly those of the labels of the fields.": mark(
        "Name an article for each secret that guards a datum of this line, and for no other."
    ),
    "there is a revision that begins then or later: choose a later moment, or withdraw that one "
    "first.": mark(
        "There is a revision that begins then or later. Choose a later moment, or withdraw that "
        "one first."
    ),
}
_FITS_NAMED: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"(?P<name>\S+) is not known\."),
        mark("‘%(name)s’ is not known here. Choose from the list."),
    ),
    (
        re.compile(r"(?P<name>\S+) has no kind that is seen at wat\."),
        mark(
            "‘%(name)s’ gives data, but none of its kinds of help is shown up to its data. Show "
            "one, or take the line out."
        ),
    ),
)
_REASONS: Final = {english: dutch for dutch, english in REASONS.values()}
_NO_CASES: Final = mark(
    "A purpose needs cases: one at least that is permitted, and one that is refused. Write them at "
    "Try it out."
)
# What is wrong in the cases is told with its place, which the page says by itself.
_IN_CASES: Final = re.compile(r"The cases, line \d+, column \d+: (.+)")
_CASE_FAULTS: Final = (
    mark("These are cases of another purpose."),
    mark("There is no such base."),
    mark("There is no such act."),
)
# What of a case came out otherwise, and how many are not named: the page of the trial says both.
_MEMBER: Final = re.compile(r" \([a-z_]+\)(?: and \d+ more)?\.?(?=; |$)")
_PLACE: Final = re.compile(r"line (\d+), column (\d+)(?:, (.+))?")


def say_fault(visit: Visit[Officer], sentence: str) -> str:
    """Return a sentence about a member in the language of the page, where it has one."""
    if sentence in _REASONS:
        return _REASONS[sentence] if visit.speech.code == "nl" else sentence
    in_cases = _IN_CASES.fullmatch(sentence)
    if in_cases is not None:
        rest = visit.speech.gettext(in_cases.group(1))
        return visit.say(mark("In the cases: %(sentence)s"), sentence=rest)
    for pattern, told in _FITS_NAMED:
        found = pattern.fullmatch(sentence)
        if found is not None:
            return visit.say(told, **found.groupdict())
    return visit.speech.gettext(_FITS.get(sentence, sentence))


def say_place(visit: Visit[Officer], place: str) -> str:
    """Return a place in the text (`line 3, column 1, title`) in the language of the page."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return visit.say(mark("the text")) if place == "the text" else place
    line, column, member = found.groups()
    said = visit.say(mark("line %(line)s, column %(column)s"), line=line, column=column)
    return f"{said}, {member}" if member else said


def say_error(visit: Visit[Officer], error: PartyError) -> str:
    """Return what stands in the way, in the language of the page."""
    told = TOLD.get(error.code)
    if told is None:
        return error.detail
    if error.code == "checks_failed" and error.place == "cases":
        return visit.say(_NO_CASES)
    if error.code == "checks_failed":
        return f"{visit.say(told)} {_list_cases(error.detail)}".strip()
    return visit.say(told)


def _list_cases(detail: str) -> str:
    """Return which cases came out otherwise, each once: by the names that officers gave."""
    told = _MEMBER.sub("", detail.partition(": ")[2])
    names = (one.partition(": ")[2] or one for one in told.split("; ") if one)
    return "; ".join(f"‘{name}’" for name in dict.fromkeys(names))


async def attempt(
    form: Form, visit: Visit[Officer], name: str, act: Awaitable[ResultT]
) -> ResultT | None:
    """Return what an act gave, or note at field `name` why it was not done and return None.

    What a page can say nothing about goes on, and becomes a page of its own.
    """
    try:
        return await act
    except PartyError as error:
        if error.code not in TOLD:
            raise
        form.refuse(name, say_error(visit, error))
        return None
