"""The files for a program: all of one's own data (AVG 15), and the family's own copy.

Rules: a version, a schema beside the docs (`docs/reference/own-data.schema.json`), and in the file
itself, in words, what it holds and what not; nothing that only the party needs (handles, request
ids). Proofs are in the file of the proof, and an entry is found there by its number.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import TypeAdapter

from connectors.portal.pages.paper.gathering import Affairs
from datwat.protocol.access_log import AccessCard, CardContents, Sentence
from datwat.protocol.own_affairs import (
    OwnBlock,
    OwnConsent,
    OwnInvolvement,
    OwnInvolvements,
    OwnObjection,
    OwnQuestion,
    OwnShield,
    PastInvolvement,
)
from datwat.protocol.values import Moment, ShortText, Value

VERSION: Final = 1
Eyes = Literal["self", "representative"]
HOLDS: Final = Sentence(
    nl=(
        "Dit bestand bevat: elke vraag en elke handeling in uw overzicht die u nu kunt zien; wie "
        "er bij u betrokken is of was; en wat u zelf vastlegde."
    ),
    en=(
        "This file holds: each question and each act in your log that you can see now; who is or "
        "was involved with you; and what you recorded yourself."
    ),
)
LACKS: Final = Sentence(
    nl=(
        "Niet in dit bestand: de inhoud van uw dossiers (vraag die bij de organisatie zelf), wat "
        "buiten deze weg om is gedeeld, en wat al is vernietigd. Sommige regels kunnen later "
        "komen; dat geldt voor iedereen. Het bewijs staat in een ander bestand."
    ),
    en=(
        "Not in this file: the contents of your records (ask the organisation itself), what was "
        "shared by other ways than this one, and what was destroyed already. Some entries may come "
        "later; that holds for everybody. The proof is in another file."
    ),
)


class Maker(Value):
    """Who made the file: the organisation of the portal."""

    name: ShortText


class Entry(CardContents):
    """One question or act; `AccessCard` without its proofs and the id of its message."""


class Log(Value):
    """The entries, newest first; `checkpoint` is the signed state of the log they were read at."""

    checkpoint: str
    is_whole: bool
    entries: tuple[Entry, ...]


class Involvements(Value):
    """Who is involved now and who was; `is_whole`: no older entry was left."""

    as_of: Moment
    now: tuple[OwnInvolvement, ...]
    past: tuple[PastInvolvement, ...]
    is_whole: bool


class Wishes(Value):
    """What the person recorded: each newest first."""

    as_of: Moment
    consents: tuple[OwnConsent, ...]
    objections: tuple[OwnObjection, ...]
    questions: tuple[OwnQuestion, ...]
    blocks: tuple[OwnBlock, ...]
    shield: OwnShield | None


class OwnData(Value):
    """All that a person may have of themselves here (AVG 15(3), 20), as seen with these eyes."""

    v: Literal[1]
    type: Literal["own_data"]
    made_at: Moment
    made_by: Maker
    eyes: Eyes
    holds: Sentence
    lacks: Sentence
    log: Log
    involvements: Involvements
    wishes: Wishes


class FamilyCopy(Value):
    """What a family keeps for itself: who helps and helped, and what it writes beside that.

    `for_whom`, `agreed` and `remarks` were typed for this file and are stored nowhere else.
    """

    v: Literal[1]
    type: Literal["family_copy"]
    made_at: Moment
    made_by: Maker
    eyes: Eyes
    for_whom: str
    agreed: str
    remarks: str
    involvements: Involvements


def build_own_data(affairs: Affairs, *, made_by: Maker, eyes: Eyes, made_at: Moment) -> OwnData:
    """Return the file of one person."""
    wishes = affairs.wishes
    return OwnData(
        v=VERSION,
        type="own_data",
        made_at=made_at,
        made_by=made_by,
        eyes=eyes,
        holds=HOLDS,
        lacks=LACKS,
        log=Log(
            checkpoint=affairs.log.checkpoint,
            is_whole=affairs.log.is_whole,
            entries=tuple(build_entry(card) for card in affairs.log.cards),
        ),
        involvements=build_involvements(affairs.involvements),
        wishes=Wishes(
            as_of=wishes.as_of,
            consents=wishes.consents,
            objections=wishes.objections,
            questions=wishes.questions,
            blocks=wishes.blocks,
            shield=wishes.shield,
        ),
    )


def encode_own_data(affairs: Affairs, *, made_by: Maker, eyes: Eyes, made_at: Moment) -> bytes:
    """Return the file of one person as it is sent."""
    return encode_file(build_own_data(affairs, made_by=made_by, eyes=eyes, made_at=made_at))


def encode_file(model: OwnData | FamilyCopy) -> bytes:
    """Return a file as it is sent: JSON in UTF-8, indented, so that people can read it too."""
    return model.model_dump_json(indent=2).encode()


def build_entry(card: AccessCard) -> Entry:
    """Return what a card says, without its proofs."""
    return Entry(**{name: getattr(card, name) for name in Entry.model_fields})


def build_involvements(found: OwnInvolvements) -> Involvements:
    """Return who is and was involved."""
    return Involvements(as_of=found.as_of, now=found.now, past=found.past, is_whole=found.is_whole)


def build_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of both files."""
    both: TypeAdapter[OwnData | FamilyCopy] = TypeAdapter(OwnData | FamilyCopy)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a resident takes home",
        **both.json_schema(mode="serialization"),
    }
