"""What is said of what happened beside the cases: a table for people, members for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from demo.several.playing import Report


def explain_meanwhile(brokers: int, console: Console) -> None:
    """Say what is different in this demo, and what is not as in production."""
    console.print(
        f"\n[bold]The broker is {brokers} processes on PostgreSQL with a standby.[/bold] While the "
        "cases are played, the primary is stopped and the standby promoted, and every key is "
        "replaced. The last case is played with the new ones. Somebody keeps a mirror all the "
        "time.\n[bold]Not as in production:[/bold] the waits between the steps of a rotation are "
        "seconds here, where the product takes from five seconds to an hour (docs/how-to/keys.md); "
        "the steps are the same. All servers are on one machine.",
        soft_wrap=True,
    )


def print_report(report: Report, console: Console) -> None:
    """Print what was done, every key before and after, and what the mirror holds."""
    done = Table(
        "second", "case", "meanwhile", title="What happened meanwhile", title_justify="left"
    )
    for one in report.done:
        done.add_row(f"{one.seconds:.1f}", str(one.case), one.what)
    keys = Table("key", "before", "after", title="Every key is another one", title_justify="left")
    for name in sorted(report.before):
        keys.add_row(name, report.before[name], report.after.get(name, "-"))
    for table in (done, keys):
        console.print()
        console.print(table)
    found = report.mirror
    console.print(
        f"\n[bold]The mirror, verified alone[/bold]: {found['entries']} entries (the log had "
        f"{found['log_size']} when the last case ended), root {found['root'][:16]}…, "
        f"{found['tag_roots']} roots over the tags, the newest up to {found['counted_up_to']} (the "
        f"last entry of a resident is {found['last_of_a_resident']}). It was brought up to date "
        f"from {found['first_entries']} entries on, found the log larger "
        f"{found['seen_sizes'] - 1} times, and away {found['seen_away']} times.",
        soft_wrap=True,
    )


def describe_report(report: Report) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "done": [one._asdict() for one in report.done],
        "keys": {
            name: {"before": before, "after": report.after.get(name)}
            for name, before in sorted(report.before.items())
        },
        "mirror": report.mirror,
        "differences": report.differences,
    }
