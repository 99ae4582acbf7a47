"""A private PostgreSQL server for the partner that has one: where the machine has its programs.

It listens on a socket in its own folder and nowhere else. The server refuses to run as root: then
it runs as the user `postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

_USER = "postgres"
_WAITS = (1.0, 5.0)
_INIT_SECONDS = 60
_LONGEST_SOCKET = 107  # what a Unix socket's address holds


def find_programs() -> Path | None:
    """Return the folder of the server's programs, the newest there is, or None."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: int(path.parts[-3]), reverse=True)
    found = shutil.which("initdb")
    programs = newest[0] if newest else Path(found) if found else None
    if programs is None or (os.geteuid() == 0 and not _find_account()):
        return None
    return programs.resolve().parent


def fits(folder: Path) -> bool:
    """Return whether the address of a socket in `folder` is short enough."""
    return len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= _LONGEST_SOCKET


def create_cluster(programs: Path, folder: Path) -> None:
    """Make an empty cluster in `folder`, which belongs to the server's user."""
    make_folder(folder)
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", _USER]
    run = partial(
        subprocess.run,
        [*command, "--no-sync", "-E", "UTF8"],
        timeout=_INIT_SECONDS,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **build_user(),
    )
    # Seen on a busy machine: the server's own first start did not come up, twice in a row even.
    for seconds in _WAITS:
        if not run(check=False).returncode:
            return
        shutil.rmtree(folder / "data", ignore_errors=True)
        time.sleep(seconds)
    run(check=True)


def make_folder(folder: Path) -> None:
    """Make a private folder of the server's user."""
    folder.mkdir(mode=0o700)
    account = _find_account()
    if os.geteuid() == 0 and account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)


def build_command(programs: Path, folder: Path, *, connections: int = 20) -> list[str]:
    """Return the command that runs the server in the foreground."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "max_connections": str(connections),
        "shared_buffers": "16MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(folder / "data"), *options]


def is_ready(folder: Path) -> bool:
    """Return whether the server takes connections."""
    state = folder / "data" / "postmaster.pid"
    try:
        return state.read_text(encoding="utf-8").splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def build_user() -> dict[str, Any]:
    """Return as whom the server's programs are started: arguments of `subprocess`."""
    if os.geteuid() != 0:
        return {}
    return {"user": _USER, "group": _USER, "extra_groups": []}


def _find_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        return None
