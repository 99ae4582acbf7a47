"""Two places for a database's server: one serves, the other one may stand by and take over."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.covenant import find_ports
from tests.postgres import OwnServer, own_server
from tests.several.proxy import Proxy
from tests.several.standby import change_setting, is_followed, promote, rewind, take_copy
from tests.several.world import await_true

_FOLLOWS_SECONDS = 60.0
# With these an old primary can be led back to where the new one left it (`pg_rewind`). They are of
# each copy too: a rewind starts the server by itself.
_REWINDS = {"wal_log_hints": "on", "wal_keep_size": "512MB"}
_STANDBYS = "synchronous_standby_names"


@dataclass
class Pair:
    """The server that takes changes, and the place of another one."""

    primary: OwnServer
    other: OwnServer
    networks: tuple[Proxy, Proxy]

    def build_url(self, name: str) -> str:
        """Return the URL of a database at whichever of the two takes changes, by its network."""
        hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in self.networks)
        return f"postgresql://postgres@/{name}?{hosts}"

    @property
    def network(self) -> Proxy:
        """What lies between the processes and the server that takes changes."""
        return next(one for one in self.networks if one.target == self.primary.port)

    def stop(self) -> None:
        """Stop the server at once, as a power cut would."""
        self.primary.stop()

    def start(self) -> None:
        """Start it again from what it wrote."""
        self.primary.start()

    def follow(self, *, anew: bool) -> None:
        """Have the other one follow: a copy made anew, or what it was before it was left behind."""
        if anew:
            shutil.rmtree(self.other.home / "data", ignore_errors=True)
            take_copy(self.primary, self.other)
        else:
            rewind(self.other, self.primary)
        self.other.start()
        change_setting(self.primary, _STANDBYS, "*")
        await_true(lambda: is_followed(self.primary), _FOLLOWS_SECONDS, "it does not follow")

    def fail_over(self) -> None:
        """Stop the server at once and promote its standby: commits wait for none until `follow`."""
        self.primary.stop()
        promote(self.other)
        self.primary, self.other = self.other, self.primary

    def part(self) -> None:
        """Have the server work alone again."""
        change_setting(self.primary, _STANDBYS, "")
        self.other.stop()


@contextmanager
def server_pair() -> Iterator[Pair]:
    """Yield a running server and an empty place beside it; both are gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="datwat-standby-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    (port,) = find_ports(1)
    other = OwnServer(home, port)
    try:
        with (
            own_server(*(f"{name}={value}" for name, value in _REWINDS.items())) as first,
            Proxy(first.port) as network,
            Proxy(other.port) as other_network,
        ):
            for name, value in _REWINDS.items():
                change_setting(first, name, value)
            yield Pair(first, other, (network, other_network))
    finally:
        with suppress(subprocess.CalledProcessError):
            other.stop()
        shutil.rmtree(home)
