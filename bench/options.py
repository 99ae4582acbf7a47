"""The options of `python -m bench`; wrong ones end it with a message."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cells import BUILD, POINTERS
from bench.costs import MEASURED
from tests.parties import POLICIES

_MOST = 1e6


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Return the options; exits with a message for wrong ones."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures what the parties cost, and prints the table.",
        epilog="Example: make bench ARGS=--profile",
    )
    parser.add_argument("--pointers", type=_count, default=POINTERS, help="rows in the database")
    parser.add_argument("--scale", type=_amount, default=1.0, help="length of the runs")
    parser.add_argument("--profile", action="store_true", help="show where an inquiry's time goes")
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite", help="the broker's"
    )
    parser.add_argument("--brokers", type=_count, default=1, help="broker processes")
    parser.add_argument(
        "--rate", type=_amount, help="questions a second in the open loop (else by capacity)"
    )
    parser.add_argument(
        "--sizes", type=_counts, default=[10_000, POINTERS, 10_000_000], help="pointers of --full"
    )
    parser.add_argument(
        "--processes", type=_counts, default=[1, 2, 4], help="broker processes of --full"
    )
    parser.add_argument("--costs", type=Path, default=MEASURED, help="results for --country")
    parser.set_defaults(part="", left_out=[])
    for part, what in (
        ("full", "both databases, from few to many pointers, one and several brokers"),
        ("country", "the whole country, calculated and simulated from what was measured"),
        ("soak", "memory and file descriptors over many questions"),
        ("ends", "contents that end"),
        ("pages", "the pages that people see"),
        ("replay", "a draft put to the past, and purposes by the hundred"),
        ("oversight", "review lists over a million acts"),
    ):
        parser.add_argument(
            f"--{part}", dest="part", action="store_const", const=part, help=f"only: {what}"
        )
    parser.add_argument("--strict", action="store_true", help="fail where a gate is missed")
    parser.add_argument("--policies", type=Path, default=POLICIES, help="folder of policies")
    parser.add_argument("--out", type=Path, help="file of results (else build/bench….json)")
    options = parser.parse_args(arguments)
    if options.out is None:
        options.out = BUILD / (f"bench-{options.part}.json" if options.part else "bench.json")
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


def _counts(text: str) -> list[int]:
    return [_count(one) for one in text.split(",")]


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 < amount < _MOST:
        raise argparse.ArgumentTypeError("more than 0 is needed")
    return amount
