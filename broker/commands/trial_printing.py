"""How the results of trials are printed for people: found beside expected, and in tables.

Rule: what is printed is what was found, without a word of its own about a person.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from datwat.party.console import print_result


def print_cases(found: dict[str, Any]) -> None:
    """Print the cases that come out otherwise, blade by blade."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for case in found["cases"]:
        if not case["passed"]:
            console.print(f"{case['name']}: comes out otherwise")
            for blade in case["blades"]:
                if blade["differs"]:
                    wanted, came = (", ".join(blade[one]) for one in ("expected", "found"))
                    console.print(
                        f"  {blade['blade']}: expected {wanted or '-'}; found {came or '-'}"
                    )
            for one in case["members"]:
                if one["member"] != "unmet":
                    expected, came = one["expected"], one["found"]
                    console.print(f"  {one['member']}: expected {expected}; found {came}")
    console.print(f"{found['total']} cases, {found['failed']} come out otherwise")


def print_mutation(found: dict[str, Any]) -> None:
    """Print what no case notices, each with its sentence and a case that would."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for one in found["unnoticed"]:
        change = "removed" if one["kind"] == "removed" else f"→ {one['after']}"
        console.print(f"no case notices: {one['member']}: {one['before']} {change}")
        if one["sentence"] is not None:
            console.print(f"  {one['sentence']['number']}. {one['sentence']['nl']}")
        if one["proposal"] is not None:
            console.print("  this case would:")
            console.print("".join(f"  {line}\n" for line in one["proposal"]["yaml"].splitlines()))
    for name in found["failing"]:
        console.print(f"fails already, so it notices nothing: {name}")
    counts = {name: found[name] for name in ("total", "noticed", "refused")}
    print_result({**counts, "unnoticed": len(found["unnoticed"])}, as_json=False)


def print_replay(found: dict[str, Any], *, as_json: bool, is_short: bool = False) -> None:
    """Print a replay: its counts, and unless short what would be decided otherwise."""
    if as_json:
        print_result(found, as_json=True)
        return
    long = {"rows", "examples", "damaged_at", "waiting"}
    shown = {name: value for name, value in found.items() if name not in long}
    if not is_short:
        waiting = found["waiting"]
        if waiting is not None:
            few = "fewer than 10" if waiting["is_few"] else f"at least {waiting['at_least']}"
            shown["waiting_to_be_told"] = few
        if found["damaged_at"]:
            shown["damaged_at"] = ", ".join(map(str, found["damaged_at"]))
        shown["rows"] = [_flatten(row) for row in found["rows"]]
        shown["examples"] = [_flatten(one) for one in found["examples"]]
    print_result(shown, as_json=False)


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose members fit a table."""
    flat = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat[name] = " ".join(f"{key}={one}" for key, one in value.items())
        elif isinstance(value, list):
            flat[name] = " ".join(map(str, value))
        else:
            flat[name] = value
    return flat
