"""A source asked without a broker: its declaration, read by the connector's own code, over HTTP.

`python -m bench.direct PORT HOME` serves the sources of the partner in HOME until it is stopped; it
dies with its parent.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from bench.hello import serve_plain
from connectors.settings import ConnectorSettings
from connectors.sources.opening import Sources
from datwat.party.serve import die_with_parent
from datwat.party.settings import load_settings


class Question(BaseModel):
    """Which facts of which client."""

    product: str
    number: str
    fields: tuple[str, ...]


class Facts(BaseModel):
    """What the source holds of them."""

    values: dict[str, Any]


def build_app(sources: Sources) -> FastAPI:
    """Return the service; nobody is asked who they are, and nothing is written down."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.post("/facts")
    async def read(question: Question) -> Facts:
        record = await sources.fetch_record(question.product, question.number, question.fields)
        return Facts(values=dict(record.values))

    return app


if __name__ == "__main__":
    die_with_parent()
    settings = load_settings(ConnectorSettings, Path(sys.argv[2]))
    serve_plain(
        build_app(Sources.load(settings.home, settings.declaration_paths)), int(sys.argv[1])
    )
