"""The local API writes who acts in one way, wherever a request names them, and refuses the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.client.requests import HandOver, RedeemIntroduction
from connectors.client.staff import build_spelled
from connectors.errors import StaffIdError

AT = "2026-01-31T12:00:00Z"


def build_opening(login: str) -> dict[str, Any]:
    return {
        "professional": {"id": login, "role": "Regisseur"},
        "occasion": "N-1",
        "opens": {
            "kind": "help_request",
            "team": "Team J.Jansen ",
            "handlers": [{"professional": login, "role": "coordinator", "from_at": AT}],
            "special_situation": {
                "ground": "child_safety",
                "decider": {"id": login, "role": "manager"},
                "until_at": AT,
                "opening": "by_person",
                "reason": "J.Jansen ",
            },
        },
        "members": [{"client": "J.Jansen ", "role": "son", "source": "told"}],
    }


def build_redemption(login: str) -> dict[str, Any]:
    return {
        "professional": {"id": login, "role": "Regisseur"},
        "code": "A" * 22,
        "client": "P-1",
        "occasion": build_opening(login),
    }


def test_everybody_named_is_written_in_one_way_and_nothing_else_changes() -> None:
    spelled = json.loads(build_spelled(build_redemption("J.Jansen ")))
    assert spelled == {**build_redemption("j.jansen"), "occasion": build_opening("j.jansen")}
    RedeemIntroduction.model_validate_json(json.dumps(spelled))


def test_those_who_take_over_are_written_in_one_way() -> None:
    handler = {"professional": " K.NIEUW", "role": "second", "from_at": AT}
    request = {
        "professional": {"id": "Noor", "role": "r"},
        "occasion": "N-1",
        "handlers": [handler],
    }
    read = HandOver.model_validate_json(build_spelled(request))
    assert (read.professional.id, read.handlers[0].professional) == ("noor", "k.nieuw")


@pytest.mark.parametrize(
    "login", ["Jan Jansen", "", " ", "j/jansen", "x" * 65, "jos\u00e9", "a\x07"]
)
def test_what_does_not_fit_is_refused_by_place_and_not_repeated(login: str) -> None:
    with pytest.raises(StaffIdError) as caught:
        build_spelled({"professional": {"id": login, "role": "r"}})
    assert caught.value.place == "$.professional.id"
    assert not login.strip() or login not in str(caught.value)
    request = {"unknown": {"handlers": [{}, {"professional": login}]}}
    with pytest.raises(StaffIdError) as caught:
        build_spelled(request)
    assert caught.value.place == "$.handlers[1].professional"


@pytest.mark.parametrize("odd", [[], 1, None, {"professional": 1}, {"professional": {"id": []}}])
def test_another_kind_is_left_for_the_model(odd: object) -> None:
    assert json.loads(build_spelled(odd)) == odd
