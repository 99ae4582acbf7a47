"""What a follower of a log can find, and what stands in its way.

Rule: a finding names the place in the log, never what lies there. An alarm is what the log itself
signed: nobody on the way can bring it about. What is not signed (a tile that does not fit) is
refused and said, but proves nothing against the log.
"""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems


class WitnessError(PartyError):
    """A follower of a log cannot go on."""

    code = "witness_error"
    default_detail = "The log cannot be followed."


class LogSourceError(WitnessError):
    """What should be there is not, or cannot be read."""

    code = "follow_source"
    default_detail = "The log cannot be read there: give its prefix, or the folder of a mirror."


class LogTilesError(WitnessError):
    """Tiles or entries do not lead to the root that the log signed."""

    code = "follow_tiles"
    default_detail = (
        "The tiles there do not lead to the root that the log signed: they are damaged, or were "
        "changed on the way. Fetch them again, from another place if you can."
    )


class LogShrunkError(WitnessError):
    """A checkpoint smaller than one that was accepted before."""

    code = "follow_shrunk"
    default_detail = (
        "The log shows a smaller checkpoint than it did before: it went back, or an old copy "
        "answers. Nothing was changed here."
    )


class LogAlarmError(WitnessError):
    """What the log signed cannot be what an honest log signs; `index` is the entry, if it is one.

    Keep the checkpoints: they are the evidence.
    """

    code = "follow_alarm"
    default_detail = "What the log signed is not what an honest log signs."

    def __init__(self, detail: str | None = None, *, index: int | None = None) -> None:
        self.index = index
        super().__init__(detail)


class LogForkedError(LogAlarmError):
    """Two trees, both signed by the log, of which neither begins with the other."""

    code = "follow_forked"
    default_detail = (
        "The log signed two different histories: what it shows now does not begin with what it "
        "showed before. Keep both checkpoints, and tell the other witnesses and the auditor."
    )


class LogEntryError(LogAlarmError):
    """An entry that is none of this version."""

    code = "follow_entry"
    default_detail = "The log holds something that is not an entry."


class LogTagRootError(LogAlarmError):
    """A tag root that is not the one over the tags it names."""

    code = "follow_tag_root"
    default_detail = "The log states a root over its tags that is not the one over them."


class LogTagTwiceError(LogAlarmError):
    """Two entries with one tag."""

    code = "follow_tag_twice"
    default_detail = "Two entries of the log carry one tag, which no honest log has."


class CosignaturesError(WitnessError):
    """Fewer witnesses vouch than the trust list asks for, or too long ago."""

    code = "follow_cosignatures"
    default_detail = "Too few witnesses vouch for the checkpoint of this log."


class FolderError(WitnessError):
    """The folder to write to is another log's, or cannot be used."""

    code = "follow_folder"
    default_detail = "The folder cannot be used."


class NotAWitnessError(WitnessError):
    """The trust list does not know this key as a witness."""

    code = "witness_not_listed"
    default_detail = "The trust list does not name this witness with this key: add its card."


class StateBehindError(WitnessError):
    """The database vouches for more than the ratchet knows."""

    code = "witness_state"
    default_detail = (
        "The database is ahead of the ratchet: one of the two was replaced. Do not serve from it; "
        "restore the ratchet, or make a witness with a new key."
    )


class AlarmedError(WitnessError):
    """An alarm stands that no person has looked at."""

    code = "witness_alarmed"
    default_detail = "An alarm stands: this witness vouches for nothing until a person has looked."


class StillFollowingError(WitnessError):
    """The log could not be followed up to the checkpoint within the time."""

    code = "witness_still_following"
    default_detail = "The witness has not followed the log up to this checkpoint yet: ask again."


register_problems(
    {
        "witness_error": (500, "The log cannot be followed"),
        "follow_source": (502, "The log cannot be read"),
        "follow_tiles": (502, "The tiles do not fit the log"),
        "follow_shrunk": (409, "The log shrank"),
        "follow_alarm": (409, "The log is not honest"),
        "follow_forked": (409, "The log forked"),
        "follow_entry": (409, "The log holds something that is not an entry"),
        "follow_tag_root": (409, "A tag root is wrong"),
        "follow_tag_twice": (409, "A tag occurs twice"),
        "follow_cosignatures": (409, "Too few cosignatures"),
        "follow_folder": (500, "The folder cannot be used"),
        "witness_not_listed": (503, "The witness is not in the trust list"),
        "witness_state": (500, "The party has a fault"),
        "witness_alarmed": (503, "An alarm stands"),
        "witness_still_following": (503, "Not followed yet"),
    }
)
