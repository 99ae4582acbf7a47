"""What the commands of oversight tell, as plain members: no person, no member of staff.

Only a look names who asked: it is written down before it is shown (`exchange/looking.py`).
"""

from __future__ import annotations

from typing import Any

from broker.exchange.reading_entry import LookedEntry
from broker.transparency.figures import PartnerUse, build_use_figures
from broker.transparency.indicators import Indicators
from broker.transparency.oversight import ReviewRow
from broker.transparency.oversight_words import Language, say_code, say_list, say_why
from broker.transparency.reviewing import Finding, ReviewList
from broker.transparency.sampling import Draw, derive_seed_hash
from datwat.protocol.values import encode_bytes, encode_moment


def describe_list(found: ReviewList, language: Language) -> dict[str, Any]:
    """Return a list with why each row is in it, as plain members."""
    title, about = say_list(found.code, language)
    return {
        "list": found.code,
        "title": title,
        "about": about,
        "at": encode_moment(found.at),
        "full": found.is_full,
        "rows": [describe_row(row, language) for row in found.rows],
    }


def describe_row(row: ReviewRow, language: Language) -> dict[str, Any]:
    """Return one row of a list, as plain members."""
    return {
        "partner": row.partner,
        "who": row.who,
        "code": row.why.code,
        "params": dict(row.why.params),
        "why": say_why(row.why, language),
        "entries": list(row.entries),
    }


def describe_looked(one: LookedEntry) -> dict[str, Any]:
    """Return what somebody reads who looks at an entry, as plain members."""
    return {
        "number": one.number,
        "at": encode_moment(one.at),
        "waits": one.waits,
        "act": one.act,
        "partner": one.partner,
        "staff": one.staff,
        "role": one.role,
        "purpose": one.purpose,
        "occasion": one.occasion,
        "source": one.source,
        "product": one.product,
        "permit": one.permit,
        "rung": one.rung,
        "fields_asked": list(one.fields_asked),
        "fields_given": list(one.fields_given),
        "shown": list(one.shown),
        "findings": [
            {"blade": each.blade, "code": each.code, "satisfied": each.satisfied}
            for each in one.findings
        ],
        "motivation": dict(one.motivation),
        "internal_reason": one.internal_reason,
        "special_reason": one.special_reason,
    }


def describe_finding(one: Finding) -> dict[str, Any]:
    """Return a finding, without who found it, as plain members."""
    return {
        "list": one.review,
        "found_at": encode_moment(one.found_at),
        "until_at": encode_moment(one.until_at),
        "outcome": one.outcome,
        "role": one.words.role,
        "partner": one.words.partner,
        "who": one.words.who,
        "entries": list(one.words.entries),
        "note": one.words.note,
    }


def describe_draw(one: Draw) -> dict[str, Any]:
    """Return a sample, and what of it was stated in the log, as plain members."""
    return {
        "drawn": one.drawn_at is not None,
        "first": one.first,
        "size": one.size,
        "root": encode_bytes(one.root) if one.root is not None else None,
        "seed_hash": encode_bytes(derive_seed_hash(one.seed)),
        "entries": list(one.chosen),
    }


def describe_indicators(found: Indicators, language: Language) -> dict[str, Any]:
    """Return the public tables of a month, as plain members."""
    return {
        "month": str(found.month),
        "tables": [
            {
                "table": table.code,
                "title": say_code(f"table_{table.code}", language),
                "cells": [
                    {
                        "codes": list(cell.codes),
                        "row": " + ".join(say_code(code, language) for code in cell.codes),
                        "count": cell.count,
                    }
                    for cell in table.cells
                ],
            }
            for table in found.tables
        ],
    }


def describe_use(found: PartnerUse) -> dict[str, Any]:
    """Return a partner's own use of a month, as plain members: those that it reads itself."""
    return {
        "partner": found.partner,
        "month": str(found.month),
        "rows": [row.model_dump(mode="json") for row in build_use_figures(found)],
    }
