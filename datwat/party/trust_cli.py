"""The commands of the covenant: make its keys, take up cards, sign the list, and pin it at a party.

Rule: who is who is decided by people with offline keys, never by the broker (reference "Trust
list"). `pin` is the one command that runs at a party: it writes down which list that party goes by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from datwat.party import clock, trust_draft, trust_signing
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.settings import change_settings
from datwat.party.trust_list import (
    MAX_LIST_BYTES,
    AcceptedList,
    TrustListError,
    parse_list,
    read_verify_keys,
)
from datwat.protocol.documents import count_valid_signatures
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import encode_moment

app = typer.Typer(
    help="Who takes part: the signed trust list.",
    epilog="Example: datwat trust show trust/trust-list.json",
    no_args_is_help=True,
    add_completion=False,
)

FolderOption = Annotated[
    Path,
    typer.Option(
        "--folder", envvar="DATWAT_TRUST", help="The covenant's folder: keys, draft, signed list."
    ),
]
_FOLDER = Path("trust")


@app.command(epilog="Example: datwat trust new --folder trust --keys 3 --threshold 2")
def new(
    *,
    folder: FolderOption = _FOLDER,
    keys: Annotated[int, typer.Option(min=1, max=16, help="How many covenant keys.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=16, help="How many must sign.")] = 2,
    policy_threshold: Annotated[
        int, typer.Option(min=1, max=16, help="How many policy keys must sign a bundle.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make covenant keys and an empty draft. Then give each key file to another person."""
    trust_draft.create_draft(
        folder, keys=keys, threshold=threshold, policy_threshold=policy_threshold
    )
    print_result({"folder": str(folder), "keys": keys, "threshold": threshold}, as_json=as_json)


