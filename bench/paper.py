"""A resident's log on paper: cards become a document, and the press makes a PDF of it.

The cards are those of questions for data, with a motivation, fields given and withheld. Run alone:
`python -m bench.paper 500`.
"""

from __future__ import annotations

import resource
import sys
import time

import uvloop

from bench.figures import Figure, print_figures
from connectors.portal.pages.paper.gathering import MOST_IN_DOCUMENT
from connectors.portal.pages.paper.log_document import Taken, build_log_document
from datwat.web.paper.printing import Printing
from tests.portal.paper_world import CONTACTS, build_log, build_setting

_GROUP = "the log on paper"
_SECONDS = 2.0


async def measure_paper(count: int = MOST_IN_DOCUMENT) -> list[Figure]:
    """Make the document of `count` entries; the target is that of the longest one there is."""
    log, setting = build_log(count), build_setting()
    printing = Printing()
    taken = Taken(log, log.cards, CONTACTS)
    await printing.build_pdf(build_log_document(setting, Taken(log, log.cards[:1], CONTACTS)))
    before, began = _read_cpu(), time.perf_counter()
    document = build_log_document(setting, taken)
    built = time.perf_counter() - began
    made = await printing.build_pdf(document)
    seconds, cpu = time.perf_counter() - began, _read_cpu() - before
    if not made.startswith(b"%PDF-"):
        msg = "the press made something else than a PDF"
        raise RuntimeError(msg)
    name = f"PDF of {count:,} entries"
    return [
        Figure(_GROUP, f"{name}, CPU", round(cpu, 2), "s", _SECONDS, gate=True),
        Figure(_GROUP, name, round(seconds, 2), "s", _SECONDS),
        Figure(_GROUP, f"{name}, time in the portal itself", round(built * 1_000, 1), "ms"),
        Figure(_GROUP, f"{name}, size", round(len(made) / 1_048_576, 1), "MiB"),
    ]


def _read_cpu() -> float:
    """Return the CPU seconds of this process and of the presses that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    print_figures(uvloop.run(measure_paper(int(sys.argv[1]) if sys.argv[1:] else MOST_IN_DOCUMENT)))
