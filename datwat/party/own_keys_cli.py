"""`datwat PARTY keys` for keys that the trust list names: make the next one, go over, take it back.

Rule: they work on the files of a home, whether the party runs or not: it sees what changed within
a second, and goes over by itself (`own_keys.py`). What the covenant is to take up next is always
the card of the home.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from datwat.party import clock
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.errors import PartyError
from datwat.party.files import replace_file
from datwat.party.init import CARD_FILE
from datwat.party.own_keys import NEXT, SETTLED, NoNextKeyError, OwnKey, OwnKeys
from datwat.party.settings import require_home
from datwat.party.trust_draft import read_card
from datwat.party.trust_list import parse_list
from datwat.protocol.trust import Card, TrustList
from datwat.protocol.values import encode_moment

# So long after a party went over, what it signed with the old key may still be on its way.
FINISH_AFTER: Final = timedelta(seconds=SETTLED) + timedelta(minutes=10)
# Whoever reads a list that names the next key may speak to it at once, or ask for its word: by then
# its party has read it, and every checkpoint that is shown bears the line of a witness's (60 s).
LISTED_FROM: Final = timedelta(seconds=90)


class NextKeyUnknownError(PartyError):
    """The list does not name the next key, or has not for long."""

    code = "next_key_unknown"
    default_detail = (
        "The trust list that this party holds does not name the next key: have the covenant take "
        "up its card.json and sign the list first."
    )


@dataclass(frozen=True)
class KeyKind:
    """One kind of key of a party: its file, how one is drawn, and where list and card name it.

    `name_on_card` is given the public keys (32 bytes), the newest first, and one that nobody may
    trust any more, if there is such a one.
    """

    file: str
    draw: Callable[[], bytes]
    parse: Callable[[bytes], OwnKey]
    read_listed: Callable[[TrustList, Card], Collection[bytes]]
    name_on_card: Callable[[Card, Sequence[bytes], bytes | None], Card]


HomeKinds = Mapping[str, KeyKind]


def start_next(home: Path, kind: KeyKind) -> dict[str, Any]:
    """Make the next key and name both on the card.

    Raises NextKeyError, SecretError, CardError.
    """
    card = read_card(home / CARD_FILE)
    own = OwnKeys(home, kind.file, kind.parse)
    own.start(kind.draw())
    _write_card(home, kind, card, own)
    return describe(home, kind)


def finish_next(home: Path, kind: KeyKind, *, at_once: bool = False) -> dict[str, Any]:
    """Destroy the old key: the next one takes its place, alone on the card.

    `at_once` does not wait for what was signed with the old one. Raises NoNextKeyError,
    NextKeyUnknownError, SecretError, CardError.
    """
    card = read_card(home / CARD_FILE)
    own = OwnKeys(home, kind.file, kind.parse)
    if len(own.keys) == 1:
        raise NoNextKeyError
    since = _find_listed_since(home, kind, card, own.keys[0])
    if since is None:
        raise NextKeyUnknownError
    if not at_once and clock.now() < since + FINISH_AFTER:
        raise NextKeyUnknownError(
            "What was signed with the old key may still be on its way: finish from "
            f"{encode_moment(_round(since + FINISH_AFTER))}, or with --at-once if it leaked."
        )
    old = own.keys[-1].public.raw
    own.finish()
    _write_card(home, kind, card, own, gone=old if at_once else None)
    return describe(home, kind)


def abort_next(home: Path, kind: KeyKind) -> dict[str, Any]:
    """Destroy the next key; raise NoNextKeyError, SecretError, CardError."""
    card = read_card(home / CARD_FILE)
    own = OwnKeys(home, kind.file, kind.parse)
    newest = own.keys[0].public.raw
    own.abort()
    _write_card(home, kind, card, own, gone=newest)
    return describe(home, kind)


def describe(home: Path, kind: KeyKind) -> dict[str, Any]:
    """Return what `keys status` says of a kind: public keys only, by their first signs."""
    card = read_card(home / CARD_FILE)
    newest, *older = OwnKeys(home, kind.file, kind.parse).keys
    if not older:
        return {"key": _name(newest), "next": None}
    since = _find_listed_since(home, kind, card, newest)
    said: dict[str, Any] = {"key": _name(older[0]), "next": _name(newest)}
    if since is None:
        return {**said, "step": _say_listing(home, kind)}
    goes_over_at = _round(since + timedelta(seconds=SETTLED))
    if clock.now() < goes_over_at:
        return {**said, "step": f"used from {encode_moment(goes_over_at)}"}
    return {**said, "step": "in use; finish destroys the old one"}


def _say_listing(home: Path, kind: KeyKind) -> str:
    made = (home / "secrets" / f"{kind.file}{NEXT}").stat().st_mtime
    best_from = _round(datetime.fromtimestamp(made, UTC) + LISTED_FROM)
    said = "the covenant takes up card.json and signs the list"
    return said if clock.now() >= best_from else f"{said}, from {encode_moment(best_from)}"


def build_keys_app(party: str, command: str, kinds: HomeKinds) -> typer.Typer:
    """Return the commands `keys status|rotate|finish|abort` of a party with these kinds."""
    example = next(iter(kinds))
    app = typer.Typer(
        help="The party's own keys: replace them while it runs.",
        epilog=f"Example: datwat {command} keys status --home {party}",
        no_args_is_help=True,
        add_completion=False,
    )

    def find(home: Path, name: str) -> KeyKind:
        require_home(home, party)
        return find_kind(kinds, name)

    @app.command(epilog=f"Example: datwat {command} keys status --home {party}")
    def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
        """Show which keys there are, and what is to be done next."""
        require_home(home, party)
        print_result(describe_all(home, kinds), as_json=as_json)

    @app.command(epilog=f"Example: datwat {command} keys rotate {example} --home {party}")
    def rotate(key: KeyArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
        """Make the next key; the covenant then takes up card.json, which names both."""
        print_result(start_next(home, find(home, key)), as_json=as_json)

    @app.command(epilog=f"Example: datwat {command} keys finish {example} --home {party}")
    def finish(
        key: KeyArgument,
        *,
        home: HomeOption,
        at_once: AtOnceOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Destroy the old key; the covenant then takes up card.json, which names the new one."""
        print_result(finish_next(home, find(home, key), at_once=at_once), as_json=as_json)

    @app.command(epilog=f"Example: datwat {command} keys abort {example} --home {party}")
    def abort(key: KeyArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
        """Destroy the next key; card.json names the old one alone again."""
        print_result(abort_next(home, find(home, key)), as_json=as_json)

    return app


KeyArgument = Annotated[
    str, typer.Argument(help="Which key: `keys status` lists them.", show_default=False)
]
AtOnceOption = Annotated[
    bool, typer.Option("--at-once", help="The old key leaked: do not wait for what it signed.")
]


def find_kind(kinds: HomeKinds, name: str, besides: Sequence[str] = ()) -> KeyKind:
    """Return the kind of this name; raise UsageError, which lists them and those `besides`."""
    if name not in kinds:
        raise typer.BadParameter(f"there is no such key: choose {', '.join((*besides, *kinds))}.")
    return kinds[name]


def describe_all(home: Path, kinds: HomeKinds) -> dict[str, Any]:
    """Return what `keys status` says of all kinds, one row each."""
    return {"keys": [{"name": name, **describe(home, kind)} for name, kind in kinds.items()]}


def _write_card(
    home: Path, kind: KeyKind, card: Card, own: OwnKeys[OwnKey], gone: bytes | None = None
) -> None:
    named = kind.name_on_card(card, [key.public.raw for key in own.keys], gone)
    replace_file(home / CARD_FILE, named.model_dump_json(indent=2).encode())


def _find_listed_since(home: Path, kind: KeyKind, card: Card, key: OwnKey) -> datetime | None:
    """Return since when the list that the party holds is here, if it names this key."""
    for path in (home / "trust").glob("*.json"):
        accepted, _, _ = parse_list(path.read_bytes())
        if key.public.raw in kind.read_listed(accepted.trust, card):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return None


def _name(key: OwnKey) -> str:
    return key.public.raw.hex()[:16]


def _round(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
