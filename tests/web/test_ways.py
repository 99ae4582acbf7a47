"""What a partner gave to be reached by is a link only where it says nothing more."""

from __future__ import annotations

import pytest

from datwat.web.ways import is_mail, is_phone


@pytest.mark.parametrize("text", ["0105550131", "+31 10 555 01 31", "(010) 555-0131", "112"])
def test_what_can_be_dialled(text: str) -> None:
    assert is_phone(text)


@pytest.mark.parametrize(
    "text", ["", "geen", "010 555 01 31 toestel 4", "112;ext=9", "tel:112", "1"]
)
def test_what_cannot_be_dialled(text: str) -> None:
    assert not is_phone(text)


@pytest.mark.parametrize("text", ["p.vos@jeugdhulp.example", "team-noord+gezin@a.example"])
def test_what_can_be_written_to(text: str) -> None:
    assert is_mail(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vos",
        "@",
        "a@b?bcc=elsewhere@c.example",
        "a@b.example,c@d.example",
        "a@b.example%0d%0aBcc:c@d.example",
        "a b@c.example",
        'a@b.example" onclick="x',
        "a@b@c.example",
    ],
)
def test_what_would_say_more_than_an_address(text: str) -> None:
    assert not is_mail(text)
