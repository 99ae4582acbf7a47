"""Who writes a batch of the log: the event loop itself where it waits for nobody, else a thread.

Rule: one batch at a time, whoever writes it; who waits is answered in either way alike.

A thread hands the interpreter to and fro with the loop for every batch, which costs a quarter of an
act (docs/decisions/0035). So the loop writes by itself what is short, where the database is a file
of this process that nobody else holds, on a disk that was quick. The thread does the rest: a batch
of a thousand rows, what housekeeping ends, a server's database, a file that another thread writes
just now, a slow disk.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from broker.audit.writer import Waiting

MAX_BATCH = 256
# Those who were answered just now ask again within it: one larger batch for two smaller ones. Only
# after a batch of several, so that who writes alone never waits for nobody.
_GATHER_SECONDS = 0.000_3
# Where the loop waited longer for so many batches one after the other, the thread writes for a
# while. Not after one: a sync takes longer now and then.
_QUICK_SECONDS = 0.010
_SLOW_BATCHES = 3
_SLOW_FOR_SECONDS = 5.0
# After so many in a row the thread writes one, and copies SQLite's journal into the file if it is
# due: the loop's own connection never does, as that takes as long as the journal is.
_BATCHES_HERE = 64


class Write(Protocol):
    """Writes, signs and answers a batch."""

    def __call__(self, batch: Sequence[Waiting], *, at_once: bool) -> bool:
        """Return False, and do nothing, where `at_once` and another holds the database."""
        ...


class Batches:
    """Gathers what waits into batches, and has each written."""

    def __init__(self, write: Write, *, may_write_here: bool) -> None:
        """`may_write_here`: a transaction needs nobody outside of this process."""
        self._write = write
        self._may_write_here = may_write_here
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()  # a batch is of many, and of nobody's request
        self._ready: list[Waiting] = []  # for the loop
        self._jobs: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()  # for the thread
        self._is_with_thread = False
        self._places = threading.Lock()  # held while a job finds its place
        self._turn = threading.Lock()  # held while a batch is written
        self._batches_here = 0
        self._slow_batches = 0
        self._slow_until = 0.0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Take jobs from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Have written what waits, then end; nothing may be put in meanwhile."""
        with self._turn, self._places:
            self._give_ready()
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    @property
    def waiting(self) -> int:
        """How many jobs wait to be taken up."""
        return self._jobs.qsize() + len(self._ready)

    @property
    def is_busy(self) -> bool:
        """Whether jobs are being written or wait to be."""
        return self._is_with_thread or self._turn.locked() or bool(self._ready)

    def put(self, waiting: Waiting) -> None:
        """Take a job in; called on the event loop of who waits, of which the first may write."""
        loop = asyncio.get_running_loop()
        with self._places:
            self._loop = self._loop or loop
            may_write = self._may_write_here and waiting.job.is_short and loop is self._loop
            if not may_write or time.monotonic() < self._slow_until:
                self._give(waiting)
                return
            self._ready.append(waiting)
            is_first = len(self._ready) == 1 and not self._is_with_thread
        if is_first:  # written after all else that this turn of the loop does
            loop.call_soon(self._write_here, context=self._context)

    def _give(self, waiting: Waiting) -> None:
        """Leave a job to the thread; `_places` is held."""
        self._is_with_thread = True
        self._jobs.put(waiting)

    def _give_ready(self) -> None:
        ready, self._ready = self._ready, []
        for waiting in ready:
            self._give(waiting)

    def _write_here(self) -> None:
        if not self._turn.acquire(blocking=False):
            return  # the thread calls again when it is done, or `stop` hands over what is ready
        try:
            with self._places:
                batch = [] if self._is_with_thread else self._ready[:MAX_BATCH]
            if batch:
                self._write_or_give(batch)
        finally:
            self._turn.release()

    def _write_or_give(self, batch: list[Waiting]) -> None:
        """Write what is ready; give it to the thread where another has the database."""
        is_over = True  # also where it raises: nothing is written twice
        try:
            is_over = self._batches_here < _BATCHES_HERE and self._write_in_time(batch)
        finally:
            with self._places:
                self._batches_here = self._batches_here + 1 if is_over else 0
                if is_over:
                    del self._ready[: len(batch)]
                self._give_ready()

    def _write_in_time(self, batch: list[Waiting]) -> bool:
        began = time.monotonic() - time.thread_time()
        if not self._write(batch, at_once=True):
            return False
        waited = time.monotonic() - time.thread_time() - began
        self._slow_batches = self._slow_batches + 1 if waited > _QUICK_SECONDS else 0
        if self._slow_batches == _SLOW_BATCHES:
            self._slow_batches = 0
            self._slow_until = time.monotonic() + _SLOW_FOR_SECONDS
        return True

    def _run(self) -> None:
        ended = False
        batch: list[Waiting] = []
        while not ended:
            batch, ended = self._take_batch(gather=len(batch) > 1)
            if batch:
                with self._turn:
                    self._write(batch, at_once=False)
            self._give_back()

    def _give_back(self) -> None:
        """Let the loop go on with what is ready, or take it along where more waits anyway."""
        with self._places:
            if not self._jobs.empty():
                self._give_ready()
                return
            self._is_with_thread = False
            is_due = bool(self._ready)
        if is_due and self._loop is not None:
            with suppress(RuntimeError):  # that loop has ended: nobody waits there any more
                self._loop.call_soon_threadsafe(self._write_here)

    def _take_batch(self, *, gather: bool) -> tuple[list[Waiting], bool]:
        """Wait for a job, then take all that wait; the second value says whether to end."""
        batch: list[Waiting] = []
        item = self._jobs.get()
        if gather:
            time.sleep(_GATHER_SECONDS)
        while item is not None:
            batch.append(item)
            if len(batch) >= MAX_BATCH:
                return batch, False
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def find_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
