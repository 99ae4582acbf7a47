"""The yardstick: the plainest FastAPI with Pydantic in and out, served as our parties are.

`python -m bench.hello PORT` serves it until it is stopped; it dies with its parent.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from datwat.party.serve import die_with_parent

app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})


class Question(BaseModel):
    """What is asked."""

    name: str
    numbers: tuple[int, ...]


class Greeting(BaseModel):
    """What is answered."""

    text: str
    total: int


@app.post("/hello")
async def greet(question: Question) -> Greeting:
    """Greet, with a sum."""
    return Greeting(text=f"hello {question.name}", total=sum(question.numbers))


def serve_plain(served: FastAPI, port: int) -> None:
    """Serve an app as quickly as uvicorn can, until it is stopped."""
    uvicorn.run(
        served,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    die_with_parent()
    serve_plain(app, int(sys.argv[1]))
