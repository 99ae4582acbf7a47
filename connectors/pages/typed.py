"""What somebody types, read with care: persons, conversations, records; nothing is sent.

Rule: what does not fit is said beside its field, and a BSN is never shown again.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.client.identity import require_bsn
from connectors.client.own_text import TYPED
from connectors.client.requests import BsnRecord
from connectors.errors import ClientNumberError, IdentityMismatchError
from connectors.pages.desk import StaffDesk
from connectors.pages.moments import build_past, read_date
from connectors.pages.question import Person
from connectors.pages.staff import Staff
from datwat.protocol.acts import Conversation
from datwat.protocol.blinding import BsnError
from datwat.protocol.free_text import has_number
from datwat.protocol.values import PLAIN_TEXT_PATTERN
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

REACTIONS: Final = ("agrees", "objects", "none")
LONGEST: Final = 200
LONGEST_TEXT: Final = 2_000
_PLAIN: Final = re.compile(PLAIN_TEXT_PATTERN)
MISMATCH = mark("Name or date of birth differ from the record. Nothing was sent. Check who it is.")
_BSN_AS_NUMBER = mark(
    "Your own number of this person is the BSN. Use one that your organisation gave them."
)


async def read_person(form: Form, visit: Visit[Staff], desk: StaffDesk) -> Person | None:
    """Return who was filled in, or None and note what is wrong; nothing is sent."""
    missing = visit.say(mark("Write your own number of this person."))
    number = read_line(form, visit, "number", missing)
    name = read_line(form, visit, "name", visit.say(mark("Write the family name.")))
    born = read_date(form, "born", visit, is_past=True)
    if form.errors or born is None:
        return None
    try:
        return await desk.identify(number, name, born)
    except IdentityMismatchError:
        form.refuse("name", visit.say(MISMATCH))
    except ClientNumberError:
        form.refuse("number", visit.say(_BSN_AS_NUMBER))
    return None


def read_conversation(form: Form, visit: Visit[Staff]) -> Conversation | None:
    """Return what was filled in of a conversation, or None and note what is wrong."""
    day = read_date(form, "when", visit, is_past=True)
    told = read_text(form, visit, "what", visit.say(mark("Write what you told.")))
    missing = visit.say(mark("Write what else would be possible."))
    other = read_text(form, visit, "alternatives", missing)
    missing = visit.say(mark("Choose how the person reacted."))
    reaction = form.choice("reaction", REACTIONS, missing=missing)
    if form.errors or day is None:
        return None
    return Conversation.model_validate(
        {
            "at": build_past(day, visit.now),
            "told": told,
            "alternatives": other,
            "reaction": reaction,
        }
    )


def read_line(form: Form, visit: Visit[Staff], name: str, missing: str) -> str:
    """Return a line as it may go out, or note what is wrong with it."""
    long = visit.say(mark("Use 200 signs at most."))
    typed = form.text(name, most=LONGEST, missing=missing, too_long=long)
    line = _require_plain(form, visit, name, " ".join(typed.split()))
    # A number of one's own or of a telephone is a number.
    return _require_no_number(form, visit, name, line) if name in TYPED else line


def read_text(form: Form, visit: Visit[Staff], name: str, missing: str) -> str:
    """Return a text of several lines as one, as it may go out, or note what is wrong with it."""
    long = visit.say(mark("Make it shorter: 2000 signs at most."))
    typed = form.text(name, most=LONGEST_TEXT, missing=missing, too_long=long)
    line = _require_plain(form, visit, name, " ".join(typed.split()))
    return _require_no_number(form, visit, name, line)


def _require_plain(form: Form, visit: Visit[Staff], name: str, typed: str) -> str:
    """Note a sign that no message takes, such as one that turns the direction of writing."""
    if not _PLAIN.fullmatch(typed):
        sentence = mark("There is a sign in this that cannot be sent. Type the text again.")
        form.refuse(name, visit.say(sentence))
    return typed


def _require_no_number(form: Form, visit: Visit[Staff], name: str, typed: str) -> str:
    """Note a BSN in a text: it would go out with the text."""
    if has_number(typed):
        form.refuse(name, visit.say(mark("Leave the BSN out of this text. It is not needed.")))
    return typed


def read_record(form: Form, visit: Visit[Staff], number: str) -> BsnRecord | None:
    """Return the record of the client `number`, or None and note what is wrong; repeats nothing."""
    missing = visit.say(mark("Write the BSN: eight or nine digits."))
    typed = form.text("bsn", most=16, missing=missing, too_long=missing)
    name = read_line(form, visit, "name", visit.say(mark("Write the family name.")))
    born = read_date(form, "born", visit, is_past=True)
    if "bsn" not in form.errors:
        try:
            typed = require_bsn(number, typed)
        except BsnError:
            form.refuse("bsn", visit.say(mark("This is no BSN: check the digits.")))
        except ClientNumberError:
            form.refuse("bsn", visit.say(_BSN_AS_NUMBER))
    if form.errors or born is None:
        return None
    return BsnRecord(bsn=typed, family_name=name, birth_date=born)
