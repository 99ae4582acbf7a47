"""Writes docs/reference/guard-rails.md: what no purpose can switch off, by which law, and why.

The code is the source: `broker/purposes/phrases_guards.py`, which the officers' page shows too.
"""

from __future__ import annotations

import sys

from generated import write_page  # type: ignore[import-not-found] # beside this script

from broker.purposes.phrases_guards import GUARDS, REASONS, REFUSALS, SWITCHES

_HEAD = """# Guard rails

Written by `scripts/list_guards.py` from `broker/purposes/phrases_guards.py`.

These hold for every purpose, whoever writes it and whoever signs it. A draft that breaks one is
refused before anything else is weighed about it, with the guard rail, the place and the reason. On
the officers' pages they stand under **Vangrails** (`/guards`), which the form of a draft leads to.
How a draft is written: [Write a purpose on pages](../how-to/write-a-purpose-on-pages.md).
"""


def build_document() -> str:
    """Return the whole document."""
    parts = [_HEAD]
    for number, (guard, ((dutch, english), law)) in enumerate(GUARDS.items(), start=1):
        told = "".join(f"- {REASONS[one][1]}\n" for one in REFUSALS[guard])
        members = ", ".join(f"`{one}`" for one in sorted(SWITCHES[guard]))
        parts.append(
            f"\n## {number}. {english}\n\n"
            f"`{guard}` · {law} · in Dutch: *{dutch}*\n\n"
            f"A draft that breaks it is told:\n\n{told}\n"
            f"Members that no purpose has, and that would switch it off: {members}.\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    sys.exit(write_page("guard-rails.md", build_document()))
