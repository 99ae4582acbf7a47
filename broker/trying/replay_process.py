"""The process of one replay: `python -m broker.trying.replay_process HOME NUMBER`.

Rules: it dies with its parent; it says nothing of what it reads, in no line and no error; one that
fails says why by a code, and the replay is `failed` and can be begun again.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.opa_process import find_opa
from broker.adapters.replay_inputs import ReplayInputs
from broker.adapters.replay_store import SqlReplays
from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.secrets import KEK_NAME, ROW_KEY_NAME
from broker.settings import BrokerSettings
from broker.trying.replay_run import ReplayRun
from datwat.party.settings import load_settings
from datwat.party.telemetry import code_failure

_OBJECTS = 200_000


async def run_replay(home: Path, number: int) -> bool:
    """Go on with a replay of this home; return whether it is done.

    Raises what the database, OPA or the key store say.
    """
    settings = load_settings(BrokerSettings, home)
    engine = open_engine(settings.database)
    row_file = RowKeyFile(home / "secrets" / ROW_KEY_NAME)
    replays = SqlReplays(engine, row_file.keys)
    task = replays.take(number)
    if task is None:
        return False
    kek = home / "secrets" / KEK_NAME
    following = asyncio.create_task(row_file.follow())
    try:
        run = ReplayRun(task, replays, ReplayInputs(engine, lambda: FileKek.open(kek)))
        return await run.run(await find_opa())
    except Exception:
        replays.set_state(number, ("running",), "failed")
        raise
    finally:
        following.cancel()
        engine.dispose()


def main(arguments: list[str]) -> int:
    """Run the replay named; exit 1 where it failed."""
    # What is read is trees of JSON, without cycles: looking for those would cost more than reading.
    gc.freeze()
    gc.set_threshold(_OBJECTS, 50, 50)
    try:
        asyncio.run(run_replay(Path(arguments[0]), int(arguments[1])))
    except Exception as error:  # noqa: BLE001 - its own words may hold what was read
        sys.stderr.write(f"{code_failure(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
