"""What the OpenAPI document says of the officers' API."""

from __future__ import annotations

import orjson

from broker.api.officers_table import OFFICER_ROUTES, PREFIX
from broker.api.table import INFO, describe_operations
from datwat.party.openapi import build_openapi


def test_each_route_says_what_it_takes_and_gives() -> None:
    document = build_openapi(INFO, describe_operations())
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for route in OFFICER_ROUTES:
        described = document["paths"][(PREFIX + route.path).removeprefix("/v1")]["post"]
        assert described["security"] == [{"bearer": []}]
        body = described["requestBody"]["content"]["application/json"]["schema"]
        answer = described["responses"]["200"]["content"]["application/json"]["schema"]
        for schema in (body, answer):
            assert schema["$ref"].rpartition("/")[2] in document["components"]["schemas"]
    saved = document["components"]["schemas"]["DraftAsked"]
    assert saved["required"] == ["text"]  # what may be left out is not asked of a caller


def test_no_route_takes_a_passphrase() -> None:
    document = orjson.dumps(build_openapi(INFO, describe_operations())).decode()
    assert "passphrase" not in document
