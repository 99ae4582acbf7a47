"""How long a replay takes: a hundred thousand decisions that were kept, put to a draft.

Rule: every decision lies sealed in a real database and is weighed anew by a real OPA, in the
process that a running broker would start; a draft that changes nothing must find nothing.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from bench.decisions import decide, draw_questions, write_decisions
from bench.figures import Figure
from bench.purposes import measure_purposes
from broker.adapters.database import open_engine
from broker.adapters.replay_store import SqlReplays
from broker.adapters.secrets import ROW_KEY_NAME
from broker.policy.replay_result import ReplayPlan, ReplayResult
from broker.purposes.models import Purpose, derive_digest
from broker.settings import BrokerSettings
from broker.trying.trial_spawn import spawn
from datwat.party import clock
from datwat.party.settings import read_secret
from datwat.protocol.bundle import Bundle
from tests.trial.world import build_bundle, draft_of, find_purpose, make_home

DECISIONS = 100_000
_DISTINCT = 4_000
_SECONDS = 60
_GROUP = "a draft put to the past"
_NAME = "debt_counselling"


async def measure_replay(folder: Path, policies: Path, count: int) -> list[Figure]:
    """Return the figures; see the module."""
    bundle = build_bundle()
    settings = make_home(folder)
    decided = await decide(bundle, list(draw_questions(bundle, _DISTINCT)))
    kept = itertools.islice(itertools.cycle(decided), count)
    write_decisions(settings.home, settings.database, kept)
    same, seconds = await _run(settings, bundle, find_purpose(_NAME), count)
    changed, changed_seconds = await _run(
        settings, bundle, draft_of(_NAME, retention_days=10, objection="none"), count
    )
    unequal = float(same.weighed - same.same + (count - same.weighed))
    share = 100_000 / count
    return [
        Figure(_GROUP, f"{count:,} decisions, nothing changed", seconds, "s"),
        Figure(_GROUP, "as 100,000", seconds * share, "s", _SECONDS),
        Figure(_GROUP, "and with a draft that changes", changed_seconds * share, "s", _SECONDS),
        Figure(_GROUP, "differences without a change", unequal, "rows", 0, gate=True),
        Figure(
            _GROUP,
            "differences with one",
            float(changed.newly_allowed + changed.newly_refused + changed.changed),
            "rows",
            1,
            at_least=True,
            gate=True,
        ),
        *await measure_purposes(policies),
    ]


async def _run(
    settings: BrokerSettings, bundle: Bundle, draft: Purpose, count: int
) -> tuple[ReplayResult, float]:
    """Run one replay in a process of its own; return what it found, and its seconds."""
    engine = open_engine(settings.database)
    replays = SqlReplays(engine, read_secret(settings.home, ROW_KEY_NAME))
    now = clock.now().replace(microsecond=0)
    plan = ReplayPlan(
        purpose=draft.id,
        digest=derive_digest(draft),
        draft=draft,
        base_seq=bundle.seq,
        base_revision=bundle.revision,
        from_index=0,
        to_index=count,
        planned_at=now,
    )
    number = replays.begin(plan, bundle.archive, now)
    began = time.perf_counter()
    process = await spawn("broker.trying.replay_process", str(settings.home), str(number))
    _, said = await process.communicate()
    seconds = time.perf_counter() - began
    found = replays.find(number)
    engine.dispose()
    if found is None or found.state != "done":
        raise RuntimeError(said.decode())
    return found, seconds
