"""What an officer's command makes sure of before it signs a proposal: nothing is signed blind.

Rule enforced: the texts shown are those whose hashes are signed; the bundle that came is the one
that is named; and it is the bundle in force, which the policy keys signed, with the one effect that
is read and no other. The command writes texts and changes itself, from the two bundles, and finds
the same. A broker that was taken over cannot have another purpose, another rule or another bundle
signed than the one that is read; whose policy keys count is what the trust list in the home says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from broker.policy.authoring_ports import PolicyKeys, open_archive
from broker.policy.bundle import rebuild_archive
from broker.policy.candidate import (
    By,
    Candidate,
    build_roll_back,
    build_withdrawal,
    tell_revision,
)
from broker.policy.draft_reading import Ground
from broker.purposes.bundled_cases import read_cases
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.trust_list import parse_list, read_verify_keys
from datwat.protocol.bundle import (
    CASES_PATH,
    CATALOGUE_PATH,
    MANIFEST_PATH,
    Bundle,
    BundleStatement,
    open_bundle,
    read_archive,
)
from datwat.protocol.catalogue import Language
from datwat.protocol.errors import DatwatError
from datwat.protocol.purpose_approval import PurposeApproval, derive_text_hash
from datwat.protocol.values import FormError, decode_bytes

# Who proposed is nowhere in what is compared.
_ANYBODY = By("nobody", "nobody")
_LANGUAGES: tuple[Language, Language] = ("nl", "en")
_OF_PURPOSES = frozenset((CATALOGUE_PATH, CASES_PATH, MANIFEST_PATH))


class NotAsShownError(PartyError):
    """What the broker asks to be signed is not what it shows."""

    code = "not_as_shown"
    default_detail = (
        "What the broker asks you to sign is not what it shows. Do not sign: tell your "
        "administrator and the other approvers."
    )


class _ToSign(BaseModel):
    """What the broker sends: what is signed, what it is about, and the bundle in force.

    `earlier`: the signed document of publication `to_seq`, where that is what is rolled back to.
    """

    approval: PurposeApproval
    statement: BundleStatement
    archive: str
    base_archive: str
    base_document: str
    text_nl: str
    text_en: str
    changes_nl: tuple[str, ...]
    changes_en: tuple[str, ...]
    to_seq: int | None = None
    earlier: str | None = None

    @property
    def told(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return text and changes, in both languages."""
        return (self.text_nl, self.changes_nl), (self.text_en, self.changes_en)


def read_home_keys(home: Path) -> PolicyKeys:
    """Return the policy keys of the trust list that a home goes by.

    Raises NotAsShownError where there is not exactly one, or it cannot be read.
    """
    try:
        (path,) = (home / "trust").glob("*.json")
    except ValueError:
        raise NotAsShownError("This home holds no trust list that can be read.") from None
    return read_list_keys(path)


def read_list_keys(path: Path) -> PolicyKeys:
    """Return the policy keys that a file with the trust list names; raise NotAsShownError."""
    try:
        policy = parse_list(path.read_bytes())[0].trust.policy
    except OSError as error:
        raise NotAsShownError(describe_obstacle(error, path)) from None
    except (ValueError, DatwatError):
        raise NotAsShownError(f"{path} holds no trust list that can be read.") from None
    return PolicyKeys(tuple(read_verify_keys(policy.keys).values()), policy.threshold)


def require_as_shown(
    found: dict[str, Any], keys: PolicyKeys
) -> tuple[PurposeApproval, BundleStatement]:
    """Return what is to be signed, if it is what is shown; raise NotAsShownError."""
    try:
        asked = _ToSign.model_validate(found)
        bundle = open_archive(decode_bytes(asked.archive), asked.statement.seq)
        base = _open_signed(asked.base_archive, asked.base_document, keys)
        fits = _fits(asked, bundle, base) and _has_effect(asked, bundle, base, keys)
    except (ValidationError, FormError, DatwatError):
        raise NotAsShownError from None
    if not fits:
        raise NotAsShownError
    return asked.approval, asked.statement


def _open_signed(archive: str, document: str, keys: PolicyKeys) -> Bundle:
    return open_bundle(decode_bytes(archive), decode_bytes(document), keys.keys, keys.threshold)


