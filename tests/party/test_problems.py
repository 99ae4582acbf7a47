from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

import broker
import connectors
import datwat
import keyholder
import witness
from datwat.party.http_out import PeerRefusedError
from datwat.party.problem_rows import ROWS
from datwat.party.problems import (
    InputInvalidError,
    build_problem,
    build_problem_bytes,
    has_row,
    register_problems,
    require_row,
)
from datwat.party.settings import SettingsError
from datwat.protocol.acts import PersonPart
from datwat.protocol.canonical import DuplicateKeyError
from datwat.protocol.errors import DatwatError, ProtocolError

PACKAGES = (datwat, keyholder, broker, connectors, witness)


def walk(package: ModuleType) -> Iterator[str]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".migrations" not in found.name and not found.name.endswith("_child"):
            yield found.name


def subclasses(kind: type[DatwatError]) -> Iterator[type[DatwatError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


def test_every_error_of_the_code_base_has_a_row_of_its_own() -> None:
    for package in PACKAGES:
        for name in walk(package):
            importlib.import_module(name)
    ours = tuple(package.__name__ for package in PACKAGES)
    missing = {
        f"{kind.__module__}.{kind.__name__}: {kind.code}"
        for kind in subclasses(DatwatError)
        if kind.__module__.split(".")[0] in ours and not has_row(kind.code)
    }
    assert not missing


def test_statuses_are_those_of_errors_and_422_is_of_the_witness_protocol_only() -> None:
    assert all(400 <= status < 600 for status, _ in ROWS.values())
    unprocessable = {code for code, (status, _) in ROWS.items() if status == 422}
    assert unprocessable == {"cosigning_proof", "cosigning_fork"}  # C2SP tlog-witness says so


def test_an_unknown_code_takes_the_row_of_its_base() -> None:
    class UnheardOfError(DuplicateKeyError):
        code = "unheard_of"

    assert require_row(UnheardOfError()) == require_row(DuplicateKeyError())
    assert require_row(DatwatError()).status == 500


def test_a_code_has_one_row() -> None:
    register_problems({"rid_reused": ROWS["rid_reused"]})
    with pytest.raises(ValueError, match="rid_reused"):
        register_problems({"rid_reused": (400, "Another")})


def test_faults_of_our_own_tell_nothing_and_those_of_peers_do() -> None:
    problem = build_problem(SettingsError("The file /home/x is wrong.", place="a.b"))
    assert (problem.status, problem.place) == (500, None)
    assert "/home" not in problem.detail
    assert build_problem(PeerRefusedError("covenant_expired", 403)).status == 502
    status, body = build_problem_bytes(ProtocolError(place="iat"))
    assert status == 400
    assert json.loads(body)["place"] == "iat"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    bsn: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    rows: list[Inner]
    open: dict[str, Inner] = {}


def refusal(kind: type[BaseModel], value: object) -> InputInvalidError:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate_json(json.dumps(value))
    return InputInvalidError.from_validation(caught.value)


def test_the_place_is_told_and_the_value_is_not() -> None:
    error = refusal(Outer, {"rows": [{"bsn": 1}, {"bsn": "999990019"}]})
    assert error.place == "$.rows[1].bsn"
    assert "999990019" not in error.detail


@given(st.one_of(st.sampled_from(["999990019", "x999993653", "bsn_999990019"]), st.text()))
def test_neither_unknown_members_nor_keys_of_open_maps_come_back(key: str) -> None:
    secret = key if any(character.isdigit() for character in key) else f"{key}999990019"
    unknown = refusal(Outer, {"rows": [], secret: 1})
    in_map = refusal(Outer, {"rows": [], "open": {secret: {}}})
    for error in (unknown, in_map):
        assert "99999" not in f"{error.detail}{error.place}"


def test_a_tag_of_a_union_does_not_come_back() -> None:
    error = refusal(PersonPart, {"person": {"by": "999990019"}})
    assert "99999" not in f"{error.detail}{error.place}"
