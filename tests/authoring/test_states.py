"""States are derived: one revision in force at most, and never an approval too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.purposes.catalogue import Catalogue, load_catalogue
from broker.purposes.drafts import ApprovalRow, Approver, ProposalRow, ProposalWords, PublicationRow
from broker.purposes.life import (
    derive_proposal_state,
    derive_revision_state,
    list_counting,
)
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.roles import Officer, Role, RoleRow
from tests.exchange.world import POLICIES

AT = datetime(2026, 3, 1, tzinfo=UTC)
_DAYS = st.integers(0, 400)
_CATALOGUE: list[Catalogue] = []


def build_purpose(starts: int, ends: int | None) -> Purpose:
    if not _CATALOGUE:
        _CATALOGUE.append(load_catalogue(POLICIES))
    purpose = _CATALOGUE[0].find_newest("debt_counselling")
    assert purpose is not None
    until = None if ends is None else AT + timedelta(days=starts + ends)
    begins = AT + timedelta(days=starts)
    return purpose.model_copy(update={"valid_from": begins, "valid_until": until})


@st.composite
def _histories(draw: st.DrawFn) -> list[Purpose]:
    starts = sorted(draw(st.sets(_DAYS, min_size=1, max_size=5)))
    return [build_purpose(one, draw(st.none() | st.integers(1, 200))) for one in starts]


@given(_histories(), _DAYS)
def test_one_revision_at_most_is_in_force_and_it_is_the_one_that_is_weighed(
    revisions: list[Purpose], day: int
) -> None:
    now = AT + timedelta(days=day)
    states = [
        derive_revision_state(derive_digest(one), one.valid_from, revisions, now)
        for one in revisions
    ]
    catalogue = _CATALOGUE[0].model_copy(
        update={"purposes": {"debt_counselling": tuple(revisions)}}
    )
    in_force = catalogue.find_revision("debt_counselling", now)
    assert [one for one, state in zip(revisions, states, strict=True) if state == "in_force"] == (
        [in_force] if in_force else []
    )
    order = ["superseded", "ended", "in_force", "approved"]
    assert [order.index(state) for state in states] == sorted(order.index(one) for one in states)


@given(_histories(), st.integers(0, 4), _DAYS)
def test_a_revision_that_is_gone_was_withdrawn_or_superseded(
    revisions: list[Purpose], place: int, day: int
) -> None:
    now, gone = AT + timedelta(days=day), revisions[place % len(revisions)]
    kept = [one for one in revisions if one is not gone]
    state = derive_revision_state(derive_digest(gone), gone.valid_from, kept, now)
    is_followed = any(gone.valid_from < one.valid_from <= now for one in kept)
    assert state == ("superseded" if is_followed else "withdrawn")


def build_row(author: str = "a") -> ProposalRow:
    words = ProposalWords(
        effect="revise",
        author=author,
        organisation="rijnstad",
        purpose="debt_counselling",
        digest="0" * 64,
        base_digest=None,
        valid_from=AT,
        text_nl="",
        text_en="",
        changes_nl=(),
        changes_en=(),
        reason=None,
        to_seq=None,
    )
    return ProposalRow(b"1" * 16, words, 3, "1" * 64, "2" * 64, "3" * 64, AT, None, AT)


_PEOPLE = st.sampled_from(("a", "b", "c"))
_KIDS = st.sampled_from(("K" * 43, "L" * 43, "M" * 43))


@given(
    st.lists(st.tuples(_PEOPLE, _KIDS), max_size=8),
    st.lists(st.tuples(_PEOPLE, _KIDS, st.booleans()), max_size=6),
)
def test_what_counts_is_of_different_people_with_their_own_key_and_never_of_the_author(
    given_by: list[tuple[str, str]], holding: list[tuple[str, str, bool]]
) -> None:
    approvals = [
        ApprovalRow(b"1" * 16, kid, Approver(staff=staff, organisation="o"), b"", b"", AT, AT)
        for staff, kid in given_by
    ]
    roles = [
        RoleRow(b"", Role("o", "approver"), Officer(staff=staff), kid, AT, AT if over else None, AT)
        for staff, kid, over in holding
    ]
    listed = frozenset({"K" * 43, "L" * 43})
    counted = list_counting(build_row("a"), approvals, roles, listed)
    staff = [one.approver.staff for one in counted]
    kids = [one.kid for one in counted]
    assert len(set(staff)) == len(staff) == len(set(kids))
    assert "a" not in staff
    assert set(kids) <= listed
    held = {(one, kid) for one, kid, over in holding if not over}
    assert all((one.approver.staff, one.kid) in held for one in counted)


def test_a_proposal_rests_on_one_bundle_and_no_other() -> None:
    row = build_row()
    published = PublicationRow(3, row.bundle_digest, row.revision, AT, row.id)
    cases = (
        (published, "9" * 64, 9, "published"),
        (None, row.base_bundle_digest, 2, "proposed"),
        (None, row.base_bundle_digest, 3, "stale"),
        (None, "4" * 64, 2, "stale"),
    )
    for found, in_force, newest, state in cases:
        assert (
            derive_proposal_state(row, found, bundle_in_force=in_force, newest_seq=newest) == state
        )
