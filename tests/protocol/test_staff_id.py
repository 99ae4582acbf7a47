"""An id of staff has one spelling: who is compared is one person, however their login writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from datwat.protocol.acts import Handler, Professional
from datwat.protocol.values import StaffId, derive_staff_id
from tests.protocol.act_samples import NOW

STAFF_ID: TypeAdapter[str] = TypeAdapter(StaffId)
OTHER_SPELLINGS = ["J.Jansen", "j.jansen ", " j.jansen", "j.jansen\n", "\uff4a.jansen"]


@pytest.mark.parametrize("spelled", ["j.jansen", "a", "0", "jan_de-vries@team.example", "x" * 64])
def test_the_one_spelling_is_taken(spelled: str) -> None:
    assert STAFF_ID.validate_python(spelled) == spelled == derive_staff_id(spelled)


@pytest.mark.parametrize(
    "other", [*OTHER_SPELLINGS, "", "x" * 65, "jan jansen", "j/jansen", "José"]
)
def test_any_other_is_refused_wherever_somebody_is_named(other: str) -> None:
    with pytest.raises(ValidationError):
        Professional(id=other, role="regisseur")
    with pytest.raises(ValidationError):
        Handler(professional=other, role="coordinator", from_at=NOW)


@pytest.mark.parametrize("login", ["J.Jansen", "j.jansen ", "\tJ.JANSEN\n", "\uff4a\uff0eJansen"])
def test_spellings_of_one_login_are_one_person(login: str) -> None:
    assert derive_staff_id(login) == "j.jansen"


@given(st.from_regex(r"[A-Za-z0-9._@-]{1,64}", fullmatch=True))
def test_case_and_spaces_around_it_name_nobody_else(login: str) -> None:
    spelled = STAFF_ID.validate_python(derive_staff_id(login))
    assert {derive_staff_id(one) for one in (login.upper(), login.lower(), f" {login} ")} == {
        spelled
    }
