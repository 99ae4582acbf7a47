"""Fetches a bundle over TLS from a broker whose certificate no public CA gave; prints its `seq`.

`python -m tests.connectors.gateway.own_ca_child FOLDER`, with `cert.pem` and `key.pem` there. A
process of its own: which CAs it believes is settled when it starts, by `SSL_CERT_FILE`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from connectors.policy import PolicyKeeper
from datwat.party.http_out import HttpOut, PeerError
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import AcceptedList, Directory
from datwat.protocol.trust import BrokerEntry
from tests.connectors.gateway.test_policy_refresh import serve
from tests.connectors.gateway.world import build_signed_bundle, build_trust, jwk
from tests.protocol.order_world import BROKER, catalogue


async def fetch(folder: Path) -> str:
    archive, signature = build_signed_bundle(folder, catalogue(), seq=7)
    files = {"/v1/bundle": archive, "/v1/bundle/signature": signature}
    with serve(files, folder) as url, Ratchet.open(folder / "ratchet") as ratchet:
        broker = BrokerEntry(id=BROKER, name="b", keys=(jwk(BROKER),), x25519=(bytes(32),), url=url)
        directory = Directory(AcceptedList(b"", bytes(32), build_trust(broker=broker)))
        async with HttpOut() as http:
            keeper = PolicyKeeper(folder, lambda: directory, ratchet, http)
            try:
                return str((await keeper.refresh()).seq)
            except PeerError as error:
                return error.code


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(fetch(Path(sys.argv[1]))))
