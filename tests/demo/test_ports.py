"""Ports that are handed out are nobody else's, and can be listened on again and again."""

from __future__ import annotations

import socket

import pytest

from demo.covenant import find_ports


def test_a_port_that_was_found_is_free_for_its_server_only() -> None:
    ports = find_ports(20)
    assert len(set(ports)) == len(ports)
    for port in ports:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))  # as another process would look for one
        for _ in range(2):
            with (
                socket.create_server(("127.0.0.1", port)) as server,
                socket.create_connection(("127.0.0.1", port)) as asking,
            ):
                server.accept()[0].close()
                assert asking.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
