"""What runs beside the broker so that outsiders can check its log: tag roots and witnesses.

Rules: the log is compared with what witnesses saw before the first question is taken; a round that
failed is tried again and never stops the routes; a proof of a loss or a fork stops the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from broker.adapters.past_store import SqlPast
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from broker.adapters.witnesses import HttpWitnesses
from broker.audit.cosigning import Cosigning
from broker.audit.log import Log
from broker.audit.past_log import Generations, load_generations
from broker.audit.proofs import Proofs, SignedHead
from broker.audit.publication import ProofBase, Publication
from broker.audit.publication_ports import PublicationStore
from broker.audit.records import LogError
from broker.audit.tag_roots import TagRoots
from broker.audit.tiles import Tiles
from datwat.party.database_errors import find_away
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.party.tag_index import TagIndex
from datwat.party.telemetry import code_failure, get_logger, name_failure
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.tag_tree import EMPTY, TagProof
from datwat.protocol.trust import TrustList
from datwat.protocol.values import encode_moment

# A disk that is full or a server that takes no changes stays so; what passes does so sooner.
_PASSES = timedelta(minutes=5)
_log = get_logger("publishing")


@dataclass(slots=True)
class Publishing:
    """Everything of the public log."""

    tag_roots: TagRoots
    publication: Publication
    cosigning: Cosigning
    tiles: Tiles
    generations: Generations
    store: PublicationStore
    log: Log
    clock: Callable[[], datetime]
    failure: str | None = None
    waits_since: datetime | None = None

    def read_base(self) -> ProofBase:
        """Return what a resident's proofs rest on now."""
        found = self.tag_roots.read_base()  # first: the checkpoint read after it covers it too
        shown = self.publication.read_shown()
        if found is None:
            return ProofBase(shown.note, shown.size, None, 0, EMPTY)
        return ProofBase(shown.note, shown.size, found.index, found.size, found.root)

    def prove_tags(
        self, connection: Connection, tag_size: int, tags: Sequence[bytes]
    ) -> list[TagProof]:
        """Return a proof for each tag under the root of `read_base`; see `TagRoots.prove_tags`."""
        return self.tag_roots.prove_tags(connection, tag_size, tags)

    async def run_tag_roots(self, seconds: float) -> None:
        """State a root each `seconds` where there are new tags, for ever."""
        await self.follow()  # what the process that kept house before stated
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.tag_roots.state()
                await self._cover_shown()  # without witnesses what is signed is what is shown
                self._note_success()
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                self._note(error)

    async def follow(self) -> None:
        """Take in what another process stated and collected; what fails is in `failure`."""
        try:
            await asyncio.to_thread(self._follow)
            self._note_success()
        except Exception as error:  # noqa: BLE001 - it is tried again at the next root
            self._note(error)

    def _note(self, error: Exception) -> None:
        """Keep what failed; a server that is away for a moment says nothing of the log."""
        cause = (error.__cause__ or error) if type(error) is LogError else error
        away = cause if isinstance(cause, RatchetAwayError) else find_away(cause)
        if away is not None:
            _log.warning("tag_root_waits", exception=name_failure(cause))
            self.waits_since = self.waits_since or self.clock()
            if self.clock() - self.waits_since < _PASSES:
                return
        told = away or error
        self.failure = code_failure(told)
        _log.error("tag_root_failed", code=self.failure)

    def _note_success(self) -> None:
        self.failure = self.waits_since = None

    def _follow(self) -> None:
        self.tag_roots.follow()
        self.tag_roots.cover(self.publication.read_shown().size)

    async def cover(self, seconds: float) -> None:
        """Give proofs for what is shown by now, for ever: it may be signed a moment later."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._cover_shown()
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                _log.warning("look_failed", exception=name_failure(error))

    async def _cover_shown(self) -> None:
        # In a thread: it asks the ratchet, which may be on a server that hangs.
        shown = await asyncio.to_thread(self.publication.read_shown)
        self.tag_roots.cover(shown.size)

    def _read_shown(self) -> SignedHead:
        try:
            return self.publication.read_shown()
        except RatchetAwayError:  # who asks for a status is told of it
            return self.publication.read_vouched()

    def build_status(self) -> dict[str, Any]:
        """Return what `status` shows of the public log, as far as it is known."""
        cosigned = self.publication.read_cosigned()
        last = self.tag_roots.last
        now = self.clock()
        return {
            "checkpoint_size": self._read_shown().size,
            "cosignatures": cosigned.count if cosigned else 0,
            "cosigned_size": cosigned.size if cosigned else None,
            "cosigned_seconds_ago": max(0, int(now.timestamp()) - cosigned.at)
            if cosigned
            else None,
            "tag_root_size": last.size if last else None,
            "tag_root_failure": self.failure,
            "witnesses": [
                {
                    "name": name,
                    "size": asked.size,
                    "at": encode_moment(asked.at) if asked.at else None,
                    "failure": asked.failure,
                }
                for name, asked in sorted(self.cosigning.asked.items())
            ],
        }


async def open_publishing(
    engine: Engine,
    log: Log,
    *,
    ratchet: Ratchet,
    http: HttpOut,
    keeper: TrustKeeper,
    clock: Callable[[], datetime],
    on_alarm: Callable[[BaseException], None],
) -> Publishing:
    """Return the public log of a log that runs, checked against what witnesses saw.

    Raises LogBehindError, LogForkedError, LogDamagedError, TagIndexDamagedError.
    """
    store = SqlPublication(engine)
    proofs = Proofs(log)
    tag_roots = TagRoots(log, store, TagIndex(LOG_TAGS), clock)

    def read_trust() -> TrustList:
        return keeper.directory.trust

    publication = Publication(log, store, ratchet, read_trust, tag_roots.cover)
    publication.load()
    cosigning = Cosigning(
        log,
        proofs,
        publication,
        HttpWitnesses(http),
        read_trust=read_trust,
        clock=clock,
        on_alarm=on_alarm,
    )
    await cosigning.require_not_behind()
    await asyncio.to_thread(tag_roots.load, publication.read_shown().size)
    return Publishing(
        tag_roots=tag_roots,
        publication=publication,
        cosigning=cosigning,
        tiles=Tiles(log, store),
        generations=load_generations(SqlPast(engine), read_trust().log.origin),
        store=store,
        log=log,
        clock=clock,
    )
