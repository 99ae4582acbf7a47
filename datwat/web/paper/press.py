"""The press: a program of its own that makes one PDF from one document, and ends.

Rules: what partners and residents wrote comes in as data and is never evaluated; it reads its own
template and no other file, knows no package, no network and no font but the compiler's own; it may
use so much memory and time. `printing.py` starts it. Source: PDF/UA-1 (ISO 14289-1).
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Final

import typst

TEMPLATE: Final = Path(__file__).parent / "document.typ"
# One document takes a tenth of this; past it the program dies, and the party says so.
_MEMORY: Final = 2 * 1_024**3
_SECONDS: Final = 30


def build_pdf(document: str) -> bytes:
    """Return the PDF of a document in JSON (`parts.Document`).

    Raises:
        typst.TypstError: the document cannot be made in this form, which is a fault of ours.
    """
    made = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        pdf_standards="ua-1",
        ignore_system_fonts=True,
        sys_inputs={"data": document},
    )
    assert isinstance(made, bytes)  # noqa: S101 - a PDF is one file
    return made


def main() -> int:
    """Read a document from standard input and write its PDF; 1 where it cannot be made."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file; standard output is a pipe
    try:
        made = build_pdf(sys.stdin.buffer.read().decode())
    except (typst.TypstError, ValueError):  # its text could repeat what the document says
        return 1
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
