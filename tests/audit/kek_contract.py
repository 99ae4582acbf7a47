"""What every adapter of `KekPort` must do: subclass `KekContract` with fixtures `kek` and `reopen`.

A file today; an adapter to PKCS#11 or a key service runs the same tests against its own device. One
whose keys can be out of reach subclasses `RemoteKekContract`, with a fixture `cut_off` besides.
What opens no more is an UnsealError and nothing else is: whoever hears it destroys what lies below.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from broker.audit.ports import KekPort, KeyStoreError
from datwat.protocol.errors import DatwatError
from datwat.protocol.sealing import UnsealError

_NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
_AAD = b"context"


class KekContract:
    """Tests of one adapter; `reopen` returns it as another process would find it."""

    def test_it_opens_what_it_sealed_in_this_context_only(self, kek: KekPort) -> None:
        sealed = kek.seal(b"plain", _AAD)
        assert kek.unseal(sealed, _AAD) == b"plain"
        assert b"plain" not in sealed
        with pytest.raises(UnsealError):
            kek.unseal(sealed, b"another context")
        with pytest.raises(UnsealError):
            kek.unseal(sealed[:-1] + bytes((sealed[-1] ^ 1,)), _AAD)
        for short in (b"", sealed[:1], sealed[:2], sealed[:20]):
            with pytest.raises(UnsealError):
                kek.unseal(short, _AAD)

    def test_the_same_twice_is_sealed_otherwise(self, kek: KekPort) -> None:
        assert kek.seal(b"plain", _AAD) != kek.seal(b"plain", _AAD)

    def test_a_new_generation_seals_and_the_old_one_still_opens(
        self, kek: KekPort, reopen: Callable[[], KekPort]
    ) -> None:
        (first,) = kek.list_generations()
        old = kek.seal(b"old", _AAD)
        made = kek.start_generation(_NOW)
        new = kek.seal(b"new", _AAD)
        assert made.started_at == _NOW
        for each in (kek, reopen()):
            assert each.list_generations() == (first, made)
            assert each.read_generation(old) == first.number
            assert each.read_generation(new) == made.number
            assert each.unseal(old, _AAD) == b"old"
            assert each.unseal(new, _AAD) == b"new"

    def test_what_was_sealed_under_one_generation_is_not_taken_for_another(
        self, kek: KekPort
    ) -> None:
        old = kek.seal(b"old", _AAD)
        kek.start_generation(_NOW)
        new = kek.seal(b"new", _AAD)
        with pytest.raises(UnsealError):
            kek.unseal(new[:2] + old[2:], _AAD)

    def test_a_destroyed_generation_never_opens_again(
        self, kek: KekPort, reopen: Callable[[], KekPort]
    ) -> None:
        (first,) = kek.list_generations()
        old = kek.seal(b"old", _AAD)
        made = kek.start_generation(_NOW)
        new = kek.seal(b"new", _AAD)
        kek.destroy_generation(first.number)
        kek.destroy_generation(first.number)
        for each in (kek, reopen()):
            assert each.list_generations() == (made,)
            with pytest.raises(UnsealError):
                each.unseal(old, _AAD)
            assert each.read_generation(old) == first.number
            assert each.unseal(new, _AAD) == b"new"

    def test_a_number_never_comes_back(self, kek: KekPort) -> None:
        (first,) = kek.list_generations()
        second = kek.start_generation(_NOW)
        kek.destroy_generation(first.number)
        third = kek.start_generation(_NOW + timedelta(days=7))
        assert first.number < second.number < third.number

    def test_the_newest_cannot_be_destroyed(self, kek: KekPort) -> None:
        (first,) = kek.list_generations()
        with pytest.raises(DatwatError):
            kek.destroy_generation(first.number)
        assert kek.unseal(kek.seal(b"plain", _AAD), _AAD) == b"plain"

    def test_it_does_not_show_a_key(self, kek: KekPort) -> None:
        assert "key=" not in repr(kek)
        assert len(repr(kek)) < 80


class RemoteKekContract(KekContract):
    """Besides: `cut_off` gives a context in which the key store does not answer."""

    def test_out_of_reach_is_not_taken_for_destroyed(
        self, kek: KekPort, cut_off: Callable[[], AbstractContextManager[None]]
    ) -> None:
        sealed, before = kek.seal(b"plain", _AAD), kek.list_generations()
        with cut_off():
            with pytest.raises(KeyStoreError):
                kek.unseal(sealed, _AAD)
            with pytest.raises(KeyStoreError):
                kek.unseal(sealed[:-1], _AAD)
            with pytest.raises(KeyStoreError):
                kek.seal(b"plain", _AAD)
            with pytest.raises(DatwatError):
                kek.start_generation(_NOW)
            with pytest.raises(DatwatError):
                kek.destroy_generation(before[0].number)
            assert kek.read_generation(sealed) == before[-1].number
        assert kek.list_generations() == before
        assert kek.unseal(sealed, _AAD) == b"plain"
        with pytest.raises(UnsealError):
            kek.unseal(sealed[:-1], _AAD)
