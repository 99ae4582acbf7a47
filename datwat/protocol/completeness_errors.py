"""Refusals of a completeness bundle: each says in one sentence what does not hold."""

from __future__ import annotations

from datwat.protocol.errors import ProtocolError


class CompletenessError(ProtocolError):
    """The bundle does not hold: nothing that it says is proved."""

    code = "completeness_refused"
    default_detail = "This bundle does not hold."


class BundleFormError(CompletenessError):
    """Not a bundle of this version."""

    code = "completeness_form"
    default_detail = "This is not a completeness bundle of version 1."


class BundleTooLargeError(CompletenessError):
    """More bytes than a bundle may have."""

    code = "completeness_too_large"
    default_detail = "The bundle is larger than 32 MiB: ask for fewer quarters at a time."


class OtherLogError(CompletenessError):
    """The bundle is about another log than the one whose keys are held."""

    code = "completeness_other_log"
    default_detail = "This bundle is about another log."


class RollsError(CompletenessError):
    """A chain or a key is missing, twice, or not for this reader."""

    code = "completeness_rolls"
    default_detail = "The bundle does not hold each chain of each quarter once, with its key."


class TagRootError(CompletenessError):
    """The root over all tags is not stated in the log, or not in its place."""

    code = "completeness_tag_root"
    default_detail = "The root over all tags is not proved to stand in the log."


class TailError(CompletenessError):
    """The newest entries are not all there, or are not those of the log."""

    code = "completeness_tail"
    default_detail = "The newest entries of the log are not all in the bundle, or were changed."


class GapError(CompletenessError):
    """A place in a roll has no entry, or the places are out of order."""

    code = "completeness_gap"
    default_detail = "A numbered place has no entry in the bundle: an entry is withheld."


class EndError(CompletenessError):
    """The next place is not proved to be empty."""

    code = "completeness_end"
    default_detail = "It is not proved that no later entry exists: an entry may be withheld."


class PlaceError(CompletenessError):
    """The stub of an entry does not lie where the bundle says."""

    code = "completeness_place"
    default_detail = "An entry does not lie at its place in the log: it is not one of this roll."


class EntryChangedError(CompletenessError):
    """The log holds other contents under this stub."""

    code = "completeness_entry"
    default_detail = "The contents of an entry are not those that were written down."


class OpenedError(CompletenessError):
    """What an entry tells later is not what was written down before."""

    code = "completeness_opened"
    default_detail = "What an entry tells later is not what the log held at the time."


class OpeningError(CompletenessError):
    """What is said to open a delayed entry does not."""

    code = "completeness_opening"
    default_detail = "The opening of a delayed entry is not proved."


class TermError(CompletenessError):
    """What is said to give a delayed entry its term does not, or is not in the log."""

    code = "completeness_term"
    default_detail = "The term of a delayed entry is not proved."


class EndedError(CompletenessError):
    """What is said to tell that an entry's contents ended does not."""

    code = "completeness_ended"
    default_detail = "It is not proved that somebody was told of contents that ended."


class OtherRollError(CompletenessError):
    """Another roll than in the earlier bundle: another person's, or a second key was given."""

    code = "completeness_other_roll"
    default_detail = (
        "The keys or entries are not those of the earlier bundle: "
        "this is another person's bundle, or the broker gave you another roll."
    )


class OlderBundleError(CompletenessError):
    """The log is shorter than in the earlier bundle."""

    code = "completeness_older"
    default_detail = "This bundle is older than the earlier one: ask for a new one."
