"""Prints the broker's OpenAPI document and starts nothing: `python -m broker.openapi`."""

from __future__ import annotations

import sys

import orjson

from broker.api.table import INFO, describe_operations
from datwat.party.openapi import build_openapi


def main() -> None:
    """Write the document to standard output."""
    document = build_openapi(INFO, describe_operations())
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
