"""A bundle of the project's policies, drafts of its purposes, and a broker's home to replay in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from broker.cli import app
from broker.policy.bundle import sign_archive
from broker.policy.publication import build_publication, sign_publication
from broker.purposes.cases import Case, load_bases, load_cases
from broker.purposes.catalogue import Catalogue, load_catalogue
from broker.purposes.models import Purpose
from broker.settings import BrokerSettings
from datwat.party.settings import load_settings
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import SigningKey

POLICIES = Path(__file__).resolve().parents[2] / "policies"
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KEY = SigningKey.from_seed(bytes(range(32)))


@cache
def build_archive() -> bytes:
    return build_publication(POLICIES)


@cache
def build_bundle() -> Bundle:
    archive = build_archive()
    return open_bundle(archive, sign_archive(archive, [KEY], seq=1).to_bytes(), [KEY.public], 1)


@cache
def read_catalogue() -> Catalogue:
    return load_catalogue(POLICIES)


@cache
def read_cases() -> tuple[Case, ...]:
    return load_cases(POLICIES, read_catalogue())


@cache
def read_bases() -> dict[str, dict[str, Any]]:
    return dict(load_bases(POLICIES))


def find_purpose(name: str) -> Purpose:
    found = read_catalogue().find_newest(name)
    assert found is not None
    return found


def draft_of(name: str, **changes: Any) -> Purpose:  # noqa: ANN401 - members
    """Return the purpose changed, to begin tomorrow."""
    raw = find_purpose(name).model_dump(mode="python")
    return Purpose.model_validate({**raw, "valid_from": NOW + timedelta(days=1), **changes})


def make_home(folder: Path, database_url: str = "") -> BrokerSettings:
    """Make a broker's home with the project's policies signed, and an empty log."""
    home = folder / "broker"
    sign_publication(build_archive(), folder / "policy", [KEY])
    arguments = [
        "init", "--home", home, "--id", "00000099000000003000:broker", "--name", "Broker",
        "--url", "http://127.0.0.1:1", "--origin", "broker.example/log/1",
        "--bundle", folder / "policy",
    ]  # fmt: skip
    if database_url:
        arguments += ["--database-url", database_url]
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return load_settings(BrokerSettings, home)
