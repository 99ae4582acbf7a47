"""The options of `init` for a party whose own staff have pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PagesUrlOption = Annotated[
    str, typer.Option(help="Address at which your own staff reach their pages; '' for none.")
]
PagesHostOption = Annotated[str, typer.Option(help="Address on which the pages listen.")]
PagesPortOption = Annotated[int, typer.Option(help="Port of the pages; 0: a free one.")]
StaffIssuerOption = Annotated[str, typer.Option(help="Issuer of your staff's identity provider.")]
StaffClientOption = Annotated[str, typer.Option(help="What that provider calls this party.")]
StaffSecretOption = Annotated[
    Path | None, typer.Option(help="File with the secret that it gave this party.")
]
StaffIdOption = Annotated[str, typer.Option(help="The claim with somebody's id.")]
StaffLevelsOption = Annotated[
    str, typer.Option(help="Accepted values of acr for staff, separated by commas.")
]
