"""Writes docs/reference/events.md: every event that a process may log, with its members.

The table is the source: `datwat/party/event_rows.py`. Also looks at each call of a logger in the
code, so that none names an event, or a member, that the table does not have.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from generated import write_page  # type: ignore[import-not-found] # beside this script

from datwat.party.event_rows import EVENTS, MEMBERS, UNLISTED

ROOT = Path(__file__).resolve().parents[1]
_CODE = ("datwat", "broker", "connectors", "keyholder", "witness", "demo")
_LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
# Whose members are those of what listens: `serve.py`.
_SPREAD = frozenset({"serving"})

_HEAD = """# Events

Written by `scripts/list_events.py` from `datwat/party/event_rows.py`, which is also what is
enforced while a process runs: an event that does not stand here is not written, and a member that
does not is left out; both are said by `unlisted`.

A process writes one JSON object a line on standard error. Besides its own members each has `event`,
`level`, `room` (which part of the program), `at` (UTC) and, while a request is answered,
`trace_id` and `span_id` (W3C Trace Context: the same `trace_id` at connector, key holder, broker
and source) and `transaction_id` where FSC gave one. Nothing in it is about a person: no number, no
reference, no text from outside. What looks like one is written as `[withheld]`.

Of events at `warning` and above `/metrics` counts each by name (`datwat_events_total`):
[Watch it](../how-to/watch.md).
"""


def build_document() -> str:
    """Return the whole document."""
    levels = {name: set[str]() for name in EVENTS}
    for call in find_calls():
        for name in call.names:
            levels.setdefault(name, set()).add(call.level)
    levels["library"].add("warning")
    levels[UNLISTED].add("as the event")
    rows = [
        f"| `{name}` | {', '.join(sorted(levels[name]))} | "
        f"{', '.join(f'`{one}`' for one in row.members) or '–'} | {row.means} | "
        f"{row.what_to_do or '–'} |"
        for name, row in sorted(EVENTS.items())
    ]
    members = [f"| `{name}` | {means} |" for name, means in sorted(MEMBERS.items())]
    head = "| event | level | members | what it means | what to do |\n|---|---|---|---|---|"
    parts = [_HEAD, head, *rows, "", "## Members", "", "| member | what it holds |\n|---|---|"]
    return "\n".join([*parts, *members, ""])


class Call:
    """One call of a logger: where, at which level, which events it may name, its members."""

    def __init__(self, path: Path, node: ast.Call, level: str) -> None:
        self.where = f"{path.relative_to(ROOT)}:{node.lineno}"
        self.level = level
        self.names = tuple(_list_names(node.args[0])) if node.args else ()
        self.members = [keyword.arg for keyword in node.keywords]
        self.arguments = len(node.args)


def find_calls() -> Iterator[Call]:
    """Yield each call of a logger in the code of every process."""
    for folder in _CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if isinstance(node.func.value, ast.Name) and node.func.value.id == "_log":
                    yield Call(path, node, node.func.attr)


def find_problems() -> list[str]:
    """Return one line for each call that the table does not know, and each row nobody uses."""
    problems, used = [], {"library", UNLISTED}
    for call in find_calls():
        if call.level not in _LEVELS or call.arguments != 1 or not call.names:
            problems.append(f"{call.where}: an event is one literal name")
            continue
        used.update(call.names)
        for name in call.names:
            row = EVENTS.get(name)
            if row is None:
                problems.append(f"{call.where}: the event {name} is not in event_rows.py")
                continue
            if name in _SPREAD:
                continue
            others = [one for one in call.members if one not in row.members and one != "exc_info"]
            problems += [f"{call.where}: {name} has no member {member}" for member in others]
    problems += [f"event_rows.py: nobody logs {name}" for name in sorted(EVENTS.keys() - used)]
    named = {member for row in EVENTS.values() for member in row.members}
    problems += [f"event_rows.py: {name} says nothing" for name in sorted(named - MEMBERS.keys())]
    problems += [f"event_rows.py: no event has {name}" for name in sorted(MEMBERS.keys() - named)]
    return problems


def _list_names(node: ast.expr) -> Iterator[str]:
    """Yield the literals that an argument can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _list_names(node.body)
        yield from _list_names(node.orelse)


if __name__ == "__main__":
    found = find_problems()
    for problem in found:
        print(problem)
    sys.exit(1 if found else write_page("events.md", build_document()))
