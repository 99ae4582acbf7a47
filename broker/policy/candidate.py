"""What a proposal would publish: the next bundle, and the texts that approvers read. Pure.

Rule enforced: a candidate is the bundle in force with exactly one effect: one revision more, one
purpose or revision less, or the content of an earlier publication, byte for byte. The same input
gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from broker.policy.bundle import rebuild_archive
from broker.policy.draft_reading import DraftRead, Ground
from broker.purposes.bundled_cases import read_cases
from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.diff import describe_bundle_changes, describe_changes
from broker.purposes.diff_cases import describe_all_case_changes, describe_case_changes
from broker.purposes.drafts import DraftRow, ProposalWords
from broker.purposes.errors import PolicyFileError
from broker.purposes.guards import OWN_ACCESS, require_guarded_catalogue
from broker.purposes.life_errors import (
    NothingChangedError,
    PublicationUnknownError,
    RevisionUnknownError,
)
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.naming import Namer
from broker.purposes.sentences import render_text, write_sentences
from datwat.protocol.bundle import Bundle, BundleStatement, derive_revision, read_archive
from datwat.protocol.bundle import derive_digest as derive_bundle_digest
from datwat.protocol.catalogue import Language
from datwat.protocol.purpose_approval import Effect

_TEXTS = {
    "withdraw": (
        "Het doel {0} wordt ingetrokken. Vanaf de publicatie mag niemand er iets voor vragen.",
        "The purpose {0} is withdrawn. From its publication nothing may be asked for it any more.",
    ),
    "withdraw_one": (
        "Eén versie van het doel {0} wordt ingetrokken, namelijk die van {1}.",
        "One revision of the purpose {0} is withdrawn, the one of {1}.",
    ),
    "roll_back": (
        "Alle regels worden weer die van publicatie {0}.",
        "All rules become those of publication {0} again.",
    ),
}
_LANGUAGES: tuple[Language, Language] = ("nl", "en")


@dataclass(frozen=True, slots=True)
class By:
    """Who proposes, for whom, why, and from which draft."""

    staff: str = field(repr=False)
    organisation: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal before it is kept: its words, and the bundle that it would make."""

    words: ProposalWords = field(repr=False)
    archive: bytes = field(repr=False)
    statement: BundleStatement


def build_revision(ground: Ground, read: DraftRead, draft: DraftRow, seq: int) -> Candidate:
    """Return the candidate that adds the revision of a draft."""
    purpose, base = read.purpose, ground.catalogue.find_newest(read.purpose.id)
    cases = [one for one in read_cases(ground.bundle.cases) if one.purpose != purpose.id]
    if read.cases is None:
        archive = rebuild_archive(ground.bundle, catalogue=read.catalogue)
    else:
        kept = (*cases, *read.cases)
        archive = rebuild_archive(ground.bundle, catalogue=read.catalogue, cases=kept)
    own = read.cases
    if own is None:
        own = tuple(_of(purpose.id, ground.bundle))
    told = [tell_revision(purpose, own, read.catalogue, ground, one) for one in _LANGUAGES]
    words = ProposalWords(
        effect="revise",
        author=draft.words.author,
        organisation=draft.words.organisation,
        purpose=purpose.id,
        digest=derive_digest(purpose),
        base_digest=None if base is None else derive_digest(base),
        valid_from=purpose.valid_from,
        text_nl=told[0][0],
        text_en=told[1][0],
        changes_nl=told[0][1],
        changes_en=told[1][1],
        reason=None,
        to_seq=None,
        draft_id=draft.id,
        source=draft.words.text,
        cases=draft.words.cases,
    )
    return Candidate(words, archive, build_statement(archive, seq))


def tell_revision(
    purpose: Purpose,
    cases: Iterable[Case],
    catalogue: Catalogue,
    ground: Ground,
    language: Language,
) -> tuple[str, tuple[str, ...]]:
    """Return the text of a revision that is signed, and what it changes.

    `cases`: its own, as they will be; what becomes of those in force is said at the end of both.
    """
    said = list_case_changes(purpose, cases, catalogue, ground, language)
    text = render_text(write_sentences(purpose, catalogue, ground.texts, language))
    base = ground.catalogue.find_newest(purpose.id)
    changes = list_changes(base, purpose, catalogue, ground, language)
    return text + "".join(f"{line}\n" for line in said), (*changes, *said)


def list_case_changes(
    purpose: Purpose,
    cases: Iterable[Case],
    catalogue: Catalogue,
    ground: Ground,
    language: Language,
) -> tuple[str, ...]:
    """Return in words what becomes of the cases in force of a purpose."""
    return describe_case_changes(_of(purpose.id, ground.bundle), cases, catalogue, language)


def _of(purpose_id: str, bundle: Bundle) -> Iterator[Case]:
    """Yield the cases that a bundle has of a purpose."""
    return (one for one in read_cases(bundle.cases) if one.purpose == purpose_id)


