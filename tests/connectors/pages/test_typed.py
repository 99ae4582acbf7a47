"""What is typed on the pages of the staff: a BSN stays out of what goes out; own numbers do not."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.requests import Request

from connectors.pages.staff import Staff
from connectors.pages.typed import read_line, read_text
from datwat.web.forms import Form
from datwat.web.i18n import Speech
from datwat.web.site import Visit
from tests.exchange.world import bsns, now

BSN = next(bsns())


@pytest.fixture
def visit() -> Visit[Staff]:
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []})
    return Visit(request, Speech("en", {}, {}), now(), cast("Any", None), None)


def fill(name: str, typed: str) -> Form:
    return Form("csrf", "id", {name: (typed,)})


@pytest.mark.parametrize("typed", [BSN, f"Over {BSN[:4]}.{BSN[4:6]}.{BSN[6:]}, zie het dossier."])
def test_a_bsn_in_a_reason_is_said_beside_its_field(visit: Visit[Staff], typed: str) -> None:
    for read, name in ((read_text, "told"), (read_text, "subsidiarity"), (read_line, "team")):
        form = fill(name, typed)
        read(form, visit, name, "missing")
        assert list(form.errors) == [name]
        assert BSN[:4] not in form.errors[name]


def test_a_number_of_ones_own_may_look_like_one(visit: Visit[Staff]) -> None:
    form = fill("number", BSN)
    assert read_line(form, visit, "number", "missing") == BSN
    assert not form.errors
