"""The laws that a purpose rests on: their names written out, and where anybody can read them. Pure.

Rule: an address is made from a BWB number of the signed bundle and nothing else, so that no text
of a partner or a purpose can lead anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_BWB: Final = re.compile(r"BWBR[0-9]{7}")
_SITE: Final = "https://wetten.overheid.nl/"
# As people can look them up: abbreviations are nobody's language.
_NAMES: Final[Mapping[str, str]] = {
    "Wmo 2015": "Wet maatschappelijke ondersteuning 2015",
    "Wgs": "Wet gemeentelijke schuldhulpverlening",
    "Bgs": "Besluit gemeentelijke schuldhulpverlening",
    "SUWI": "Wet structuur uitvoeringsorganisatie werk en inkomen",
    "Wabb": "Wet algemene bepalingen burgerservicenummer",
    "AVG": "Algemene verordening gegevensbescherming",
    "UAVG": "Uitvoeringswet Algemene verordening gegevensbescherming",
    "Pw": "Participatiewet",
}
_SHORT: Final = re.compile(r"\b(" + "|".join(map(re.escape, _NAMES)) + r")(?=[\s;,]|$)")


@dataclass(frozen=True)
class Law:
    """A law with the articles that matter, and its address in the national collection."""

    name: str
    articles: str
    url: str


def spell_out(text: str) -> str:
    """Return articles with the names of their laws written out."""
    return _SHORT.sub(lambda found: _NAMES[found[1]], text)


def find_laws(catalogue: Mapping[str, Any], purpose_id: str, digest: str) -> tuple[Law, ...]:
    """Return the laws of a purpose at one digest, as its document in the bundle names them."""
    revisions = ((catalogue.get("purposes") or {}).get(purpose_id) or {}).get("revisions") or ()
    purpose: Mapping[str, Any] = next((one for one in revisions if one.get("digest") == digest), {})
    found = []
    for one in purpose.get("articles") or ():
        bwb = str(one.get("bwb", ""))
        if _BWB.fullmatch(bwb):
            name = spell_out(str(one.get("law", "")))
            found.append(Law(name, str(one.get("article", "")), f"{_SITE}{bwb}"))
    return tuple(found)
