"""A small world for tests of the engine: a policy of a few lines, signed, and an evaluation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.policy.bundle import build_archive, sign_archive
from broker.policy.evaluation import Ask, Evaluation, RequesterFacts
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import BLADES

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = SigningKey.from_seed(bytes(range(32)))

DECISION: dict[str, Any] = {
    "v": 1,
    "permit": True,
    "rung": "dat",
    "open_rung": "dat",
    "stated_permit": True,
    "findings": [
        {
            "blade": blade,
            "code": f"{blade}_holds",
            "satisfied": True,
            "about": "stated",
            "params": {},
        }
        for blade in BLADES
    ],
    "remedies": [],
    "alternatives": [],
    "obligations": [],
    "caps": [],
    "scope": {"functions": [], "domains": [], "cannot_see": []},
    "fields": [],
    "withheld": [],
    "legal_basis": None,
    "notice": "now",
    "audience": "open",
    "expires_days": None,
    "retention_days": 365,
}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - another process tells no Event of ours
            await asyncio.sleep(0.01)


def write_policies(folder: Path, *, decision: dict[str, Any] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(DECISION if decision is None else decision)
    # Undefined without `input.now`, as a rule with a missing fact would be.
    rego = f"package datwat.ask\n\nimport rego.v1\n\ndecision := {text} if input.now\n"
    (folder / "ask.rego").write_text(rego, encoding="utf-8")
    (folder / "ask_test.rego").write_text("package datwat.ask_test\n", encoding="utf-8")
    return folder


def make_archive(folder: Path, **texts: str) -> bytes:
    return build_archive(folder, {"purposes": {}, "products": {}, "kinds": {}}, {"nl": texts})


def make_bundle(archive: bytes, seq: int = 1) -> Bundle:
    document = sign_archive(archive, [KEY], seq=seq).to_bytes()
    return open_bundle(archive, document, [KEY.public], 1)


def make_evaluation(**changes: object) -> Evaluation:
    members: dict[str, Any] = {
        "v": 1,
        "now": NOW,
        "act": "inquire",
        "purpose": None,
        "purpose_digest": None,
        "requester": RequesterFacts(
            id="00000099000000001000:social-team",
            function="social-team",
            domain="social",
            enforcement=False,
            covenant_until=NOW,
            bsn_rights=(),
        ),
        "professional": None,
        "occasion": None,
        "member": None,
        "stated_identity": None,
        "stated_by": "ticket",
        "represented": False,
        "told_at": None,
        "conversation": None,
        "consents": (),
        "objections": (),
        "blocks": (),
        "authorities": (),
        "new_consent": None,
        "new_authority": None,
        "registration": None,
        "opens": None,
        "new_special_situation": None,
        "introduce_to": None,
        "introduce_standing": None,
        "contact_asked_at": None,
        "contact_unanswered_since": None,
        "ask": Ask(
            rung="dat",
            source=None,
            source_function=None,
            product=None,
            fields=(),
            motivation_length={},
            involvement=None,
        ),
    }
    return Evaluation.model_validate({**members, **changes})
