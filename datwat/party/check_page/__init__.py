"""The page on which a resident checks a completeness bundle: one file, without network or library.

Rule: keys of log and witnesses come from the trust list and are part of the page, never of a
bundle; the same list always gives the same bytes, so that a hash published elsewhere says whether a
page is the right one. Only the page's own script runs in it, and nothing leaves it (CSP).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Any

from datwat.protocol.completeness_checks import LogTrust
from datwat.protocol.trust import TrustList

_CHECKER = ("checker.js", "form.js", "steps.js", "findings.js")
_PART = re.compile(r"\{(csp|style|trust|texts|script)\}")


def read_texts() -> dict[str, Any]:
    """Return what page and command say, by language (`nl`, `en`)."""
    texts: dict[str, Any] = json.loads(_read("texts.json"))
    return texts


def read_checker() -> str:
    """Return the script that checks a bundle (`readBundle`, `checkBundle`) and shows nothing."""
    return "".join(map(_read, _CHECKER))


def derive_keys(trust: TrustList) -> dict[str, Any]:
    """Return whom the script believes: name and keys of the log, witnesses, how many count."""
    log = LogTrust.from_list(trust)
    return {
        "origin": log.origin,
        "vkeys": log.vkeys,
        "witnesses": log.witnesses,
        "threshold": log.threshold,
    }


def build_check_page(trust: TrustList) -> bytes:
    """Return the page for the log and the witnesses of a trust list, as UTF-8 HTML."""
    script = '"use strict";\n' + read_checker() + _read("page.js")
    style = _read("style.css")
    csp = (
        f"default-src 'none'; script-src '{_derive_source(script)}'; "
        f"style-src '{_derive_source(style)}'; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "csp": csp,
        "style": style,
        "trust": _encode(derive_keys(trust)),
        "texts": _encode(read_texts()),
        "script": script,
    }
    return _PART.sub(lambda found: parts[found[1]], _read("page.html")).encode()


def derive_check_page_hash(trust: TrustList) -> str:
    """Return the SHA-256 (hex) of the page for a trust list, for people to compare."""
    return hashlib.sha256(build_check_page(trust)).hexdigest()


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _derive_source(content: str) -> str:
    """Return how a content security policy names exactly this inline content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _encode(members: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(members, ensure_ascii=False, sort_keys=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
