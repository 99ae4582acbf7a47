"""`datwat keyholder backup` and `restore`: the scalar as three shares, of which two bring it back.

`backup` only reads the secrets of the home; `restore` needs the key holder stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from datwat.party import clock
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.init import CARD_FILE
from datwat.party.running import holding_stopped
from datwat.party.settings import load_settings, require_home
from keyholder.settings import KeyHolderSettings
from keyholder.shares import restore_scalars, write_shares


def backup(
    *,
    home: HomeOption,
    out: Annotated[Path, typer.Option(help="A new folder for the three files.")],
    as_json: JsonOption = False,
) -> None:
    """Write three shares of the scalar. Any two bring it back; give each to another person."""
    require_home(home, "keyholder")
    settings = load_settings(KeyHolderSettings, home)
    paths = write_shares(settings, out, clock.now())
    print_result({"shares": [str(path) for path in paths], "needed": 2}, as_json=as_json)


def restore(
    shares: Annotated[list[Path], typer.Argument(help="Two share files of one backup.")],
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Bring the scalar back into a home of `init`, or into this home where it was lost."""
    require_home(home, "keyholder")
    settings = load_settings(KeyHolderSettings, home)
    with holding_stopped(settings.home):
        epochs = restore_scalars(settings, shares)
    print_result({"epochs": epochs, "card": str(home / CARD_FILE)}, as_json=as_json)
