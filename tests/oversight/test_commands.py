"""The commands of oversight: who may, what is refused, and that nothing is half done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from broker.commands.oversight_commands import build_oversight_commands
from broker.purposes.roles import GiveAsked, RoleMissingError
from datwat.party.admin import Holder, RoleCommand
from datwat.protocol.errors import DatwatError
from tests.exchange.test_openings import open_waiting
from tests.exchange.world import Running, bsns, inquire, open_household

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
_BY = {"by": "t.oezicht", "role": "toezichthouder"}
_BSN = "999990019"


def build(running: Running) -> dict[str, Any]:
    return dict(build_oversight_commands(running.broker))


async def give(running: Running, staff: str, role: str) -> Callable[..., Awaitable[Any]]:
    """Give somebody a role; return what runs a command as the holder of their token."""
    register = running.broker.role_register
    members = {"organisation": "rijnstad", "role": role, "staff": staff}
    await register.give(GiveAsked.model_validate({**members, "key": None}))
    holder = Holder(staff, "rijnstad", role)

    async def run(name: str, **asked: object) -> Any:  # noqa: ANN401 - JSON
        command = build(running)[name]
        assert isinstance(command, RoleCommand)
        return await command.run_as(asked, holder)

    return run


async def test_commands_ask_for_the_role(broker: Running) -> None:
    as_reader = await give(broker, "f.gegevens", "data_protection_officer")
    as_reviewer = await give(broker, "r.eviewer", "reviewer")
    home = await open_household(broker, next(NUMBERS))
    number = broker.broker.log.size
    await inquire(broker, home, next(iter(home.handles)))
    reads = ("reviews_findings", "processing_register", "dpia", "indicators")
    for name in reads:
        await as_reader(name)
    await as_reader("reviews_list", list="volume")
    size = broker.broker.log.size
    for name, asked in (
        ("reviews_look", {"number": number, "reason": "Een goede reden."}),
        ("reviews_sample", {}),
        ("reviews_find", {"list": "volume", "outcome": "asked", "note": "Nagevraagd."}),
    ):
        with pytest.raises(RoleMissingError):
            await as_reader(name, **asked)
    assert broker.broker.log.size == size
    found = await as_reviewer("reviews_look", number=number, reason="Een goede reden.")
    assert (found["number"], found["act"], found["staff"]) == (number, "inquire", "j.jansen")
    assert broker.broker.log.size == size + 1
    stranger = Holder("z.vreemd", "rijnstad", "reviewer")  # the register does not know them
    with pytest.raises(RoleMissingError):
        await build(broker)["reviews_look"].run_as({"number": number, "reason": "Reden"}, stranger)


async def test_what_is_wrong_is_one_clear_error_and_changes_nothing(broker: Running) -> None:
    commands, size = build(broker), broker.broker.log.size
    before = broker.broker.oversight.reviewing.list_findings()
    for name, asked, code in (
        ("reviews_list", {"list": "everything"}, "input_invalid"),
        ("reviews_list", {}, "input_invalid"),
        ("reviews_look", {"number": 3, "reason": ""}, "reason_missing"),
        ("reviews_look", {"number": 3, "reason": f"Het nummer {_BSN}."}, "number_in_note"),
        ("reviews_look", {"number": -1, "reason": "Een goede reden."}, "input_invalid"),
        ("reviews_look", {"number": 9_999_999, "reason": "Een goede reden."}, "entry_unknown"),
        ("reviews_look", {"number": 10**19, "reason": "Een goede reden."}, "entry_unknown"),
        ("reviews_look", {"number": 3, "reason": "Een goede reden.", "more": 1}, "input_invalid"),
        ("reviews_find", {"list": "volume", "outcome": "asked", "note": ""}, "input_invalid"),
        ("reviews_find", {"list": "volume", "outcome": "guilty", "note": "x"}, "input_invalid"),
        ("reviews_find", {"list": "volume", "outcome": "asked", "note": _BSN}, "number_in_note"),
        ("reviews_sample", {"count": 0}, "input_invalid"),
        ("indicators", {"month": "2999-01"}, "month_unknown"),
        ("indicators", {"month": "vorige"}, "month_unknown"),
        ("partner_use", {"partner": "0" * 20 + ":nobody"}, "partner_not_listed"),
    ):
        with pytest.raises(DatwatError) as caught:
            await commands[name]({**asked, **_BY})
        assert caught.value.code == code, (name, asked)
        assert _BSN not in str(caught.value)
        assert _BSN not in str(caught.value.place)
    assert broker.broker.log.size == size
    assert broker.broker.oversight.reviewing.list_findings() == before


async def test_without_a_name_nobody_looks(broker: Running) -> None:
    commands = build(broker)
    with pytest.raises(DatwatError) as caught:
        await commands["reviews_look"]({"number": 3, "reason": "Een goede reden."})
    assert caught.value.code == "input_invalid"


async def test_nobody_invents_the_second_person(broker: Running) -> None:
    """Promise 5: one alone, with a name that nobody gave a role, sees nothing that waits."""
    as_reviewer = await give(broker, "l.alleen", "reviewer")
    await give(broker, "a.udit", "auditor")
    await give(broker, "a.uteur", "author")
    size = broker.broker.log.size
    home, _ = await open_waiting(broker, bsn := next(NUMBERS))
    number = broker.broker.log.size
    await inquire(broker, home, bsn)
    after = broker.broker.log.size
    assert after == number + 1 > size
    asked = {"number": number, "reason": "Een goede reden.", "second_role": "auditor"}
    for second in ("n.iemand", "a.uteur"):
        with pytest.raises(RoleMissingError):
            await as_reviewer("reviews_look", **asked, second_by=second)
    with pytest.raises(DatwatError) as caught:
        await as_reviewer("reviews_look", **asked, second_by="l.alleen")
    assert caught.value.code == "second_person"
    assert broker.broker.log.size == after
    found = await as_reviewer("reviews_look", **asked, second_by="A.Udit")
    assert found["waits"]
    assert broker.broker.log.size == after + 1


async def test_a_finding_names_only_what_one_alone_may_look_at(broker: Running) -> None:
    """Promise 5: whoever reads findings learns of none that waits, nor whether it is there."""
    commands, before = build(broker), broker.broker.oversight.reviewing.list_findings()
    home, _ = await open_waiting(broker, bsn := next(NUMBERS))
    waiting = broker.broker.log.size
    await inquire(broker, home, bsn)
    asked = {"list": "volume", "outcome": "asked", "note": "Nagevraagd.", **_BY}
    told = set()
    for number in (waiting, 9_999_999, 10**19):
        with pytest.raises(DatwatError) as caught:
            await commands["reviews_find"]({**asked, "entries": [number]})
        assert caught.value.code == "entry_unknown", number
        told.add(str(caught.value))
    assert len(told) == 1
    assert broker.broker.oversight.reviewing.list_findings() == before


async def test_a_finding_is_kept_with_its_outcome(broker: Running) -> None:
    commands, before = build(broker), broker.broker.oversight.reviewing.list_findings()
    home = await open_household(broker, bsn := next(NUMBERS))
    number = broker.broker.log.size
    await inquire(broker, home, bsn)
    asked = {
        "list": "hours",
        "outcome": "explained",
        "note": "Een nachtdienst; de teamleider bevestigde het.",
        "who": "K7Q2MX",
        "entries": [number - 1, number],
    }
    await commands["reviews_find"]({**asked, **_BY})
    found, *others = (await commands["reviews_findings"]({}))["findings"]
    assert len(others) == len(before)
    assert {name: found[name] for name in asked} == asked
    assert found["role"] == "toezichthouder"
    assert "by" not in found


async def test_figures_as_csv(broker: Running) -> None:
    found = await build(broker)["indicators"]({"format": "csv", "language": "nl"})
    assert found["csv"].startswith("month,table,row,count\r\n")
    assert "Nieuwe aanleidingen" in found["csv"]
