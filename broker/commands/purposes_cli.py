"""The commands of privacy officers: read purposes, check them against their cases, sign the bundle.

These work on a folder of policies; those of the life of a purpose, which talk to the running
broker, are in `authoring_cli.py`. Rule enforced: what is signed was loaded, checked and read by the
same code that the broker runs, and cases are weighed by a real OPA. Errors are raised; the root
command says them in one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_process import find_opa
from broker.commands.authoring_cli import life
from broker.commands.purposes_options import Language, LanguageOption
from broker.commands.signing_cli import sign_approval_here
from broker.commands.trial_cli import mutate, replay, try_draft
from broker.policy import publication
from broker.policy.bundle import sign_archive
from broker.policy.decision import entry_point_of
from broker.policy.engine import PolicyUnavailableError
from broker.purposes.cases import Case, Failure, compare, load_cases
from broker.purposes.catalogue import Catalogue, load_catalogue
from broker.purposes.models import derive_digest
from broker.purposes.naming import choose
from broker.purposes.plain import find_unplain_codes, find_unplain_purpose
from broker.purposes.sentences import describe_purpose
from broker.purposes.wording import load_texts
from datwat.party.console import JsonOption, print_result
from datwat.protocol.bundle import open_bundle
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.texts import Texts

app = typer.Typer(
    help="What may be asked for: purposes, their cases, and the signed bundle.",
    epilog="Example: datwat purpose check",
    no_args_is_help=True,
    add_completion=False,
)


app.add_typer(life)
app.command("try", epilog="Example: datwat purpose try debt_counselling.yaml")(try_draft)
app.command("mutate", epilog="Example: datwat purpose mutate debt_counselling.yaml")(mutate)
app.command(
    "sign-approval",
    epilog="Example: datwat purpose sign-approval 9ab0… to-sign.json --key policy-1.key "
    "--trust-list trust.json > approval.json",
)(sign_approval_here)
app.add_typer(replay, name="replay")

PoliciesOption = Annotated[
    Path,
    typer.Option("--policies", envvar="DATWAT_POLICIES", help="The folder with Rego and YAML."),
]
FolderOption = Annotated[
    Path, typer.Option("--folder", help="Where the policy keys or the signed bundle lie.")
]
_POLICIES = Path(__file__).resolve().parents[2] / "policies"
_FOLDER = Path("policy")
_PATIENCE = 10.0  # seconds: a check of cases judges what is answered, not how fast


class PurposeUnknownError(DatwatError):
    """No purpose has this id."""

    code = "purpose_unknown"
    default_detail = "There is no purpose with this id: `datwat purpose list` shows them."


@app.command("list", epilog="Example: datwat purpose list --language en")
def list_purposes(
    *,
    policies: PoliciesOption = _POLICIES,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Show all purposes: title, owner, edges, and whether the legal check is done."""
    catalogue = load_catalogue(policies)
    purposes = [
        {
            "id": purpose.id,
            "title": choose(purpose.title, language.value),
            "owner": purpose.owner,
            "edges": len(purpose.edges),
            "legal_check": purpose.legal_check,
            "digest": derive_digest(purpose),
        }
        for purpose in catalogue.list_newest()
    ]
    still_open = sum(purpose.legal_check == "open" for purpose in catalogue.list_newest())
    print_result({"open_legal_checks": still_open, "purposes": purposes}, as_json=as_json)


