"""`datwat broker keys` on a running broker: begin, follow, turn back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.adapters.row_key_file import NoRotationError, RotationUnderWayError
from broker.audit.key_keeping import GenerationStartedError
from broker.commands.keys_commands import RotationFinalError, build_keys_commands
from broker.commands.own_keys import LISTED_KEYS
from broker.exchange.row_turning import OVERLAP, SEEN_AFTER
from datwat.party.own_keys_cli import abort_next, finish_next, start_next
from datwat.party.problems import InputInvalidError
from datwat.protocol.trust import Card
from tests.exchange.restoring import Copies, opened
from tests.exchange.world import bsns, now, register
from tests.keys.ring_world import keep_all

_ASYNC = pytest.mark.asyncio(loop_scope="module")


@_ASYNC
async def test_the_row_key_from_beginning_to_end(copies: Copies) -> None:
    async with opened(copies) as running:
        await register(running, "debt-counselling", next(bsns()), "debt_counselling")
        commands, rows = build_keys_commands(running.broker), running.broker.ends.rows
        assert rows is not None
        said = await commands["keys_status"]({})
        assert (said["row_key"], said["row_key_step"]) == (1, "none")
        with pytest.raises(NoRotationError):
            await commands["keys_abort"]({"key": "row"})
        began = now()
        said = await commands["keys_rotate"]({"key": "row"})
        assert (said["row_key"], said["row_key_step"]) == (1, "preparing")
        with pytest.raises(RotationUnderWayError):
            await commands["keys_rotate"]({"key": "row"})
        await keep_all(rows, began + 2 * SEEN_AFTER)
        said = await commands["keys_status"]({})
        assert (said["row_key"], said["row_key_step"]) == (2, "moving")
        await keep_all(rows, began + 4 * SEEN_AFTER)
        said = await commands["keys_status"]({})
        assert (said["row_key_step"], said["tables_done"]) == ("waiting", said["tables"])
        assert said["rows_moved"] > 2
        assert said["rows_unreadable"] == 0
        await keep_all(rows, began + 2 * OVERLAP)
        said = await commands["keys_status"]({})
        assert (said["row_key"], said["row_key_step"]) == (2, "none")


@_ASYNC
async def test_a_generation_of_the_kek_at_once(copies: Copies) -> None:
    async with opened(copies) as running:
        commands, kek = build_keys_commands(running.broker), running.broker.secrets.kek
        with pytest.raises(GenerationStartedError):  # the home is younger than ten minutes
            await commands["keys_rotate"]({"key": "kek"})
        kek.start_generation(now() - OVERLAP)
        said = await commands["keys_rotate"]({"key": "kek"})
        assert (said["kek"], said["kek_generations"]) == (3, [1, 2, 3])
        assert not said["kek_all_under_newest"]
        later = now() + OVERLAP
        while await running.broker.ends.generations.keep(later, 100):
            pass
        assert (await commands["keys_status"]({}))["kek_all_under_newest"]
        with pytest.raises(RotationFinalError):
            await commands["keys_abort"]({"key": "kek"})


@pytest.mark.parametrize("key", ["", "signing", "../row.key", None, 3])
@_ASYNC
async def test_another_name_is_refused(copies: Copies, key: object) -> None:
    async with opened(copies) as running:
        commands = build_keys_commands(running.broker)
        for name in ("keys_rotate", "keys_abort"):
            with pytest.raises(InputInvalidError, match="row or kek"):
                await commands[name]({"key": key})


def test_older_keys_of_the_log_stay_on_the_card(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, kind = copies.world.home, LISTED_KEYS["log"]

    def read_vkeys() -> tuple[str, ...]:
        card = Card.model_validate_json((home / "card.json").read_text())
        assert card.log is not None
        return card.log.vkeys

    def listed_at_once(*_arguments: object) -> object:
        return now() - OVERLAP

    (first,) = read_vkeys()
    start_next(home, kind)
    second, last = read_vkeys()
    assert last == first
    abort_next(home, kind)
    assert read_vkeys() == (first,)
    monkeypatch.setattr("datwat.party.own_keys_cli._find_listed_since", listed_at_once)
    start_next(home, kind)
    assert second not in read_vkeys()
    second = read_vkeys()[0]
    finish_next(home, kind)
    assert read_vkeys() == (second, first)
    for _ in range(4):
        start_next(home, kind)
        finish_next(home, kind)
    assert len(read_vkeys()) == 4
    start_next(home, kind)
    newest, leaked, *_ = read_vkeys()
    finish_next(home, kind, at_once=True)
    assert leaked not in read_vkeys()
    assert newest in read_vkeys()


def test_no_secret_is_on_a_card(copies: Copies) -> None:
    home: Path = copies.world.home
    for name in LISTED_KEYS:
        start_next(home, LISTED_KEYS[name])
    card = (home / "card.json").read_text()
    for path in (home / "secrets").iterdir():
        secret = path.read_bytes()
        assert secret.hex() not in card
        assert '"d"' not in card
