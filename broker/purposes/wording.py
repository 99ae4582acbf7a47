"""The texts of a policies folder, in Dutch and English, as they go into the bundle.

Rule enforced: every code has a text in both languages. `datwat/protocol/texts.py` renders them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from broker.purposes.errors import PolicyFileError
from datwat.party.strict_yaml import read_yaml
from datwat.protocol.texts import LANGUAGES


def load_texts(policies_dir: Path) -> dict[str, dict[str, str]]:
    """Return the texts of a policies folder by language and code.

    Raises PolicyFileError for a text that is not text, and for a code with a text in one language
    only.
    """
    texts: dict[str, dict[str, str]] = {
        name: _load(policies_dir / "texts" / f"{name}.yaml") for name in LANGUAGES
    }
    for name in LANGUAGES:
        for other in LANGUAGES:
            lonely = sorted(set(texts[name]) - set(texts[other]))
            if lonely:
                raise PolicyFileError(f"texts/{other}.yaml lacks {lonely[0]}.", place=lonely[0])
    return texts


def _load(path: Path) -> dict[str, str]:
    raw: Any = read_yaml(path, PolicyFileError)
    if not isinstance(raw, dict) or not all(
        isinstance(code, str) and isinstance(text, str) and text for code, text in raw.items()
    ):
        raise PolicyFileError(f"{path}: must be a mapping of codes to texts.")
    return raw
