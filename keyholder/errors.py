"""What the key holder refuses, each with its own code and its row in the table of problems."""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems


class KeyHolderError(PartyError):
    """The key holder does not evaluate this."""

    code = "key_holder_refused"
    default_detail = "The key holder does not evaluate this."


class PartnerNotOpenError(KeyHolderError):
    """The key holder's staff have not opened this partner, or closed it."""

    code = "partner_not_open"
    default_detail = "The key holder has not opened this partner: ask its staff."


class BsnRightError(KeyHolderError):
    """The trust list gives this partner no right to use the BSN for this class."""

    code = "bsn_right_missing"
    default_detail = "This partner has no right to use the BSN for this class of look-up."


class SelfCountError(KeyHolderError):
    """A resident looks for one or two persons: oneself and whom one represents."""

    code = "self_elements"
    default_detail = "A look-up of class self has one or two elements."


class QuotaError(KeyHolderError):
    """More elements today than this partner may ask for."""

    code = "quota_exceeded"
    default_detail = "The day's quota of this partner for this class is used up."


class PartsError(KeyHolderError):
    """A part that the key holder would only keep and never need."""

    code = "parts_not_wanted"
    default_detail = "A look-up has no parts: the key holder learns no purpose and no person."


class NotListedError(KeyHolderError):
    """The trust list names other keys for the key holder than it has."""

    code = "key_holder_not_listed"
    default_detail = "The trust list does not name this key holder with these keys."


class PartnerUnlistedError(KeyHolderError):
    """Only a partner in the trust list can be opened."""

    code = "partner_unlisted"
    default_detail = "This partner is not in the trust list: `datwat trust show` lists them."


class ScalarMissingError(KeyHolderError):
    """No secret scalar in the home folder."""

    code = "scalar_missing"
    default_detail = "The key holder has no usable secret scalar: run `init`, or restore it."


register_problems(
    {
        "key_holder_refused": (403, "The key holder refuses"),
        "partner_not_open": (403, "The partner is not open at the key holder"),
        "bsn_right_missing": (403, "No right to use the BSN for this"),
        "self_elements": (400, "Too many elements for this class"),
        "quota_exceeded": (429, "Over quota"),
        "parts_not_wanted": (400, "The message has parts"),
        "key_holder_not_listed": (503, "The key holder is not in the trust list"),
        "partner_unlisted": (404, "The partner is not in the trust list"),
        "scalar_missing": (500, "The party has a fault"),
    }
)
