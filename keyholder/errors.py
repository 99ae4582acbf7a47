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


class SharesError(KeyHolderError):
    """Shares of the scalar that cannot be written, or that do not bring it back."""

    code = "scalar_shares"
    default_detail = "The shares of the scalar cannot be used."


class NotBrokerError(KeyHolderError):
    """Only the broker turns pseudonyms."""

    code = "not_the_broker"
    default_detail = "Only the broker asks about a rotation."


class RotationError(KeyHolderError):
    """The rotation of the scalar is in another state."""

    code = "scalar_rotation_state"
    default_detail = "The rotation of the scalar is in another state: `rotate status` tells it."


class RotationRunsError(RotationError):
    """Started twice."""

    code = "scalar_rotation_runs"
    default_detail = "A rotation runs already: `datwat keyholder rotate status` says how far it is."


class NoRotationError(RotationError):
    """None to abort or finish."""

    code = "scalar_rotation_none"
    default_detail = "No rotation runs: `datwat keyholder rotate begin` starts one."


class RotationUnturnedError(RotationError):
    """The broker has rows under the epoch that would be destroyed."""

    code = "scalar_rotation_unturned"

    def __init__(self, permille: int) -> None:
        super().__init__(
            f"The broker has turned {permille // 10} % of its rows, as far as it told: every "
            "pointer that is not turned would be lost. See `datwat keyholder rotate status`."
        )


class RotationUntoldError(RotationError):
    """The broker has not told so since the key holder started; what is written may be old."""

    code = "scalar_rotation_untold"
    default_detail = (
        "The broker has not told since this start that all its rows are turned. Where it runs it "
        "does so within seconds: see that it runs, and finish again."
    )


class RotationEarlyError(RotationError):
    """Messages made under the epoch may still come."""

    code = "scalar_rotation_early"

    def __init__(self, possible_at: str) -> None:
        super().__init__(
            "Messages made under the epoch that is left can still come: finish from "
            f"{possible_at}, or with --at-once if the scalar leaked."
        )


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
        "scalar_shares": (500, "The party has a fault"),
        "not_the_broker": (403, "Only the broker asks this"),
        "scalar_rotation_state": (409, "The rotation is in another state"),
        "scalar_rotation_runs": (409, "A rotation runs already"),
        "scalar_rotation_none": (409, "No rotation runs"),
        "scalar_rotation_unturned": (409, "Not every row is turned"),
        "scalar_rotation_untold": (409, "The broker has not told yet"),
        "scalar_rotation_early": (409, "It is too early to finish"),
    }
)
