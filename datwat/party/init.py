"""What the `init` and `serve` of every party have in common: options, the home, the card.

Rule: `init` asks for nothing that another party must keep secret, and replaces nothing: a home, a
secret or a card that stands there already is refused; what fails halfway leaves nothing behind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from datwat.party import clock
from datwat.party.admin import create_admin_token
from datwat.party.console import print_result
from datwat.party.serve import Listener
from datwat.party.serve import serve as run_party
from datwat.party.settings import (
    PartySettings,
    Plain,
    SettingsT,
    load_settings,
    require_home,
    write_settings,
)
from datwat.party.telemetry import configure_logging
from datwat.protocol.trust import Card

CARD_FILE = "card.json"
COVENANT_DAYS = 365

IdOption = Annotated[str, typer.Option("--id", help="OIN, colon, function.")]
NameOption = Annotated[str, typer.Option("--name", help="Name for people.")]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
PortOption = Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.")]
ContactOption = Annotated[
    str,
    typer.Option("--contact", help="A central number or address, without the organisation's name."),
]
DaysOption = Annotated[int, typer.Option("--covenant-days", min=1, help="Term of the covenant.")]
WithParentOption = Annotated[
    bool, typer.Option("--with-parent", help="End when the starting process ends.")
]


@contextmanager
def making_home(
    home: Path, party: str, kind: type[SettingsT], values: Mapping[str, Plain]
) -> Iterator[SettingsT]:
    """Make the home of a `party` (its command) with these settings and an admin token.

    What the block inside raises leaves nothing of the home behind, and whatever lay in the folder
    before: so that `init` can be done again. Raises HomeExistsError, SettingsError, SecretError.
    """
    before = set(home.iterdir()) if home.is_dir() else None
    write_settings(home, {"party": party, **values})
    try:
        settings = load_settings(kind, home, cure="Correct the option, or the environment.")
        create_admin_token(home)
        yield settings
    except BaseException:
        _remove_new(home, before)
        raise


def _remove_new(home: Path, before: set[Path] | None) -> None:
    """Remove what lies in a home that did not lie there before; all of it where it was no folder.

    Nobody has seen its card: no key that is removed here is in use.
    """
    if before is None:
        shutil.rmtree(home)
        return
    for path in set(home.iterdir()) - before:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_card(home: Path, card: Card, *, as_json: bool) -> None:
    """Write the card that the covenant takes up, and print where home and card are."""
    path = home / CARD_FILE
    path.write_text(card.model_dump_json(indent=2), encoding="utf-8")
    print_result({"home": str(home), "card": str(path)}, as_json=as_json)


def derive_covenant_end(days: int) -> datetime:
    """Return the end of a covenant of so many days from now."""
    return clock.now() + timedelta(days=days)


def serve_home(
    party: str,
    kind: type[SettingsT],
    open_party: Callable[[SettingsT], AbstractAsyncContextManager[Sequence[Listener]]],
    *,
    home: Path,
    with_parent: bool,
    process: int = 1,
) -> None:
    """Run the party of this home until it is stopped; raise what its opening raises.

    `process`: which one of several that serve from this home; `open_party` is told by its settings.
    """
    require_home(home, party)
    settings = load_settings(kind, home)
    if process != 1:
        settings = settings.model_copy(update=shift_settings(settings, process))
    configure_logging(settings.log_level)
    opening = partial(open_party, settings)
    run_party(opening, home=settings.home, with_parent=with_parent, process=process)


def shift_settings(settings: PartySettings, process: int) -> dict[str, int]:
    """Return what differs for process 2 and on: its number, and ports that are as much higher."""
    ports = {name: getattr(settings, name) for name in ("port", "metrics_port")}
    shifted = {name: port + process - 1 for name, port in ports.items() if port}
    return {"process": process, **shifted}
