"""The log: hand over a job, get back the proof that it was written down.

Rule: nobody gets an answer before the entries are durable, the ratchet holds the head above them,
and that head is signed. Once the disk failed, the log stays stopped.
Source: house reference "audit-log", Sequencing.

A batch is written, its head signed and everybody answered; then comes the next one. Who does so
says `batches.py`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from broker.audit.batches import Batches, find_loop
from broker.audit.ports import Head, LogStore
from broker.audit.records import (
    Appended,
    Job,
    LogBusyError,
    LogError,
    LogMissingError,
    LogStoppedError,
    LogTakenError,
)
from broker.audit.sealing import Sealing
from broker.audit.signer import Signed, Signer
from broker.audit.tree import Edge, TreeReader
from broker.audit.writer import Committed, Waiting, Writer
from datwat.party import metrics
from datwat.party.ratchet import Ratchet, RatchetError
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.merkle import (
    EMPTY_ROOT,
    MerkleError,
    build_consistency_proof,
)

MAX_WAITING = 4_096
_BATCH_SECONDS = metrics.find_histogram("datwat_log_batch_seconds")
_BATCH_JOBS = metrics.find_histogram("datwat_log_batch_jobs")

_Answer = tuple[asyncio.Future[Appended], Appended | BaseException]


class Log:
    """One log of one origin, written by this process, and by others where the ratchet is shared."""

    def __init__(
        self,
        store: LogStore,
        ratchet: Ratchet,
        checkpoints: CheckpointSigner,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Wire the stages; `on_failure` is called, in any thread, if the log stops by itself."""
        self._store = store
        self._checkpoints = checkpoints
        self._tree = TreeReader(store)
        edge = Edge(store, self._tree)
        self._is_shared = ratchet.is_shared
        self._writer = Writer(store, self._tree, edge, is_shared=ratchet.is_shared)
        self._signer = Signer(ratchet, checkpoints, self._tree, edge, store)
        self._on_failure = on_failure
        may_write_here = store.is_in_process and not ratchet.is_shared
        self._batches = Batches(self._write_batch, may_write_here=may_write_here)
        self._signed: Signed | None = None
        self._failure: BaseException | None = None
        self._accepting = False
        self._gate = threading.Lock()

    def start(self) -> None:
        """Check the database against the ratchet, sign the head, and take jobs.

        Raises:
            LogMissingError: no log of this origin.
            LogBehindError: the database was put back to an older state.
            LogForkedError: the database holds another log than was signed.
            LogDamagedError: part of the tree is gone.
        """
        with self._store.reading() as connection:
            head = self._store.find_head(connection)
        if head is None or head.origin != self._checkpoints.origin:
            raise LogMissingError
        self._signed = self._signer.sign(head.size, head.root)
        self._accepting = True
        self._batches.start()

    def stop(self) -> None:
        """Write and sign what waits, then stop; idempotent."""
        with self._gate:
            self._accepting = False
        self._batches.stop()

    async def append(self, job: Job) -> Appended:
        """Write a job and return its receipts once they are signed.

        A caller that is cancelled meanwhile may still find the job written.

        Raises:
            LogBusyError: too many jobs wait.
            LogStoppedError: the log has stopped.
            LogError: nothing was written, as far as is known; the same may be tried again.
            Exception: whatever `job.work` raised; nothing of the job was written.
        """
        waiting = Waiting(job, asyncio.get_running_loop().create_future())
        with self._gate:
            if not self._accepting:
                raise LogStoppedError
            if self._batches.waiting >= MAX_WAITING:
                raise LogBusyError
            self._batches.put(waiting)
        return await waiting.future

    def checkpoint(self) -> str:
        """Return the note of the last head that was signed, by whichever process.

        Raises LogBehindError, LogForkedError (the log stops), RatchetError.
        """
        return self._catch_up().note

    @property
    def known_checkpoint(self) -> str:
        """The note of the last signed head as far as this process knows; from memory."""
        return self._require_signed().note

    def checkpoint_at(self, size: int) -> str:
        """Return the note of an earlier head, or of the last one where `size` is beyond it.

        `size` is at least 1. Raises what `checkpoint` raises, and LogDamagedError.
        """
        signed = self._require_signed()
        if size > signed.size:
            signed = self._catch_up()
        if size >= signed.size:
            return signed.note
        try:
            return self._signer.sign_within(size, signed).note
        except LogError as error:
            self._fail(error)
            raise

    @property
    def size(self) -> int:
        """How many entries the last signed head covers; raises what `checkpoint` raises."""
        return self._catch_up().size

    @property
    def known_size(self) -> int:
        """The same as far as this process knows; from memory."""
        return self._require_signed().size

    @property
    def is_busy(self) -> bool:
        """Whether jobs are being written or wait to be: others leave the database to them."""
        return self._batches.is_busy

    @property
    def waiting(self) -> int:
        """How many jobs wait to be taken up."""
        return self._batches.waiting

    @property
    def failure(self) -> BaseException | None:
        """What stopped the log, or None."""
        return self._failure

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, mostly from memory; for proofs, in any thread.

        Raises:
            LogDamagedError: it is not there.
        """
        return self._tree.node(level, index)

    def build_consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """Return the proof from one size to another that was signed (see `size`).

        Raises:
            MerkleError: not 0 < `old_size` ≤ `new_size` ≤ the signed size.
        """
        if new_size > self._require_signed().size:
            raise MerkleError("The log is not that large.")
        return tuple(build_consistency_proof(self._tree.node, old_size, new_size))

    def _require_signed(self) -> Signed:
        if self._signed is None:
            raise LogStoppedError
        return self._signed

    def _catch_up(self) -> Signed:
        """Take up what another process signed since: what is shown never goes back for anybody."""
        signed = self._require_signed()
        if not self._is_shared:
            return signed
        try:
            newer = self._signer.find_newer(signed.size)
        except LogError as error:
            self._fail(error)
            raise
        return signed if newer is None else self._keep(newer)

    def sign_committed(self) -> None:
        """Sign what is committed, where another process may have written it and not signed it yet.

        For who found there what they are to prove. Raises what `checkpoint` raises.
        """
        if self._is_shared:
            try:
                self._keep(self._signer.sign_committed())
            except LogError as error:
                self._fail(error)
                raise

    def _keep(self, signed: Signed) -> Signed:
        """Hold the larger of two signed heads; another thread may have held one just now."""
        with self._gate:
            held = self._signed
            if held is None or signed.size > held.size:
                self._signed = held = signed
            return held

    def _write_batch(self, batch: Sequence[Waiting], *, at_once: bool) -> bool:
        """Write, sign and answer; False, and nothing was done, where another has the database."""
        if self._failure is not None:
            _answer_all([(waiting.future, LogStoppedError()) for waiting in batch])
            return True
        began = time.perf_counter()
        try:
            if not self._write_and_sign(batch, at_once=at_once):
                return False
            _BATCH_SECONDS.observe(time.perf_counter() - began)
            _BATCH_JOBS.observe(len(batch))
        except Exception as error:  # noqa: BLE001 - what became of it is not known: nothing follows
            self._fail(error)
            _answer_all([(waiting.future, LogStoppedError()) for waiting in batch])
        return True

    def _write_and_sign(self, batch: Sequence[Waiting], *, at_once: bool) -> bool:
        try:
            committed = self._writer.write(batch, at_once=at_once)
        except LogTakenError:
            return False
        except Exception as error:  # noqa: BLE001 - everyone who waits must hear of it
            refusal = error if isinstance(error, LogError) else LogError()
            if isinstance(error, LogError) or self._store.is_fatal(error):
                self._fail(error)
                refusal = LogStoppedError()
            refusal.__cause__ = error
            _answer_all([(waiting.future, refusal) for waiting in batch])
            return True
        failed = [(item.future, item.error) for item in batch if item.error is not None]
        _answer_all(failed)
        if committed.written:
            self._sign(committed)
        return True

    def _sign(self, committed: Committed) -> None:
        written = committed.written
        try:
            signed = self._signer.sign(committed.size, committed.root)
            appended = self._signer.build_appended(written, signed)
        except Exception as error:  # noqa: BLE001 - after this nothing may be signed
            if self._is_shared and not isinstance(error, LogError | RatchetError):
                # What others wrote could not be read: it is written, and the next batch signs it.
                refusal = LogError()
                refusal.__cause__ = error
                _answer_all([(waiting.future, refusal) for waiting in written])
                return
            self._fail(error)
            _answer_all([(waiting.future, LogStoppedError()) for waiting in written])
            return
        self._keep(signed)
        _answer_all([(waiting.future, one) for waiting, one in zip(written, appended, strict=True)])

    def _fail(self, error: BaseException) -> None:
        """Stop for good; what waits is refused, in the database nothing more changes."""
        with self._gate:
            first = self._failure is None
            self._failure = self._failure or error
            self._accepting = False
        if first and self._on_failure is not None:
            self._on_failure(error)


def create_log(store: LogStore, sealing: Sealing, origin: str) -> None:
    """Write the head of an empty log into a database that has none.

    Raises:
        LogError: the database holds a log already.
    """
    with store.writing() as connection:
        if store.find_head(connection) is not None:
            raise LogError("This database holds a log already.")
        key = sealing.mint_delayed_chain_key()
        store.insert_head(connection, Head(origin, 0, EMPTY_ROOT, key))


def _answer_all(answers: Sequence[_Answer]) -> None:
    """Hand results to those who wait, with one wake-up per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        by_loop.setdefault(answer[0].get_loop(), []).append(answer)
    here = find_loop()
    for loop, mine in by_loop.items():
        if loop is here:
            loop.call_soon(_settle, mine)
            continue
        try:
            loop.call_soon_threadsafe(_settle, mine)
        except RuntimeError:
            continue  # that loop has ended: nobody waits there any more


def _settle(answers: Sequence[_Answer]) -> None:
    for future, result in answers:
        if future.done():
            continue
        if isinstance(result, StopIteration):  # which a future does not take
            future.set_exception(RuntimeError("A job of the log raised StopIteration."))
        elif isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
