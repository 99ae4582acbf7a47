from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

from datwat.cli import run as run_datwat
from tests.conftest import choose_database, open_party_engine
from tests.databases import EACH
from tests.witness.log_maker import ENTRIES, LogMaker, build_log, serving
from tests.witness.world import World
from witness.tables import MIGRATIONS


class Done(NamedTuple):
    """What a command said: its exit code, its JSON, and its one line of error."""

    code: int
    said: dict[str, Any]
    error: str


RunCommand = Callable[..., Done]
ON_EACH_DATABASE = pytest.mark.parametrize("world", EACH, indirect=True)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """Return a runner of `datwat …`, in this process, as the shell would run it."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = run_datwat([*map(str, words), "--json"], ENTRIES)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        error = json.loads(err)["error"]["detail"] if err.strip() else ""
        assert (code == 0) == bool(out), (out, err)
        return Done(code, json.loads(out) if out else {}, error)

    return run


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Return a running witness, and a log of 700 entries that it may follow.

    On SQLite, unless the test is marked with `ON_EACH_DATABASE`.
    """
    with ExitStack() as stack:
        url = stack.enter_context(choose_database(request))
        server = stack.enter_context(serving(tmp_path / "log"))
        made = World(tmp_path, build_log(700, every=200), server, url)
        stack.callback(made.close)
        made.show()
        yield made.start()


@pytest.fixture(params=EACH)
def own_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a fresh database with the witness's schema, of each kind in turn."""
    with open_party_engine(request, tmp_path, MIGRATIONS) as engine:
        yield engine


@pytest.fixture
def by_key() -> Callable[[LogMaker], tuple[str, ...]]:
    """Return the options that name a log's key on the command line."""
    return lambda maker: ("--key", maker.signer.vkey, "--origin", maker.origin)