def build_withdrawal(
    ground: Ground, purpose_id: str, digest: str | None, by: By, seq: int
) -> Candidate:
    """Return the candidate without a purpose, or without one revision of it.

    Raises RevisionUnknownError, GuardRailError where residents would lose their own access.
    """
    newest = ground.catalogue.find_newest(purpose_id)
    if newest is None:
        raise RevisionUnknownError
    try:
        if digest is None:
            catalogue = ground.catalogue.without_purpose(purpose_id)
        else:
            catalogue = ground.catalogue.without_revision(purpose_id, digest)
    except PolicyFileError as error:
        raise RevisionUnknownError(error.detail) from None
    _require_access_stays(ground.catalogue, catalogue)
    cases = read_cases(ground.bundle.cases)
    if catalogue.find_newest(purpose_id) is None:
        cases = tuple(one for one in cases if one.purpose != purpose_id)
    archive = rebuild_archive(ground.bundle, catalogue=catalogue, cases=cases)
    gone = _find(ground.catalogue, purpose_id, digest) or newest
    kind = "withdraw" if digest is None else "withdraw_one"
    namers = [Namer(ground.catalogue, ground.texts, language) for language in _LANGUAGES]
    said = [
        text.format(namer.choose(newest.title), namer.moment(gone.valid_from))
        for text, namer in zip(_TEXTS[kind], namers, strict=True)
    ]
    words = _build_words("withdraw", said, ground, (catalogue, cases), by).model_copy(
        update={"purpose": purpose_id, "base_digest": derive_digest(gone), "digest": digest}
    )
    return Candidate(words, archive, build_statement(archive, seq))


def _require_access_stays(before: Catalogue, after: Catalogue) -> None:
    """Raise GuardRailError where the residents' own access goes, or begins later than it did."""
    require_guarded_catalogue(after)
    held, kept = before.purposes.get(OWN_ACCESS, ()), after.purposes[OWN_ACCESS]
    if held and kept[0].valid_from > held[0].valid_from:
        raise RevisionUnknownError(
            "Residents would be without access to what is recorded about them until the next "
            "revision begins: withdraw that one, or replace this one."
        )


def build_roll_back(ground: Ground, earlier: Bundle, to_seq: int, by: By, seq: int) -> Candidate:
    """Return the candidate that is the content of an earlier publication, byte for byte.

    Raises NothingChangedError where that is what is in force, PublicationUnknownError, and
    GuardRailError for one that would lower a guard rail.
    """
    if earlier.digest == ground.bundle.digest:
        raise NothingChangedError("This publication is what is in force already.")
    if to_seq >= ground.bundle.seq:
        raise PublicationUnknownError
    catalogue = Catalogue.from_bundle(earlier)
    require_guarded_catalogue(catalogue)  # it may be older than a guard rail
    said = [text.format(to_seq) for text in _TEXTS["roll_back"]]
    then = (catalogue, read_cases(earlier.cases))
    words = _build_words("roll_back", said, ground, then, by)
    words = words.model_copy(update={"to_seq": to_seq})
    return Candidate(words, earlier.archive, build_statement(earlier.archive, seq))


def build_statement(archive: bytes, seq: int) -> BundleStatement:
    """Return what the policy keys sign of an archive."""
    return BundleStatement(
        v=1,
        type="policy_bundle",
        bundle_digest=derive_bundle_digest(archive),
        revision=derive_revision(read_archive(archive)),
        seq=seq,
    )


def list_changes(
    base: Purpose | None,
    purpose: Purpose | None,
    catalogue: Catalogue,
    ground: Ground,
    language: Language,
) -> tuple[str, ...]:
    """Return in words what differs between two revisions of a purpose."""
    found = describe_changes(
        base, purpose, catalogue, ground.texts, language, old_catalogue=ground.catalogue
    )
    return tuple(one.text for one in found)


def list_bundle_changes(
    before: Catalogue, after: Catalogue, ground: Ground, language: Language
) -> tuple[str, ...]:
    """Return in words what differs between two bundles."""
    return tuple(describe_bundle_changes(before, after, ground.texts, language).lines())


def _build_words(
    effect: Effect,
    said: Sequence[str],
    ground: Ground,
    then: tuple[Catalogue, Sequence[Case]],
    by: By,
) -> ProposalWords:
    """Return the words of an effect on the whole: one sentence, then every change.

    `then`: the catalogue and the cases that will be.
    """
    catalogue, cases = then
    held = read_cases(ground.bundle.cases)
    nl, en = (
        (
            *list_bundle_changes(ground.catalogue, catalogue, ground, language),
            *describe_all_case_changes(held, cases, catalogue, language),
        )
        for language in _LANGUAGES
    )
    return ProposalWords(
        effect=effect,
        author=by.staff,
        organisation=by.organisation,
        purpose=None,
        digest=None,
        base_digest=None,
        valid_from=None,
        text_nl="\n".join((said[0], *nl)),
        text_en="\n".join((said[1], *en)),
        changes_nl=nl,
        changes_en=en,
        reason=by.reason,
        to_seq=None,
    )


def _find(catalogue: Catalogue, purpose_id: str, digest: str | None) -> Purpose | None:
    found = catalogue.purposes.get(purpose_id, ())
    return next((one for one in found if derive_digest(one) == digest), None)
