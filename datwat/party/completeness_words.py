"""What is said of a checked bundle, in the language and to the reader it was made for. Pure.

Rule: the same words as on the page (`check_page/texts.json`); whoever checks for somebody else, or
audits, is not told that entries are theirs.
"""

from __future__ import annotations

from typing import Any

from datwat.protocol.completeness_checks import RollVerdict, Verdict
from datwat.protocol.completeness_delayed import DelayedCounts
from datwat.protocol.values import encode_moment

Words = dict[str, Any]


def say_verdict(verdict: Verdict, words: Words) -> list[str]:
    """Return the lines that say what is proved, until when, what was found, and what is not."""
    explained = words["explain"][verdict.status][verdict.view]
    if verdict.until is not None and verdict.status != "entries_only":
        explained += f" {encode_moment(verdict.until)}"
    status = words["status"][verdict.status]
    lines = [f"{status}. {words['mind']}" if verdict.findings else status, explained]
    if verdict.findings:
        lines.append(f"{words['look']}:")
        lines += [f"- {words['findings'][finding]}" for finding in verdict.findings]
    lines.append(words["views"][verdict.view])
    lines.append(
        f"{words['cosigned']}: {verdict.cosigned} ({words['needed']}: {verdict.threshold})."
    )
    lines.append(f"{words['entries_in_log']}: {verdict.size}.")
    lines += [_say_roll(roll, words) for roll in verdict.rolls]
    if verdict.left_out:
        lines.append(f"{words['left_out']}: {', '.join(verdict.left_out)}.")
    lines.append(f"{words['not_proved']}:")
    lines += [f"- {limit}" for limit in words["limits"][verdict.view]]
    return lines


def say_compared(counts: dict[str, Any], words: Words) -> list[str]:
    """Return the sentences that say how a partner's entries compare with a bundle."""
    said = words["compare"]
    if not counts["held"]:
        return [said["none"].format_map(counts)]
    lines = [said["missing" if counts["missing"] else "all"].format_map(counts)]
    if counts["not_covered"]:
        lines.append(said["not_covered"].format_map(counts))
    return lines


def _say_roll(roll: RollVerdict, words: Words) -> str:
    counts = [f"{words['count']}: {roll.entries}"]
    if roll.delayed is not None:
        counts += _say_delayed(roll.delayed, words)
    elif roll.erased:
        counts.append(f"{words['erased']}: {roll.erased}")
    if roll.unannounced:
        counts.append(f"{words['unannounced']}: {roll.unannounced}")
    return f"- {words['chains'][roll.audience]}, {roll.quarter}. {'; '.join(counts)}."


def _say_delayed(delayed: DelayedCounts, words: Words) -> list[str]:
    found = delayed.model_dump()
    counts = [f"{state}: {found[name]}" for name, state in words["states"].items() if found[name]]
    if delayed.by_person:
        counts.append(f"{words['by_person']}: {delayed.by_person}")
    return counts
