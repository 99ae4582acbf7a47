"""What a resident, or whoever helps one, can check without asking anybody: three commands.

Rule: keys of log and witnesses come from a trust list whose hash was typed over, never from what is
checked; nothing is fetched and nothing is sent.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from datwat.party import clock
from datwat.party.check_page import build_check_page, read_texts
from datwat.party.completeness_words import Words, say_compared, say_verdict
from datwat.party.console import JsonOption, print_result
from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.trust_list import (
    MAX_LIST_BYTES,
    TrustListFormError,
    TrustListPinError,
    accept_first,
)
from datwat.protocol.canonical import CanonicalError
from datwat.protocol.completeness import MAX_BUNDLE_BYTES, CompletenessBundle, read_bundle
from datwat.protocol.completeness_checks import (
    LogTrust,
    Verdict,
    check_parsed,
    require_continued,
)
from datwat.protocol.documents import DocumentFormError
from datwat.protocol.errors import ProtocolError
from datwat.protocol.held_entries import MAX_HELD_BYTES, compare_held, find_missing, read_held
from datwat.protocol.trust import TrustList
from datwat.protocol.values import encode_bytes, encode_moment

_BUNDLE = "BUNDLE"
app = typer.Typer(no_args_is_help=True, add_completion=False)


class Language(StrEnum):
    """In which language a result is said."""

    NL = "nl"
    EN = "en"


class FileUnreadableError(PartyError):
    """A file that was named cannot be read or written."""

    code = "file_unreadable"
    default_detail = "A file that was named cannot be read or written."


class BundleRefusedError(PartyError):
    """The bundle does not hold, said in the reader's language; the code is the checker's own."""

    code = "completeness_refused"


BundleArgument = Annotated[Path, typer.Argument(help="File of the bundle, from the portal.")]
ListOption = Annotated[Path, typer.Option("--trust-list", help="File of the signed trust list.")]
PinOption = Annotated[
    str, typer.Option("--pin", help="The list's hash, as your municipality published it.")
]
LanguageOption = Annotated[Language, typer.Option(help="Language of the result.")]


@app.command(
    "check-mine",
    epilog="Example: datwat log check-mine bundle.json --trust-list trust-list.json --pin 3f2a…",
)
def check_mine(
    bundle: BundleArgument,
    *,
    trust_list: ListOption,
    pin: PinOption,
    earlier: Annotated[
        Path | None, typer.Option(help="An earlier bundle of the same person, to hold against.")
    ] = None,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Check that nothing is missing from a log: what is proved, until when, and what is not."""
    trust = LogTrust.from_list(_read_trust(trust_list, pin))
    now = clock.now()
    words = read_texts()[language]
    try:
        parsed, verdict = _check(bundle, trust, now, _BUNDLE)
        if earlier is not None:
            before, _ = _check(earlier, trust, now, "--earlier")
            require_continued(parsed, before)
    except ProtocolError as error:
        raise _translate(error, words) from None
    if as_json:
        print_result(verdict.model_dump(mode="json"), as_json=True)
        return
    for line in say_verdict(verdict, words):
        typer.echo(line)


@app.command(
    epilog="Example: datwat log compare bundle.json entries.json --trust-list trust-list.json "
    "--pin 3f2a…"
)
def compare(
    bundle: BundleArgument,
    entries: Annotated[Path, typer.Argument(help="What `connector entries --json` printed.")],
    *,
    trust_list: ListOption,
    pin: PinOption,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Hold what a source or requester has of a person against a bundle; 1 if one is missing."""
    trust = LogTrust.from_list(_read_trust(trust_list, pin))
    words = read_texts()[language]
    try:
        parsed, verdict = _check(bundle, trust, clock.now(), _BUNDLE)
    except ProtocolError as error:
        raise _translate(error, words) from None
    held = read_held(_read(entries, MAX_HELD_BYTES, "ENTRIES"))
    compared = compare_held(parsed, verdict.size, held)
    missing = find_missing(compared)
    rows = [
        {
            "index": one.entry.index,
            "state": one.state,
            "in_log": one.in_log,
            "role": one.entry.role,
            "act": one.entry.act,
            "at": encode_moment(one.entry.at),
            "tag": encode_bytes(one.entry.tag),
        }
        for one in (compared if as_json else missing)
    ]
    counts = {
        "partner": held.partner,
        "held": len(compared),
        "shown": sum(one.state == "shown" for one in compared),
        "not_covered": sum(one.state == "not_covered" for one in compared),
        "missing": len(missing),
    }
    if not as_json:
        for line in say_compared(counts, words):
            typer.echo(line)
    print_result({**counts, "entries": rows}, as_json=as_json)
    if missing:
        raise typer.Exit(1)


@app.command(
    epilog="Example: datwat log page --trust-list trust-list.json --pin 3f2a… --out check.html"
)
def page(
    *,
    trust_list: ListOption,
    pin: PinOption,
    out: Annotated[Path, typer.Option(help="File to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write the page on which residents check by themselves, with the keys of this list built in.

    Publish its hash elsewhere too: broker and witnesses show the same one in their `status`.
    """
    content = build_check_page(_read_trust(trust_list, pin))
    try:
        out.write_bytes(content)
    except OSError as error:
        raise FileUnreadableError(f"--out: {describe_obstacle(error, out)}") from None
    digest = hashlib.sha256(content).hexdigest()
    print_result({"page": str(out), "sha256": digest}, as_json=as_json)


def _check(
    path: Path, trust: LogTrust, now: datetime, named: str
) -> tuple[CompletenessBundle, Verdict]:
    parsed = read_bundle(_read(path, MAX_BUNDLE_BYTES, named))
    return parsed, check_parsed(parsed, trust, now)


def _read_trust(path: Path, pin: str) -> TrustList:
    """Return the pinned list; say which option is wrong, and what to do."""
    document = _read(path, MAX_LIST_BYTES, "--trust-list")
    try:
        digest = bytes.fromhex(pin)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise TrustListPinError(
            "--pin: the hash of a trust list is 64 hexadecimal digits: type over what your "
            "municipality published, or what `datwat trust show` prints."
        )
    try:
        return accept_first(document, digest).trust
    except TrustListPinError:
        raise TrustListPinError(
            f"--pin: {path} is another trust list than the one with this hash: compare the hash "
            "with what your municipality published, and get the list anew."
        ) from None
    except (TrustListFormError, DocumentFormError, CanonicalError):
        raise TrustListFormError(
            f"--trust-list: {path} is not a signed trust list of this version: get it anew from "
            "your municipality."
        ) from None


def _read(path: Path, most: int, named: str) -> bytes:
    """Return a file; of one that is too large as much as shows that it is."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise FileUnreadableError(f"{named}: {describe_obstacle(error, path)}") from None


def _translate(error: ProtocolError, words: Words) -> PartyError:
    """Return the refusal with its own code, in the language that was asked for."""
    said = words["codes"].get(error.code, words["codes"]["completeness_refused"])
    translated = BundleRefusedError(f"{words['refused']}. {said} {words['refused_what']}")
    translated.code = error.code
    return translated
