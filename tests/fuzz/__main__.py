"""Fuzz one target, guided by coverage: `python -m tests.fuzz TARGET CORPUS-FOLDER SECONDS`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["datwat"]):
    from tests.fuzz.targets import build_targets


def main() -> None:
    """Run libFuzzer until the time is over; an input that fails is written down and raised."""
    name, folder, seconds = sys.argv[1:]
    target = build_targets()[name]
    options = [f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=2048", "-timeout=5"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/failed-", folder], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
