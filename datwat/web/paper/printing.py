"""Makes a PDF without holding the party up: the press is a program beside it, with an end.

Rules: one document at a time per core, a few wait, the rest is asked to come back; what takes too
long is ended; a document goes in and out by pipes, so that nothing of anybody lies on a disk.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Final

from datwat.web.paper.parts import Document, encode_document
from datwat.web.problems import PaperBusyError, PaperFailedError

PATIENCE: Final = timedelta(seconds=20)
MOST_WAITING: Final = 8
_AT_ONCE: Final = 2
_PRESS: Final = "datwat.web.paper.press"


class Printing:
    """Makes documents, a few at a time; one object per process."""

    def __init__(self, patience: timedelta = PATIENCE, most_waiting: int = MOST_WAITING) -> None:
        """Keep how long a document may take, and how many may wait."""
        self._patience = patience
        self._most_waiting = most_waiting
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def build_pdf(self, document: Document) -> bytes:
        """Return the document as PDF/UA-1; raise PaperBusyError or PaperFailedError."""
        if self._waiting >= self._most_waiting:
            raise PaperBusyError
        self._waiting += 1
        try:
            async with self._places:
                data = await asyncio.to_thread(encode_document, document)
                return await self._press(data)
        finally:
            self._waiting -= 1

    async def _press(self, data: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _PRESS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                made, _ = await process.communicate(data)
        except TimeoutError:
            raise PaperFailedError from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0 or not made.startswith(b"%PDF-"):
            raise PaperFailedError
        return made
