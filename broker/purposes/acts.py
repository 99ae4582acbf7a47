"""Which codes each act is weighed by, spelt out for Rego to look up.

Rule enforced: an act or a group that nobody knows is refused; the order is the officers' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Code
from datwat.protocol.messages import BLADES

ASKING = ("inquire", "request_contact", "release")
RECORDING = (
    "record_conversation",
    "record_consent",
    "record_objection",
    "record_authority",
    "declare_special_situation",
)
OCCASION = ("open_occasion", "hand_over", "close_occasion", *RECORDING)
REGISTER = ("register", "end", "answer_contact", "report_wrong_person")
OWN = ("open_session", "wish")
ACTS = (*REGISTER, *OCCASION, *ASKING, *OWN, "introduce")
# What only says whether the rung asked fits one act says nothing of another act.
OF_ONE_ACT = {"asked_rung_open", "rung_fits_act"}
GROUPS = {
    "all": ACTS,
    "asking": ASKING,
    "own": OWN,
    "taking_nothing": (*REGISTER, *OCCASION, *OWN, "introduce"),
}


def index_acts(codes: Mapping[str, Code]) -> dict[str, dict[str, Any]]:
    """Return per act its codes, those by blade, and those that asking otherwise would rest on too.

    Raises PolicyFileError for a code of an act or group that nobody knows.
    """
    weighed = {act: _weighed(act, codes) for act in ACTS}
    return {act: _index_act(act, weighed) for act in ACTS}


def _weighed(act: str, codes: Mapping[str, Code]) -> dict[str, dict[str, Any]]:
    blocking = {name for name, code in codes.items() if act in _expand(code.acts)}
    return {
        name: {
            "blade": code.blade,
            "about": code.about,
            "remedy": code.remedy,
            "blocks": name in blocking,
        }
        for name, code in codes.items()
        if name in blocking or act in _expand(code.advises)
    }


def _index_act(act: str, weighed: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    codes = weighed[act]
    return {
        "codes": codes,
        # What the findings say: until a rule proves otherwise, and then.
        "unproven": _list_findings(codes, satisfied=False),
        "proven": _list_findings(codes, satisfied=True),
        "of": {
            blade: [name for name, code in codes.items() if code["blade"] == blade]
            for blade in BLADES
        },
        "shared": {
            other: [
                name
                for name, code in weighed[other].items()
                if name in codes.keys() - OF_ONE_ACT
                and code["blocks"]
                and code["about"] == "stated"
            ]
            for other in ("inquire", "request_contact")
        },
    }


def _list_findings(
    codes: Mapping[str, Mapping[str, Any]], *, satisfied: bool
) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "blade": code["blade"],
            "code": name,
            "satisfied": satisfied,
            "about": code["about"],
            "params": {},
        }
        for name, code in codes.items()
    }


def _expand(names: tuple[str, ...]) -> list[str]:
    """Return the acts that are named, one by one or as a group."""
    acts: list[str] = []
    for name in names:
        if name in GROUPS:
            acts.extend(GROUPS[name])
        elif name in ACTS:
            acts.append(name)
        else:
            raise PolicyFileError(f"codes.yaml: no act or group is called {name}.")
    return acts
