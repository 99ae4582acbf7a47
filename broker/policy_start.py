"""Beginning with a policy: OPA runs, tried, before this broker serves anybody.

Rule: the bundle in the officers' folder, or, where that one may not be put in force, the last one
that was in force here; without either the broker does not start.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_external import ExternalOpa
from broker.adapters.opa_process import OpaMissingError, find_opa
from broker.here import PolicyHere
from broker.policy.proving import require_proven
from broker.policy.publication import Publication, PublicationError
from broker.policy_folders import Found, PolicyFolders
from broker.policy_state import PolicyState, Refused, build_state
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.ratchet import Ratchet
from datwat.party.settings import read_secret
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle, derive_digest
from datwat.protocol.errors import DatwatError

Opa = SupervisedOpa | ExternalOpa
_log = get_logger("policy")


@dataclass(frozen=True, slots=True)
class Begun:
    """The policy with which a broker begins, and the engine that has it.

    `waiting`: the bundle, where it is in force only once an OPA that others run has it.
    """

    engine: Opa
    here: PolicyHere
    state: PolicyState
    folders: PolicyFolders
    waiting: Found | None


async def begin_policy(
    settings: BrokerSettings, directory: Directory, ratchet: Ratchet, stack: AsyncExitStack
) -> Begun:
    """Return the policy to begin with, in force in an OPA that `stack` ends.

    Raises PublicationError, BundleError, ThresholdError, RatchetError, OpaMissingError,
    OpaStartError: those of the officers' folder, where what was kept does not hold either.
    """
    folders = PolicyFolders(Path(settings.bundle), settings.home / "policy-in-force", ratchet)
    kept = folders.find_kept()
    first: DatwatError | None = None
    refused: Refused | None = None
    for read in (folders.read_published, lambda: _require(kept)):
        publication: Publication | None = None
        try:
            publication = read()
            found = folders.verify(publication, directory)
            is_known = kept is not None and derive_digest(kept.archive) == found.bundle.digest
            engine = await _enter(
                settings, found.bundle, stack, is_known=is_known, has_other=kept is not None
            )
        except DatwatError as error:
            first = first or error
            refused = refused or Refused.of(error, publication, clock.now())
            continue
        if refused is not None:
            _log.warning("policy_refused", code=refused.code)
        return _build(engine, found, folders, refused)
    raise first or PublicationError


def _build(engine: Opa, found: Found, folders: PolicyFolders, refused: Refused | None) -> Begun:
    since = folders.find_since(found.bundle.digest)
    is_waiting = isinstance(engine, ExternalOpa)
    if not is_waiting:
        folders.advance(found.bundle)
        if since is None:
            folders.keep(found)
    return Begun(
        engine=engine,
        here=PolicyHere.build(found.bundle, found.document),
        state=build_state(found.bundle, since or clock.now(), refused),
        folders=folders,
        waiting=found if is_waiting else None,
    )


def _require(kept: Publication | None) -> Publication:
    if kept is None:
        raise PublicationError
    return kept


async def _enter(
    settings: BrokerSettings,
    bundle: Bundle,
    stack: AsyncExitStack,
    *,
    is_known: bool,
    has_other: bool,
) -> Opa:
    """Start the engine with `bundle`, tried unless it was in force here before (`is_known`).

    `has_other`: whether there is one that was.
    An OPA that others run may get it only from here: without one of its own the broker begins with
    what was in force and tries the new one there, or, at its very first start, answers nobody until
    it is tried there.
    """
    deadline = settings.opa_deadline_ms / 1_000
    if settings.opa_url:
        token = read_secret(settings.home, "opa.token").decode("ascii")
        is_tried = is_known or await rehearse(bundle)
        if not is_tried and has_other:
            raise OpaMissingError
        return await stack.enter_async_context(
            ExternalOpa(settings.opa_url, token, bundle, deadline=deadline, is_tried=is_tried)
        )
    async with AsyncExitStack() as trying:
        opa = await trying.enter_async_context(
            SupervisedOpa(await find_opa(), bundle, deadline=deadline)
        )
        if not is_known:
            await opa.prove(partial(require_proven, bundle=bundle))
        await stack.enter_async_context(trying.pop_all())
    return opa


async def rehearse(bundle: Bundle, proven: Bundle | None = None) -> bool:
    """Try a bundle in an OPA of its own before others load it; False where there is no program.

    `proven` is in force.

    Raises OpaStartError, BundleCasesError, PolicyUnavailableError.
    """
    try:
        binary = await find_opa()
    except OpaMissingError:
        return False
    async with SupervisedOpa(binary, bundle) as opa:
        await opa.prove(partial(require_proven, bundle=bundle, proven=proven))
    return True
