from __future__ import annotations

import asyncio
import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.policy.bundle import OpaKey
from broker.policy.publication import read_publication
from broker.purposes.catalogue import load_catalogue
from broker.purposes.models import derive_digest
from datwat.cli import run
from datwat.protocol.bundle import open_bundle
from datwat.protocol.keys import SigningKey

POLICIES = Path(__file__).parents[2] / "policies"
COMMANDS = [EntryPoint("purpose", "broker.commands.purposes_cli:app", "datwat.commands")]
CASES: dict[str, Any] = {
    "purpose": "coordinate_family_help",
    "cases": [
        {"name": "asked", "base": "inquire", "expect": {"permit": True, "rung": "dat"}},
        {
            "name": "no occasion",
            "base": "inquire",
            "given": {"occasion": None},
            "expect": {"permit": True},
        },
    ],
}


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The real Rego and YAML, two cases (the second wrong), and a text for each code."""
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("texts", "cases"))
    (folder / "cases").mkdir()
    shutil.copy(POLICIES / "cases" / "bases.yaml", folder / "cases")
    (folder / "cases" / "family.yaml").write_text(json.dumps(CASES), encoding="utf-8")
    codes = load_catalogue(folder).codes
    remedies = {code.remedy for code in codes.values() if code.remedy}
    (folder / "texts").mkdir()
    for language in ("nl", "en"):
        texts = {code: f"{language} {code}" for code in sorted({*codes, *remedies})}
        (folder / "texts" / f"{language}.yaml").write_text(yaml.safe_dump(texts), encoding="utf-8")
    return folder


def call(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> tuple[dict[str, Any], str]:
    assert run(["purpose", *arguments, "--json"], COMMANDS) == code
    printed = capsys.readouterr()
    return json.loads(printed.out or "{}"), printed.err


def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "show", "check", "keys", "sign"):
        assert run(["purpose", command, "--help"], COMMANDS) == 0
        assert f"Example: datwat purpose {command}" in capsys.readouterr().out


def test_list_counts_the_open_legal_checks(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed, _ = call(capsys, "list", "--policies", str(policies))
    still_open = [one for one in listed["purposes"] if one["legal_check"] == "open"]
    assert listed["open_legal_checks"] == len(still_open)
    assert {one["id"] for one in listed["purposes"]} == set(load_catalogue(policies).purposes)


def test_show_prints_sentences_in_the_language_asked(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, word in (("nl", "Eigenaar"), ("en", "Owner")):
        arguments = ["purpose", "show", "debt_counselling", "--policies", str(policies)]
        assert run([*arguments, "--language", language], COMMANDS) == 0
        printed = capsys.readouterr().out
        assert word in printed
        (purpose,) = load_catalogue(policies).purposes["debt_counselling"]
        assert derive_digest(purpose) in printed


def test_an_unknown_purpose_is_one_line(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show", "check"):
        arguments = ["purpose", command, "absent", "--policies", str(policies)]
        assert run(arguments, COMMANDS) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1


def test_check_weighs_the_cases_with_a_real_opa_and_names_what_differs(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked, errors = call(capsys, "check", "--policies", str(policies), code=1)
    assert checked["cases"] == 2
    assert {one["case"] for one in checked["failures"]} == {"family: no occasion"}
    assert "permit" in {one["member"] for one in checked["failures"]}
    assert errors == ""
    right = {**CASES, "cases": CASES["cases"][:1]}
    (policies / "cases" / "family.yaml").write_text(json.dumps(right), encoding="utf-8")
    checked, _ = call(capsys, "check", "coordinate_family_help", "--policies", str(policies))
    assert checked.pop("warnings")  # the title has an abbreviation
    assert checked == {"cases": 1, "failures": [], "codes_without_text": []}


def test_check_fails_for_a_code_without_text(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (policies / "cases" / "family.yaml").unlink()
    for language in ("nl", "en"):
        path = policies / "texts" / f"{language}.yaml"
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
        del texts["talked_first"]
        path.write_text(yaml.safe_dump(texts), encoding="utf-8")
    checked, _ = call(capsys, "check", "--policies", str(policies), code=1)
    assert checked["codes_without_text"] == ["nl.talked_first", "en.talked_first"]


def test_keys_and_sign_make_a_bundle_that_opens(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "policy"
    call(capsys, "keys", "--folder", str(folder), "--keys", "2")
    one, _ = call(
        *(capsys, "sign", "--folder", str(folder), "--policies", str(policies)),
        *("--key", str(folder / "policy-1.key")),
    )
    assert (one["seq"], one["signatures"]) == (1, 1)
    both, _ = call(
        *(capsys, "sign", "--folder", str(folder), "--policies", str(policies)),
        *("--key", str(folder / "policy-2.key")),
    )
    assert (both["seq"], both["signatures"], both["revision"]) == (1, 2, one["revision"])
    held = read_publication(folder)
    keys = [
        SigningKey.from_jwk_text(path.read_text(encoding="utf-8")).public
        for path in folder.glob("policy-*.key")
    ]
    bundle = open_bundle(held.archive, held.document, keys, 2)
    assert bundle.revision == one["revision"]
    assert bundle.texts["nl"]["talked_first"] == "nl talked_first"


def test_a_broken_policy_file_is_not_signed(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "policy"
    call(capsys, "keys", "--folder", str(folder))
    (policies / "purposes" / "own_access.yaml").write_text("id: own_access\n", encoding="utf-8")
    _, errors = call(
        *(capsys, "sign", "--folder", str(folder), "--policies", str(policies)), code=1
    )
    assert json.loads(errors)["error"]["code"] == "policy_file_invalid"
    assert not (folder / "bundle.tar.gz").exists()


async def test_an_opa_that_others_run_takes_the_bundle_signed_for_it(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], binary: Path
) -> None:
    folder = tmp_path / "policy"
    key = tmp_path / "opa.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = tmp_path / "opa.pub.pem"
    public.write_text(OpaKey(private).public_pem, encoding="ascii")
    other = tmp_path / "other.pub.pem"
    other.write_text(OpaKey.generate().public_pem, encoding="ascii")
    call(capsys, "keys", "--folder", str(folder))
    signed, _ = call(
        *(capsys, "sign", "--folder", str(folder), "--policies", str(policies)),
        *("--opa-key", str(key)),
    )
    for verification_key, code in ((public, 0), (other, 1)):
        arguments = ["build", "--bundle", signed["opa_bundle"], "--signing-alg", "ES256"]
        arguments += ["--verification-key", str(verification_key)]
        process = await asyncio.create_subprocess_exec(
            *(binary, *arguments, "--output", str(tmp_path / "out.tar.gz")),
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == code
    call(
        *(capsys, "sign", "--folder", str(folder), "--policies", str(policies)),
        *("--opa-key", str(public)),
        code=1,
    )
