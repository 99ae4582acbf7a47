"""How many trials run at once, of all and of one officer; what is over is refused and not piled up.

Places are held by hand where processes would only make it slow: all trials count the same ones.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from broker.policy.draft_reading import read_purpose
from broker.trying.at_once import MOST_AT_ONCE, MOST_EACH, AtOnce, OwnTrialsError, TrialsFullError
from broker.trying.trial_spawn import TrialBusyError, TrialRefusedError
from tests.authoring.world import Office, number
from tests.trial.world import find_purpose

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
NAME = "coordinate_family_help"


def places(office: Office) -> AtOnce:
    return office.broker.trials._at_once  # noqa: SLF001 - held by hand


async def test_places_are_counted_by_officer_and_in_all() -> None:
    made = AtOnce(most=3, most_each=2)
    with made.hold("a"), made.hold("a"):
        with pytest.raises(OwnTrialsError), made.hold("a"):
            pass
        with made.hold("b"):
            for who in ("b", "c", None):
                with pytest.raises(TrialsFullError), made.hold(who):
                    pass
        with made.hold(None), pytest.raises(TrialsFullError), made.hold(None):
            pass
    with made.hold("a"), made.hold("a"), made.hold("b"):
        pass


async def test_one_officer_tries_so_much_at_once(office: Office) -> None:
    draft, trials = find_purpose(NAME), office.broker.trials
    tries = [trials.try_cases(draft, by="a.auteur") for _ in range(MOST_EACH + 1)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["CasesResult"] * MOST_EACH + ["OwnTrialsError"]
    with places(office).hold("a.auteur"), places(office).hold("a.auteur"):
        with pytest.raises(OwnTrialsError):
            trials.mutate(draft, by="a.auteur")
        with pytest.raises(OwnTrialsError):
            await office.broker.replays.start_replay(draft, by="a.auteur")
        with pytest.raises(OwnTrialsError):
            await office.propose(office.write(sentence=number(830)))
    assert trials.find_mutation() is None


async def test_all_officers_together_try_so_much_at_once(office: Office) -> None:
    draft, trials, replays = find_purpose(NAME), office.broker.trials, office.broker.replays
    with ExitStack() as stack:
        for count in range(MOST_AT_ONCE):
            stack.enter_context(places(office).hold(f"officer.{count}"))
        with pytest.raises(TrialsFullError):
            await trials.try_cases(draft, by="another")
        with pytest.raises(TrialsFullError):
            trials.mutate(draft, by="another")
        with pytest.raises(TrialsFullError):
            await replays.start_replay(draft, by="another")
        # Nothing was begun that does not run.
        assert trials.find_mutation() is None
        assert replays.list_replays() == []
    assert (await trials.try_cases(draft, by="another")).failed == 0


async def test_a_replay_and_a_check_hold_their_places_until_they_are_over(office: Office) -> None:
    text = office.write(NAME, sentence=number(831))
    draft, replays = read_purpose(text), office.broker.replays
    begun = await replays.start_replay(draft, by="a.auteur")
    with pytest.raises(TrialBusyError) as refused:
        await replays.start_replay(draft, by="a.auteur")
    assert type(refused.value) is TrialBusyError  # one replay at a time, whoever asks
    office.broker.trials.mutate(draft, by="a.auteur")
    with pytest.raises(OwnTrialsError):
        await office.broker.trials.try_cases(draft, by="a.auteur")
    async with asyncio.timeout(120):
        while replays.is_running or places(office)._held:  # noqa: ASYNC110, SLF001 - processes
            await asyncio.sleep(0.05)
    assert (await replays.require_replay(begun.number)).state == "done"
    for _ in range(MOST_AT_ONCE + 1):  # a trial that is refused leaves its place too
        with pytest.raises(TrialRefusedError):
            await office.broker.trials.run_cases(b"no archive", None, "a.auteur")
    assert not places(office)._held  # noqa: SLF001 - as above
