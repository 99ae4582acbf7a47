"""Name and date of birth are compared before a BSN is used; nothing is repeated in an error."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.client.identity import (
    Record,
    normalise_family_name,
    require_bsn,
    require_record,
    require_same_person,
)
from connectors.client.requests import BsnRecord, ClientRef
from connectors.errors import ClientNumberError, IdentityMismatchError, IdentityMissingError
from datwat.protocol.blinding import BsnError

BSN, OTHER_BSN = "999990019", "999993653"
BORN = date(2009, 5, 4)
OWN = Record(bsn=BSN, family_name="de Vries", birth_date=BORN)


def given_record(bsn: str = BSN, name: str = "De Vries", born: date = BORN) -> BsnRecord:
    return BsnRecord(bsn=bsn, family_name=name, birth_date=born)


@pytest.mark.parametrize(
    "name", ["de Vries", "DE VRIES", "Vries, de", "de  Vriès", "de-Vries", " deVries "]
)
def test_spellings_of_one_name_are_one(name: str) -> None:
    require_same_person(OWN, name, BORN)


@pytest.mark.parametrize(
    ("name", "born"),
    [("Vries", BORN), ("de Fries", BORN), ("", BORN), ("de Vries", date(2009, 4, 5))],
)
def test_another_name_or_date_is_refused(name: str, born: date) -> None:
    with pytest.raises(IdentityMismatchError) as caught:
        require_same_person(OWN, name, born)
    assert "Vries" not in str(caught.value)
    assert str(born.year) not in str(caught.value)


@given(st.text(max_size=40))
def test_a_name_is_the_same_in_any_case_and_composition(name: str) -> None:
    normalised = normalise_family_name(name)
    assert normalise_family_name(unicodedata.normalize("NFC", name)) == normalised
    assert normalised == normalise_family_name(f"  {name} ")


@given(st.dates(), st.dates())
def test_a_different_date_never_passes(stated: date, held: date) -> None:
    assume(stated != held)
    with pytest.raises(IdentityMismatchError):
        require_same_person(Record(BSN, "de Vries", held), "de Vries", stated)


@pytest.mark.parametrize("number", [BSN, "999.990.019", " 9999-90019", f"K{BSN}", f"{BSN}/2"])
def test_a_client_number_that_holds_the_bsn_is_refused(number: str) -> None:
    told = {"client": number, "family_name": "de Vries", "birth_date": BORN}
    for ref, own in (
        (ClientRef.model_validate(told), OWN),
        (ClientRef.model_validate({**told, "record": given_record()}), None),
    ):
        with pytest.raises(ClientNumberError) as caught:
            require_record(ref, own)
        assert "999" not in str(caught.value)


def test_any_other_number_may_be_a_client_number() -> None:
    assert require_bsn(OTHER_BSN, BSN) == BSN
    assert require_bsn("99999001", BSN) == BSN
    assert require_bsn("N-12", "000000012") == "000000012"
    with pytest.raises(ClientNumberError):
        require_bsn("10464554", "010464554")


def test_the_own_record_counts_where_none_is_given() -> None:
    ref = ClientRef(client="1", family_name="de Vries", birth_date=BORN)
    assert require_record(ref, OWN) == OWN
    wrong = ref.model_copy(update={"family_name": "Jansen"})
    with pytest.raises(IdentityMismatchError):
        require_record(wrong, OWN)


def test_without_any_record_nothing_can_be_looked_up() -> None:
    with pytest.raises(IdentityMissingError):
        require_record(ClientRef(client="1"), None)
    with pytest.raises(IdentityMissingError):
        require_record(ClientRef(client="1"), Record(None, "de Vries", BORN))


def test_a_given_record_needs_something_to_compare_with() -> None:
    bare = ClientRef(client="1", record=given_record())
    with pytest.raises(IdentityMissingError):
        require_record(bare, None)
    named = ClientRef(
        client="1",
        record=given_record(),
        family_name="De Vries",
        birth_date=BORN,
        identity="document",
    )
    assert require_record(named, None) == Record(BSN, "De Vries", BORN, "document")
    assert require_record(bare, OWN).bsn == BSN


def test_a_given_record_of_another_person_is_refused() -> None:
    other = ClientRef(client="1", record=given_record(OTHER_BSN))
    with pytest.raises(IdentityMismatchError):
        require_record(other, OWN)
    renamed = ClientRef(client="1", record=given_record(name="Jansen"))
    with pytest.raises(IdentityMismatchError):
        require_record(renamed, OWN)


def test_a_number_that_is_no_bsn_is_refused_and_not_repeated() -> None:
    ref = ClientRef(
        client="1", record=given_record("999990018"), family_name="De Vries", birth_date=BORN
    )
    with pytest.raises(BsnError) as caught:
        require_record(ref, None)
    assert "999990018" not in str(caught.value)
    assert "99999" not in repr(ref)
