"""What a card says of a resident's own wish, and of an officer's answer: Dutch (B1), English. Pure.

Rule: those of `card_sentences.py`. Source: AVG 7(3), 12(3)-(4), 17, 18, 21; UAVG 34-35; Awb 6:7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Pair = tuple[str, str]

_NOTHING: Final = "-"
# By the member of the detail that says which wish it is; the first that is there is told.
_WISHES: Final[Mapping[str, Pair]] = {
    "blocks": (
        "U heeft via {who} gezegd dat deze organisatie niet mag kijken: {blocked}.",
        "You said through {who} that this organisation may not look: {blocked}.",
    ),
    "question": (
        "U heeft via {who} een vraag gesteld: {question}",
        "You asked a question through {who}: {question}",
    ),
    "shields": (
        "U heeft via {who} gevraagd om uw adres af te schermen. Dat is gedaan.",
        "You asked through {who} that your address be shielded. That was done.",
    ),
    "lifts": (
        "U heeft via {who} teruggenomen wat u zei in regel {number} van dit overzicht.",
        "You took back through {who} what you said in entry {number} of this log.",
    ),
    "withdraws": (
        "U heeft via {who} de toestemming van regel {number} van dit overzicht ingetrokken.",
        "You withdrew through {who} the consent of entry {number} of this log.",
    ),
    "consent": (
        "U heeft via {who} toestemming gegeven.",
        "You gave consent through {who}.",
    ),
    "objection_id": (
        "U heeft via {who} bezwaar gemaakt.",
        "You objected through {who}.",
    ),
}
_AT_DESK: Final[Pair] = (
    "U was aan de balie van {who}.",
    "You were at the desk of {who}.",
)
_HELPED: Final[Pair] = (
    " Twee medewerkers hielpen u daar: {helpers}. Zij zagen uw identiteitsbewijs.",
    " Two employees helped you there: {helpers}. They saw your identity document.",
)
_COPY: Final[Pair] = (
    " U kreeg een afdruk van dit overzicht mee.",
    " You were given a print of this log.",
)
_ANSWERED: Final[Pair] = (
    "Uw vraag van regel {number} van dit overzicht is beantwoord: {answer}",
    "Your question of entry {number} of this log was answered: {answer}",
)
_DECIDED: Final[Mapping[str, Pair]] = {
    "upheld": (
        "Uw bezwaar van regel {number} van dit overzicht klopt en blijft gelden: {answer}",
        "Your objection of entry {number} of this log is right and goes on to count: {answer}",
    ),
    "rejected": (
        "Uw bezwaar van regel {number} van dit overzicht is afgewezen: {answer}",
        "Your objection of entry {number} of this log was rejected: {answer}",
    ),
    "review_justified": (
        (
            "Iemand anders keek achteraf naar regel {number} van dit overzicht. "
            "De haast was terecht: {answer}"
        ),
        (
            "Somebody else looked afterwards at entry {number} of this log. "
            "The haste was justified: {answer}"
        ),
    ),
    "review_unjustified": (
        (
            "Iemand anders keek achteraf naar regel {number} van dit overzicht. "
            "De haast was niet terecht: {answer}"
        ),
        (
            "Somebody else looked afterwards at entry {number} of this log. "
            "The haste was not justified: {answer}"
        ),
    ),
    "dispute_stands": (
        (
            "Het verschil van mening van regel {number} is voorbij. De toestemming geldt weer: "
            "{answer}"
        ),
        "The disagreement of entry {number} is over. The consent counts again: {answer}",
    ),
    "dispute_fallen": (
        (
            "Over het verschil van mening van regel {number} is besloten. "
            "De toestemming geldt niet meer: {answer}"
        ),
        "The disagreement of entry {number} was decided. The consent counts no more: {answer}",
    ),
    "no_breach": (
        "Wij keken wie de gegevens van regel {number} zag. Het was geen datalek: {answer}",
        "We checked who saw the data of entry {number}. It was no data breach: {answer}",
    ),
    "breach": (
        (
            "Wij keken wie de gegevens van regel {number} zag. "
            "Het was een datalek en het is gemeld: {answer}"
        ),
        (
            "We checked who saw the data of entry {number}. "
            "It was a data breach and it was reported: {answer}"
        ),
    ),
}
_REMEDIES: Final[Mapping[str, Pair]] = {
    "administrative": (
        " Bent u het niet eens? U kunt binnen zes weken bezwaar maken bij wie dit besloot.",
        " Do you disagree? Within six weeks you can object with whoever decided this.",
    ),
    "court": (
        " Bent u het niet eens? U kunt binnen zes weken naar de rechter.",
        " Do you disagree? Within six weeks you can go to court.",
    ),
}


def find_wish(detail: Mapping[str, Any]) -> Pair | None:
    """Return what is said of this wish, or None where it says nothing of its own."""
    pair = next((pair for name, pair in _WISHES.items() if detail.get(name) is not None), None)
    if detail.get("helped_by") is None:
        return pair
    nl, en = pair or _AT_DESK
    after = _COPY if detail.get("copy_given") else ("", "")
    return nl + _HELPED[0] + after[0], en + _HELPED[1] + after[1]


def find_answer(detail: Mapping[str, Any]) -> Pair:
    """Return what is said of an answer to a question, or to an objection with its remedy."""
    decided = _DECIDED.get(str(detail.get("outcome")))
    if decided is None:
        return _ANSWERED
    remedy = _REMEDIES.get(str(detail.get("remedy")), ("", ""))
    return decided[0] + remedy[0], decided[1] + remedy[1]


def build_given(detail: Mapping[str, Any]) -> dict[str, str]:
    """Return what fills these sentences: names and words of people, never a code."""
    number = next(
        (detail[name] for name in ("answers", "lifts", "withdraws") if name in detail), None
    )
    given = {
        "blocked": str((detail.get("blocks") or {}).get("name", _NOTHING)),
        "question": str(detail.get("question") or _NOTHING),
        "helpers": str(detail.get("helped_by") or _NOTHING),
        "answer": str(detail.get("answer") or _NOTHING),
    }
    return given if number is None else {**given, "number": str(number)}