def _fits(asked: _ToSign, bundle: Bundle, base: Bundle) -> bool:
    """Whether all that is named is what came."""
    approval, statement = asked.approval, asked.statement
    return (
        (bundle.digest, bundle.revision) == (statement.bundle_digest, statement.revision)
        and (approval.bundle_digest, approval.seq) == (statement.bundle_digest, statement.seq)
        and statement.seq > base.seq
        and approval.text_nl_sha256 == derive_text_hash(asked.text_nl)
        and approval.text_en_sha256 == derive_text_hash(asked.text_en)
    )


def _has_effect(asked: _ToSign, bundle: Bundle, base: Bundle, keys: PolicyKeys) -> bool:
    """Whether the bundle is the one in force with what is approved, as this command reads it."""
    approval, ground = asked.approval, Ground.of(base)
    if approval.effect == "revise":
        purpose = _find_added(approval, bundle, ground)
        return purpose is not None and asked.told == tuple(_tell(purpose, bundle, ground))
    if approval.effect == "withdraw":
        purpose_id, seq = approval.purpose or "", approval.seq
        made = build_withdrawal(ground, purpose_id, approval.digest, _ANYBODY, seq)
    else:
        _require_published(asked, bundle, base, keys)
        made = build_roll_back(ground, bundle, asked.to_seq or 0, _ANYBODY, approval.seq)
    return _is_made(asked, bundle, made)


def _is_made(asked: _ToSign, bundle: Bundle, made: Candidate) -> bool:
    """Whether a candidate that was made here is what came, in words and in files."""
    words = made.words
    told = (words.text_nl, words.changes_nl), (words.text_en, words.changes_en)
    return asked.told == told and read_archive(made.archive) == read_archive(bundle.archive)


def _find_added(approval: PurposeApproval, bundle: Bundle, ground: Ground) -> Purpose | None:
    """Return the revision that is approved, if it is all that the bundle adds to the base.

    Superseded revisions of the same purpose may have gone, and its cases may be others.
    """
    old, name = ground.catalogue, approval.purpose or ""
    revisions = Catalogue.from_bundle(bundle).purposes.get(name, ())
    held, newest = old.purposes.get(name, ()), old.find_newest(name)
    if not revisions or revisions[-1].valid_from != approval.valid_from:
        return None
    named = (derive_digest(revisions[-1]), derive_digest(newest) if newest else None)
    kept = revisions[:-1]
    is_history = kept == held[len(held) - len(kept) :] and bool(kept) == bool(held)
    if named != (approval.digest, approval.base_digest) or not is_history:
        return None
    purposes = dict(sorted({**old.purposes, name: revisions}.items()))
    cases = read_cases(bundle.cases)
    same = bundle.cases == ground.bundle.cases
    if [one for one in cases if one.purpose != name] != [
        one for one in read_cases(ground.bundle.cases) if one.purpose != name
    ]:
        return None
    expected = rebuild_archive(
        ground.bundle,
        catalogue=old.model_copy(update={"purposes": purposes}),
        cases=None if same else cases,
    )
    return revisions[-1] if read_archive(expected) == read_archive(bundle.archive) else None


def _tell(
    purpose: Purpose, bundle: Bundle, ground: Ground
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the controlled text of a revision and what it changes, in both languages."""
    catalogue = Catalogue.from_bundle(bundle)
    own = [one for one in read_cases(bundle.cases) if one.purpose == purpose.id]
    for language in _LANGUAGES:
        yield tell_revision(purpose, own, catalogue, ground, language)


def _require_published(asked: _ToSign, bundle: Bundle, base: Bundle, keys: PolicyKeys) -> None:
    """Raise unless the bundle was signed when it was published, or has the rules of the base.

    The second is for a publication under policy keys that were replaced since.
    """
    if _list_rules(bundle) == _list_rules(base):
        return
    earlier = _open_signed(asked.archive, asked.earlier or "", keys)
    if earlier.seq != asked.to_seq:
        raise NotAsShownError


def _list_rules(bundle: Bundle) -> dict[str, bytes]:
    """Return the files that are not about purposes: rules, and the texts of codes."""
    files = read_archive(bundle.archive)
    return {path: content for path, content in files.items() if path not in _OF_PURPOSES}
