"""Writes docs/reference/{purpose,cases}.schema.json: what officers write, for their editors."""

from __future__ import annotations

import json
import sys
from typing import Any

from generated import write_page  # type: ignore[import-not-found] # beside this script

from broker.policy.evaluation import Evaluation
from broker.purposes.schema import build_case_schema, build_purpose_schema


def main() -> int:
    """Write both schemas; with `--check` only tell whether they are current."""
    schemas: dict[str, dict[str, Any]] = {
        "purpose.schema.json": build_purpose_schema(),
        "cases.schema.json": build_case_schema(Evaluation.model_json_schema()),
    }
    return max(int(write_page(name, _write(schema))) for name, schema in schemas.items())


def _write(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
