from __future__ import annotations

import asyncio
import hashlib
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet, RatchetRefusedError
from datwat.party.settings import PartySettings, change_settings, load_settings, write_settings
from datwat.party.trust_keeper import TrustKeeper, open_ratchet
from datwat.party.trust_list import (
    AcceptedList,
    CovenantExpiredError,
    Directory,
    IssuerUnknownError,
    PartnerSuspendedError,
    TrustListError,
    TrustListExpiredError,
    TrustListFormError,
    TrustListKeysError,
    TrustListOldError,
    TrustListPinError,
    accept_first,
    accept_next,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import SignedDocument, ThresholdError, sign_document
from tests.party.covenant import BROKER_ID, Member, TestCovenant, build_member, now, write


@pytest.fixture
def member() -> Member:
    return build_member(1, "register", "inquire")


@pytest.fixture
def covenant(member: Member) -> TestCovenant:
    return TestCovenant(members=(member,))


def digest_of(document: bytes) -> bytes:
    return hashlib.sha256(SignedDocument.from_bytes(document).payload).digest()


def accept(covenant: TestCovenant, **changes: Any) -> AcceptedList:  # noqa: ANN401 - arguments of `build`
    document = covenant.sign(covenant.build(**changes))
    return accept_first(document, digest_of(document))


def test_first_list_counts_only_with_the_pinned_hash(covenant: TestCovenant) -> None:
    document = covenant.sign(covenant.build())
    assert accept_first(document, digest_of(document)).trust.seq == 1
    with pytest.raises(TrustListPinError):
        accept_first(document, bytes(32))


def test_first_list_needs_its_own_threshold(covenant: TestCovenant) -> None:
    document = covenant.sign(covenant.build(), signers=1)
    with pytest.raises(ThresholdError):
        accept_first(document, digest_of(document))


def test_next_list_is_signed_by_the_keys_of_the_held_one(covenant: TestCovenant) -> None:
    held = accept(covenant)
    taken_over = TestCovenant(members=covenant.members, key_holder=covenant.key_holder)
    with pytest.raises(ThresholdError):
        accept_next(taken_over.sign(taken_over.build(seq=2)), held)
    # New covenant keys count when the old ones sign the list that names them.
    payload = encode_canonical(taken_over.build(seq=2).model_dump(mode="json"))
    handed_over = sign_document(payload, covenant.covenant_keys[:2]).to_bytes()
    assert accept_next(handed_over, held).trust.covenant == taken_over.build().covenant


def test_next_list_has_a_higher_number(covenant: TestCovenant) -> None:
    held = accept(covenant, seq=5)
    for seq in (4, 5):
        other = covenant.sign(covenant.build(seq=seq, valid_until=now() + timedelta(days=9)))
        with pytest.raises(TrustListOldError):
            accept_next(other, held)
    assert accept_next(held.document, held) is held


def test_unknown_member_in_the_list_is_refused(covenant: TestCovenant) -> None:
    members = {**covenant.build().model_dump(mode="json"), "extra": 1}
    document = sign_document(encode_canonical(members), covenant.covenant_keys).to_bytes()
    with pytest.raises(TrustListFormError):
        accept_first(document, digest_of(document))


def test_one_key_never_has_two_owners(covenant: TestCovenant, member: Member) -> None:
    twin = build_member(2, "register")
    twin.partner = twin.partner.model_copy(update={"keys": member.partner.keys})
    covenant.members = (member, twin)
    with pytest.raises(TrustListKeysError):
        Directory(accept(covenant))


def test_broker_and_partner_never_share_an_id(covenant: TestCovenant, member: Member) -> None:
    member.partner = member.partner.model_copy(update={"id": BROKER_ID})
    with pytest.raises(TrustListKeysError):
        Directory(accept(covenant))


def test_in_force_is_listed_current_and_not_closed(covenant: TestCovenant, member: Member) -> None:
    over = build_member(2, covenant_until=now() - timedelta(days=1))
    covenant.members = (member, over)
    directory = Directory(accept(covenant))
    assert directory.require_issuer(member.key.kid, now()).id == member.id
    assert directory.require_partner(member.id, now()) == member.partner
    assert directory.require_issuer(covenant.broker_key.kid, now()).role == "broker"
    with pytest.raises(CovenantExpiredError):
        directory.require_issuer(over.key.kid, now())
    with pytest.raises(IssuerUnknownError):
        directory.require_issuer(build_member(3).key.kid, now())
    closed = directory.with_closed(frozenset({member.id}))
    with pytest.raises(PartnerSuspendedError):
        closed.require_issuer(member.key.kid, now())
    with pytest.raises(PartnerSuspendedError):
        closed.require_partner(member.id, now())


def test_expired_list_opens_for_nobody(covenant: TestCovenant, member: Member) -> None:
    directory = Directory(accept(covenant, valid_until=now() - timedelta(seconds=1)))
    for kid in (member.key.kid, covenant.broker_key.kid):
        with pytest.raises(TrustListExpiredError):
            directory.require_issuer(kid, now())


class Home:
    """A home folder with a pinned list in a file, and the parts that keep it."""

    def __init__(self, folder: Path, covenant: TestCovenant) -> None:
        self.covenant = covenant
        self.path = folder / "list.json"
        self.home = folder / "home"
        document = covenant.sign(covenant.build())
        write(self.path, document)
        write_settings(
            self.home,
            {
                "id": covenant.members[0].id,
                "name": "Party",
                "trust_list": str(self.path),
                "trust_pin": digest_of(document).hex(),
            },
        )

    @property
    def settings(self) -> PartySettings:
        return load_settings(PartySettings, self.home)

    def publish(self, seq: int, valid_until: datetime | None = None) -> bytes:
        document = self.covenant.sign(self.covenant.build(seq=seq, valid_until=valid_until))
        write(self.path, document)
        return digest_of(document)


@pytest.fixture
def home(tmp_path: Path, covenant: TestCovenant) -> Home:
    return Home(tmp_path, covenant)


async def open_keeper(home: Home, ratchet: Ratchet) -> TrustKeeper:
    async with HttpOut() as http:
        return await TrustKeeper.open(home.settings, ratchet, http)


async def test_keeper_follows_the_source_and_never_goes_back(home: Home) -> None:
    with open_ratchet(home.settings) as ratchet:
        keeper = await open_keeper(home, ratchet)
        keeper.close_partners(frozenset({home.settings.id}))
        assert not await keeper.refresh()
        newest = home.publish(2)
        assert await keeper.refresh()
        assert keeper.directory.digest == newest
        assert home.settings.id in keeper.directory.closed
        home.publish(1)
        with pytest.raises(TrustListOldError):
            await keeper.refresh()
        assert keeper.directory.digest == newest
    # After a restart the source offers the old list again, and the pin is still that of the first.
    with open_ratchet(home.settings) as ratchet:
        assert (await open_keeper(home, ratchet)).directory.digest == newest


class CountingKeeper(TrustKeeper):
    """A keeper that counts how often the source was read."""

    read = 0

    async def refresh(self) -> bool:
        self.read += 1
        return await super().refresh()


async def test_who_asks_has_it_read_sooner_and_not_at_will(home: Home) -> None:
    """A stranger's key is a reason to look at the source, at most once in `soonest`."""
    soonest = timedelta(seconds=0.2)
    with open_ratchet(home.settings) as ratchet:
        async with HttpOut() as http:
            keeper = await CountingKeeper.open(home.settings, ratchet, http)
            newest = home.publish(2)
            running = asyncio.ensure_future(keeper.run(timedelta(minutes=1), soonest=soonest))
            await asyncio.sleep(0.4)
            assert (keeper.read, keeper.directory.trust.seq) == (1, 1)  # nobody asked
            keeper.ask()
            await asyncio.sleep(0.1)
            assert (keeper.read, keeper.directory.digest) == (2, newest)
            for _ in range(50):
                keeper.ask()
                await asyncio.sleep(0.02)
            running.cancel()
    assert 4 <= keeper.read <= 8


async def test_an_old_copy_in_the_home_folder_does_not_bring_the_old_list_back(home: Home) -> None:
    with open_ratchet(home.settings) as ratchet:
        await open_keeper(home, ratchet)
        first = next((home.home / "trust").glob("*.json"))
        held = first.read_bytes()
        home.publish(2)
        await open_keeper(home, ratchet)
    for path in (home.home / "trust").glob("*.json"):
        path.unlink()
    write(first, held)
    write(home.path, held)
    with open_ratchet(home.settings) as ratchet, pytest.raises(RatchetRefusedError):
        await open_keeper(home, ratchet)


async def test_a_source_that_fails_leaves_the_held_list(home: Home) -> None:
    with open_ratchet(home.settings) as ratchet:
        keeper = await open_keeper(home, ratchet)
        home.path.unlink()
        with pytest.raises(TrustListError):
            await keeper.refresh()
        assert keeper.directory.trust.seq == 1
        # ... and the next start does not need the source at all.
        assert (await open_keeper(home, ratchet)).directory.trust.seq == 1


async def test_without_pin_no_list_is_believed(home: Home) -> None:
    change_settings(home.home, {"trust_pin": ""})
    with open_ratchet(home.settings) as ratchet, pytest.raises(TrustListPinError):
        await open_keeper(home, ratchet)


async def test_who_is_late_leaves_the_newer_list_of_another_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of one home: the one takes up the third list while the other has the second."""
    with open_ratchet(home.settings) as ratchet:
        late, early = await open_keeper(home, ratchet), await open_keeper(home, ratchet)
        newest = home.publish(3)
        advance, refused = ratchet.advance, list[RatchetRefusedError]()

        def take_up_late() -> None:
            try:
                asyncio.run(late.refresh())
            except RatchetRefusedError as error:
                refused.append(error)

        others = threading.Thread(target=take_up_late)

        def advance_late(name: str, number: int, digest: bytes) -> None:
            if number == 3:  # its document lies there already
                home.publish(2)
                others.start()
                others.join(1.0)
            advance(name, number, digest)

        monkeypatch.setattr(ratchet, "advance", advance_late)
        assert await early.refresh()
        others.join()
        assert refused  # it came too late
        assert await late.take_up_held()
        assert late.directory.digest == newest
