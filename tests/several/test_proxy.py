"""The tests' own proxy leaves nothing open, whatever it was taking in when it was closed."""

from __future__ import annotations

import gc
import socket
import warnings
from contextlib import suppress

import pytest

from tests.several.proxy import Proxy


@pytest.mark.parametrize("hangs", [False, True])
def test_what_it_takes_in_while_it_closes_is_closed(hangs: bool) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(40):
            callers = []
            with Proxy(server.getsockname()[1]) as proxy:
                if hangs:
                    proxy.hang()
                for _ in range(20):
                    with suppress(OSError):
                        callers.append(socket.create_connection(("127.0.0.1", proxy.port), 5))
            for caller in callers:
                caller.close()
        gc.collect()
    assert [str(one.message) for one in said] == []
