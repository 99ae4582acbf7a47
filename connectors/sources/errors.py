"""What can go wrong at a partner's own system, each with its code; no value is ever repeated.

The codes of `SourceError` travel: the broker writes them into the outcome (`FailureCode`).
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems


class DeclarationError(PartyError):
    """A declaration that cannot be used: which file, where, and what is wrong with it."""

    code = "declaration_invalid"
    default_detail = "A source declaration is not valid."


class SourceError(PartyError):
    """The partner's own system gave nothing that may pass."""

    code = "source_answer_invalid"
    default_detail = "The source's own system gave an answer that cannot be used."


class SourceUnreachableError(SourceError):
    """No connection, or it broke."""

    code = "source_unreachable"
    default_detail = "The source's own system cannot be reached."


class SourceTooSlowError(SourceError):
    """No whole answer within the time."""

    code = "source_too_slow"
    default_detail = "The source's own system did not answer in time."


class FieldsDifferError(SourceError):
    """The record has not the fields that the declaration reads."""

    code = "source_fields_differ"
    default_detail = "The source's record has not the fields that were ordered."


class NoRecordError(SourceError):
    """Nothing about this person."""

    code = "source_has_no_record"
    default_detail = "The source has no such record of this person."


class OtherPersonError(SourceError):
    """A record of somebody else."""

    code = "source_other_person"
    default_detail = "The source's own system gave another person's record: nothing passed."


_SOURCE = "The source gave nothing"
register_problems(
    {
        "declaration_invalid": (409, "The source declaration is not valid"),
        "source_answer_invalid": (502, _SOURCE),
        "source_unreachable": (502, _SOURCE),
        "source_too_slow": (504, _SOURCE),
        "source_fields_differ": (502, _SOURCE),
        "source_has_no_record": (404, _SOURCE),
        "source_other_person": (502, _SOURCE),
    }
)
