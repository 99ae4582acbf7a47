"""The register of roles: who is asked, who may be ended, and named tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.purposes.role_register import TokenAsked
from broker.purposes.roles import (
    ROLES,
    Acting,
    ApproverKeyError,
    EndAsked,
    GiveAsked,
    LastApproverError,
    Officer,
    OfficerTokenError,
    OfficerTokenExistsError,
    Role,
    RoleExistsError,
    RoleMissingError,
    RoleName,
    RoleRow,
    RoleUnknownError,
    derive_held,
    require_giveable,
    require_role,
)
from datwat.protocol.values import FormError
from tests.authoring.world import AUTHOR, BAKKER, OFFICER, RIJNSTAD, Office, act_as
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [pytest.mark.timeout(240)]

_AT = datetime(2026, 3, 1, tzinfo=UTC)
_ORGANISATIONS = st.sampled_from(("rijnstad", "00000099000000003000"))
_ROLES = st.builds(Role, _ORGANISATIONS, st.sampled_from(ROLES))
_STAFF = st.sampled_from(("a", "b"))


@st.composite
def _rows(draw: st.DrawFn) -> RoleRow:
    ended = draw(st.sampled_from((None, _AT)))
    officer = Officer(staff=draw(_STAFF))
    return RoleRow(b"", draw(_ROLES), officer, None, _AT, ended, None)


@given(_STAFF, st.frozensets(_ROLES), st.lists(_rows()), st.sampled_from(ROLES))
def test_a_role_counts_only_where_login_and_register_both_say_so(
    staff: str, claims: frozenset[Role], rows: list[RoleRow], name: RoleName
) -> None:
    expected = {
        role
        for role in claims
        if role.name == name
        and any(r.staff == staff and r.role == role and r.ended_at is None for r in rows)
    }
    try:
        found = require_role(Acting(staff, claims), rows, (name,))
    except RoleMissingError:
        assert not expected
    else:
        assert found in expected


@pytest.mark.parametrize("text", ["", "author", ":author", "rijnstad:", "rijnstad:king", "a:b:c"])
def test_a_claim_that_names_no_role_is_none(text: str) -> None:
    with pytest.raises(FormError):
        Role.parse(text)


def test_an_organisation_may_be_an_oin() -> None:
    role = Role.parse("00000099000000003000:approver")
    assert (role.organisation, role.name, str(role)) == (
        "00000099000000003000",
        "approver",
        "00000099000000003000:approver",
    )


def _ask(staff: str, role: str, key: str | None = None) -> GiveAsked:
    members = {"organisation": RIJNSTAD, "role": role, "staff": staff, "key": key}
    return GiveAsked.model_validate(members)


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
async def test_an_approver_has_one_listed_key_of_their_own(office: Office) -> None:
    give, keys = office.broker.role_register.give, office.keys
    for asked, why in (
        (_ask("f.nieuw", "approver"), "name it with --key"),
        (_ask("f.nieuw", "approver", "A" * 43), "trust list names no such policy key"),
        (_ask("f.nieuw", "approver", keys[0].kid), "another approver's already"),
        (_ask("f.nieuw", "author", keys[0].kid), "No other role does"),
    ):
        with pytest.raises(ApproverKeyError, match=why):
            await give(asked)
    rows, other = office.broker.role_register.list_rows(), "B" * 43
    elsewhere = _ask("b.bakker", "approver", other).model_copy(update={"organisation": "elders"})
    with pytest.raises(ApproverKeyError, match="with another policy key"):
        require_giveable(elsewhere, rows, frozenset({other}))
    with pytest.raises(RoleExistsError):
        await give(_ask("a.auteur", "author"))
    assert office.broker.role_register.find_roles("f.nieuw") == frozenset()


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
async def test_the_last_approver_stays(office: Office) -> None:
    register = office.broker.role_register
    end = {"organisation": RIJNSTAD, "role": "approver"}
    await register.end(EndAsked.model_validate({**end, "staff": "b.bakker"}))
    await register.end(EndAsked.model_validate({**end, "staff": "e.tweede"}))
    with pytest.raises(LastApproverError):
        await register.end(EndAsked.model_validate({**end, "staff": "c.smit"}))
    with pytest.raises(RoleUnknownError):
        await register.end(EndAsked.model_validate({**end, "staff": "b.bakker"}))
    assert Role(RIJNSTAD, "approver") in register.find_roles("c.smit")
    with pytest.raises(RoleMissingError):
        register.require(BAKKER, "approver")
    await register.give(_ask("b.bakker", "approver", office.keys[0].kid))
    await register.give(_ask("e.tweede", "approver", office.keys[2].kid))
    assert str(register.require(BAKKER, "approver")) == "rijnstad:approver"


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
async def test_who_reads_all_changes_nothing(office: Office) -> None:
    with pytest.raises(RoleMissingError):
        await office.draft(office.write(), acting=OFFICER)
    claimed = act_as("d.toezicht", "author", "approver")
    with pytest.raises(RoleMissingError):
        await office.draft(office.write(), acting=claimed)
    elsewhere = act_as("a.auteur", "author", organisation="elders")
    with pytest.raises(RoleMissingError):
        await office.draft(office.write(), acting=elsewhere)
    assert office.authoring.list_purposes("nl")


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
async def test_a_named_token_speaks_for_a_role_until_it_ends(office: Office) -> None:
    register = office.broker.role_register
    asked = {"name": "auteur", "organisation": RIJNSTAD, "role": "author", "staff": "a.auteur"}
    token = await register.create_token(TokenAsked.model_validate(asked))
    holder = await register.find_holder(token)
    assert holder is not None
    assert (holder.words.staff, holder.words.role) == ("a.auteur", "author")
    assert await register.find_holder(token + "x") is None
    with pytest.raises(OfficerTokenExistsError):
        await register.create_token(TokenAsked.model_validate(asked))
    unheld = {**asked, "name": "other", "role": "auditor"}
    with pytest.raises(RoleMissingError):
        await register.create_token(TokenAsked.model_validate(unheld))
    with office.authoring.ports.reading() as conn:
        rows = conn.exec_driver_sql("SELECT * FROM officer_tokens").fetchall()
    assert token.encode() not in b"".join(bytes(c) for r in rows for c in r if isinstance(c, bytes))
    await register.revoke_token("auteur")
    assert await register.find_holder(token) is None
    with pytest.raises(OfficerTokenError):
        await register.revoke_token("auteur")


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
async def test_a_token_ends_with_the_role_and_with_its_term(office: Office) -> None:
    register = office.broker.role_register
    await register.give(_ask("g.kort", "auditor"))
    asked = {"name": "kort", "organisation": RIJNSTAD, "role": "auditor", "staff": "g.kort"}
    token = await register.create_token(TokenAsked.model_validate({**asked, "days": 3}))
    with office.authoring.ports.reading() as conn:
        store = office.broker.role_register._store  # noqa: SLF001 - as the clock will have it
        digest = register.list_tokens()[0].token_hash
        late = datetime.now(UTC) + timedelta(days=4)
        assert store.find_token(conn, digest, late) is None
    end = {"organisation": RIJNSTAD, "role": "auditor", "staff": "g.kort"}
    await register.end(EndAsked.model_validate(end))
    assert await register.find_holder(token) is None
    assert derive_held("g.kort", register.list_rows()) == frozenset()
    assert any(row.staff == "g.kort" for row in register.list_rows())
    assert AUTHOR.staff not in str(office.list_statements())