@app.command(epilog="Example: datwat trust add --folder trust youth-help/card.json")
def add(
    cards: Annotated[list[Path], typer.Argument(help="Cards, as written by each party's `init`.")],
    *,
    folder: FolderOption = _FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Take up parties by their cards. Check first, by another way, that each card is theirs."""
    draft = trust_draft.read_draft(folder)
    for path in cards:
        draft = trust_draft.add_card(draft, trust_draft.read_card(path))
    trust_draft.write_draft(folder, draft)
    print_result(
        {
            "added": len(cards),
            "partners": len(draft.partners),
            "witnesses": len(draft.witnesses),
        },
        as_json=as_json,
    )


@app.command(epilog="Example: datwat trust suspend --folder trust 00000099000000001000:youth-help")
def suspend(
    partner: Annotated[str, typer.Argument(help="The partner's id: OIN, colon, function.")],
    *,
    folder: FolderOption = _FOLDER,
    as_json: JsonOption = False,
) -> None:
    """End a partner's covenant in the draft. It holds once the list is signed and read."""
    draft = trust_draft.suspend_partner(trust_draft.read_draft(folder), partner, clock.now())
    trust_draft.write_draft(folder, draft)
    print_result({"suspended": partner}, as_json=as_json)


@app.command("require-witnesses", epilog="Example: datwat trust require-witnesses --folder trust 1")
def require_witnesses(
    threshold: Annotated[int, typer.Argument(min=0, max=32, help="How many must vouch.")],
    *,
    folder: FolderOption = _FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Set how many witnesses must vouch for the log. It holds once the list is signed and read."""
    draft = trust_draft.require_witnesses(trust_draft.read_draft(folder), threshold)
    trust_draft.write_draft(folder, draft)
    print_result(
        {"witness_threshold": threshold, "witnesses": len(draft.witnesses)}, as_json=as_json
    )


@app.command(epilog="Example: datwat trust sign --folder trust --key /media/key1/covenant-1.key")
def sign(
    *,
    folder: FolderOption = _FOLDER,
    key: Annotated[
        list[Path] | None, typer.Option(help="Key file; default: every one in the folder.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=731, help="How long the list is valid.")] = 365,
    as_json: JsonOption = False,
) -> None:
    """Sign the draft. With enough signatures it is the next trust list; its hash is printed."""
    paths = key or sorted(folder.glob(trust_draft.KEY_PATTERN))
    signing = trust_signing.sign_draft(
        folder, trust_signing.read_keys(paths), now=clock.now(), days=days
    )
    said: dict[str, Any] = {
        "list": str(signing.path),
        "seq": signing.seq,
        "hash": signing.digest,
        "signatures": signing.signed,
        "threshold": signing.threshold,
    }
    if signing.outgoing_threshold:
        said["old_keys_signatures"] = signing.outgoing_signed
        said["old_keys_threshold"] = signing.outgoing_threshold
    print_result({**said, "complete": signing.is_complete}, as_json=as_json)


@app.command("new-keys", epilog="Example: datwat trust new-keys --folder trust --keys 3")
def new_keys(
    *,
    folder: FolderOption = _FOLDER,
    keys: Annotated[int, typer.Option(min=1, max=16, help="How many covenant keys.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=16, help="How many must sign.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Have the next list introduce new covenant keys. Old and new ones must sign that list."""
    trust_draft.replace_covenant(folder, keys=keys, threshold=threshold)
    print_result({"folder": str(folder), "keys": keys, "threshold": threshold}, as_json=as_json)


@app.command("keep-keys", epilog="Example: datwat trust keep-keys --folder trust")
def keep_keys(*, folder: FolderOption = _FOLDER, as_json: JsonOption = False) -> None:
    """Take new covenant keys back out of the draft, before the list that introduces them."""
    draft = trust_draft.keep_covenant(trust_draft.read_draft(folder))
    trust_draft.write_draft(folder, draft)
    print_result(
        {"keys": len(draft.covenant.keys), "threshold": draft.covenant.threshold}, as_json=as_json
    )


@app.command("end-policy-key", epilog="Example: datwat trust end-policy-key --folder trust uPTo…")
def end_policy_key(
    kid: Annotated[str, typer.Argument(help="The key's thumbprint, as `trust show` lists it.")],
    *,
    folder: FolderOption = _FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Take a policy key out of the draft. First have another one sign the bundle in force."""
    draft = trust_draft.end_policy_key(trust_draft.read_draft(folder), kid)
    trust_draft.write_draft(folder, draft)
    print_result({"ended": kid, "policy_keys": len(draft.policy_keys)}, as_json=as_json)


@app.command(epilog="Example: datwat trust show trust/trust-list.json")
def show(
    path: Annotated[Path, typer.Argument(help="A signed list.")] = _FOLDER
    / trust_signing.LIST_FILE,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a list and its hash, and how many of its own covenant keys signed it."""
    accepted, signatures = _read_list(path)
    print_result(_describe(accepted, signatures), as_json=as_json)


@app.command(
    epilog="Example: datwat trust pin --home youth-help --list trust/trust-list.json 3f9a…"
)
def pin(
    digest: Annotated[str, typer.Argument(help="The hash that `trust sign` printed (hex).")],
    *,
    home: HomeOption,
    source: Annotated[
        str, typer.Option("--list", help="Path or URL from which this party reads the list.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Set which list a party goes by. Type the hash over; do not copy it from where the list is."""
    try:
        is_digest = len(bytes.fromhex(digest)) == 32  # noqa: PLR2004 - SHA-256
    except ValueError:
        is_digest = False
    if not is_digest:
        raise TrustListError("The hash must be 64 hexadecimal digits.")
    is_url = source.startswith(("http://", "https://"))
    where = source if is_url else str(Path(source).resolve())
    change_settings(home, {"trust_list": where, "trust_pin": digest.lower()})
    print_result({"home": str(home), "list": where, "pin": digest.lower()}, as_json=as_json)


def _read_list(path: Path) -> tuple[AcceptedList, int]:
    advice = "name the file that `datwat trust sign` wrote"
    document = trust_draft.read_file(path, TrustListError, advice)[: MAX_LIST_BYTES + 1]
    try:
        parsed, signed, keys = parse_list(document)
    except DatwatError as error:
        raise type(error)(f"{path}: {error.detail}", place=error.place) from None
    return parsed, len(count_valid_signatures(signed, keys))


def _describe(accepted: AcceptedList, signatures: int) -> dict[str, Any]:
    trust = accepted.trust
    now = clock.now()
    return {
        "seq": trust.seq,
        "hash": accepted.digest.hex(),
        "valid_until": encode_moment(trust.valid_until),
        "expired": now > trust.valid_until,
        "signatures": signatures,
        "threshold": trust.covenant.threshold,
        "broker": trust.broker.id,
        "key_holder": trust.key_holder.id,
        "epochs": [epoch.epoch for epoch in trust.key_holder.epochs],
        "log": trust.log.origin,
        "log_keys": list(trust.log.vkeys),
        "witnesses": [witness.name for witness in trust.witnesses],
        "witness_keys": [witness.vkey for witness in trust.witnesses],
        "witness_threshold": trust.witness_threshold,
        "policy_keys": len(trust.policy.keys),
        "policy_kids": list(read_verify_keys(trust.policy.keys)),
        "partners": [
            {
                "id": partner.id,
                "name": partner.name,
                "domain": partner.domain,
                "covenant_until": encode_moment(partner.covenant_until),
                "in_force": now <= partner.covenant_until,
                "bsn_rights": [right.law for right in partner.bsn_rights],
            }
            for partner in trust.partners
        ],
    }