@app.command(epilog="Example: datwat purpose show debt_counselling --language nl")
def show(
    purpose_id: Annotated[str, typer.Argument(help="Id of the purpose.")],
    *,
    policies: PoliciesOption = _POLICIES,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Print a purpose as sentences: the text on which people agree before they sign."""
    catalogue = load_catalogue(policies)
    purpose = catalogue.find_newest(purpose_id)
    if purpose is None:
        raise PurposeUnknownError
    lines = describe_purpose(purpose, catalogue, Texts(load_texts(policies)), language.value)
    if as_json:
        members = {"digest": derive_digest(purpose), "sentences": lines}
        print_result({**purpose.model_dump(mode="json"), **members}, as_json=True)
        return
    console = Console(highlight=False)
    for line in lines:
        console.print(escape(line))
    console.print(f"\nSHA-256 {derive_digest(purpose)}")


@app.command(epilog="Example: datwat purpose check debt_counselling")
def check(
    purpose_id: Annotated[
        str | None, typer.Argument(help="Only the cases of this purpose.", show_default=False)
    ] = None,
    *,
    policies: PoliciesOption = _POLICIES,
    as_json: JsonOption = False,
) -> None:
    """Weigh every case with a real OPA, and look for codes without text. Exits 1 if any differs.

    Warnings say what residents will read that could be plainer; they change no exit code.
    """
    catalogue = load_catalogue(policies)
    if purpose_id is not None and purpose_id not in catalogue.purposes:
        raise PurposeUnknownError
    cases = [
        case
        for case in load_cases(policies, catalogue)
        if purpose_id is None or case.purpose == purpose_id
    ]
    archive = publication.build_publication(policies)
    with asyncio.Runner() as runner:
        failures = runner.run(_run_cases(archive, cases, show_progress=not as_json))
    texts = load_texts(policies)
    missing = Texts(texts).find_missing(_list_codes(catalogue))
    unplain = [
        *find_unplain_codes(texts),
        *(one for each in catalogue.list_newest() for one in find_unplain_purpose(each)),
    ]
    found = [failure.model_dump(mode="json") for failure in failures]
    told = {
        "cases": len(cases),
        "failures": found,
        "codes_without_text": missing,
        "warnings": [one.render("en") for one in unplain],
    }
    print_result(told, as_json=as_json)
    if found or missing:
        raise typer.Exit(1)


@app.command(epilog="Example: datwat purpose keys --folder policy --keys 2")
def keys(
    *,
    folder: FolderOption = _FOLDER,
    count: Annotated[int, typer.Option("--keys", min=1, max=16, help="How many keys.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make policy keys and their card for `trust add`. Then give each key to another person."""
    card = publication.create_policy_keys(folder, count)
    print_result(
        {"folder": str(folder), "card": str(folder / "card.json"), "keys": len(card.policy_keys)},
        as_json=as_json,
    )


@app.command(epilog="Example: datwat purpose sign --folder policy --key /media/key1/policy-1.key")
def sign(
    *,
    folder: FolderOption = _FOLDER,
    key: Annotated[
        list[Path] | None, typer.Option(help="Key file; default: every one in the folder.")
    ] = None,
    opa_key: Annotated[
        Path | None,
        typer.Option(help="ECDSA key (PEM): also write the bundle for an OPA that others run."),
    ] = None,
    policies: PoliciesOption = _POLICIES,
    as_json: JsonOption = False,
) -> None:
    """Build the bundle and sign it; another key signs the same bundle by the same command."""
    paths = key or sorted(folder.glob(publication.KEY_PATTERN))
    signing = publication.read_policy_keys(paths)
    archive = publication.build_publication(policies)
    signed = publication.sign_publication(archive, folder, signing)
    for_opa = publication.write_opa_archive(archive, folder, opa_key) if opa_key else None
    print_result(
        {
            "bundle": str(folder / publication.ARCHIVE_FILE),
            "signature": str(folder / publication.DOCUMENT_FILE),
            "revision": signed.statement.revision,
            "digest": signed.statement.bundle_digest,
            "seq": signed.statement.seq,
            "signatures": signed.signatures,
            "opa_bundle": str(for_opa) if for_opa else None,
        },
        as_json=as_json,
    )


async def _run_cases(
    archive: bytes, cases: Sequence[Case], *, show_progress: bool
) -> list[Failure]:
    """Return the differences; the bundle is signed with a key that lives as long as this check."""
    key = SigningKey.generate()
    document = sign_archive(archive, [key], seq=1).to_bytes()
    bundle = open_bundle(archive, document, [key.public], 1)
    console = Console(stderr=True)
    quiet = not (show_progress and console.is_terminal)
    failures: list[Failure] = []
    async with SupervisedOpa(await find_opa(), bundle, deadline=_PATIENCE) as opa:
        with Progress(console=console, disable=quiet, transient=True) as progress:
            for case in progress.track(cases, description="Cases"):
                failures.extend(await _run_case(opa, case))
    return failures


async def _run_case(opa: SupervisedOpa, case: Case) -> Sequence[Failure]:
    try:
        decision = await opa.query(entry_point_of(case.question["act"]), case.question)
    except PolicyUnavailableError as error:
        name = f"{case.file}: {case.name}"
        return [Failure(case=name, member="decision", expected="a decision", actual=error.code)]
    return compare(case, decision)


def _list_codes(catalogue: Catalogue) -> list[str]:
    """Return every code of the catalogue that somebody reads: findings and what would mend them."""
    remedies = {code.remedy for code in catalogue.codes.values() if code.remedy}
    return sorted({*catalogue.codes, *remedies})
