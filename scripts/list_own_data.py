"""Writes docs/reference/own-data.schema.json: the form of what a resident takes home as JSON."""

from __future__ import annotations

import json
import sys

from generated import write_page  # type: ignore[import-not-found] # beside this script

from connectors.portal.pages.paper.own_data import build_schema


def main() -> int:
    """Write the schema; with `--check` only tell whether it is current."""
    text = json.dumps(build_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return int(write_page("own-data.schema.json", text))


if __name__ == "__main__":
    sys.exit(main())
