"""Why a gateway refuses an order: one code for each reason, in the order of the checks.

Rule: a refusal says which check failed and never what was sent. protocol.md section 8.
"""

from __future__ import annotations

from datwat.protocol.errors import ProtocolError


class OrderError(ProtocolError):
    """The order does not hold."""

    code = "order_refused"
    default_detail = "The order is refused."


class OrderFormError(OrderError):
    """Not the wire form of an order (step 1)."""

    code = "order_form"
    default_detail = "An order is JSON with message, involvement, receipt and its proofs."


class OrderObjectError(OrderError):
    """The signed object is not an order, or brings parts (step 1)."""

    code = "order_object"
    default_detail = "The broker's signed object is not an order without parts."


class OrderRequestError(OrderError):
    """What the requester signed is not a request for a release (step 2)."""

    code = "order_request"
    default_detail = "The object that the requester signed is not a request for a release."


class OrderRequesterError(OrderError):
    """The request was not signed by a partner (step 2)."""

    code = "order_requester"
    default_detail = "The request in the order was not signed by a partner."


class OrderSourceError(OrderError):
    """The request was for another source (step 2)."""

    code = "order_other_source"
    default_detail = "The request in the order asks another source."


class OrderIdError(OrderError):
    """Order and request have different ids (step 2)."""

    code = "order_other_rid"
    default_detail = "The order has another id than the request in it."


class OrderRequestLateError(OrderError):
    """The request was too old when the decision was taken (step 3)."""

    code = "order_request_late"
    default_detail = "The request was too old when it was decided on."


class OrderRequestAheadError(OrderError):
    """The request is younger than the decision on it (step 3)."""

    code = "order_request_ahead"
    default_detail = "The request is younger than the decision on it."


class OrderExpiredError(OrderError):
    """The decision lies too far back (step 3)."""

    code = "order_expired"
    default_detail = "The decision behind the order is more than ten minutes old."


class OrderAheadError(OrderError):
    """The decision lies in the future (step 3)."""

    code = "order_ahead"
    default_detail = "The decision behind the order lies in the future: check the clocks."


class OrderCoreError(OrderError):
    """Not a core (step 4)."""

    code = "order_core_form"
    default_detail = "The core is not the canonical JSON of a release core."


class OrderCoreTypeError(OrderError):
    """A core that permits nothing: a refusal, an inquiry, an outcome (step 4)."""

    code = "order_core_type"
    default_detail = "The core is not that of a permitted release: it orders nothing."


class OrderOtherRequestError(OrderError):
    """A core that was written for another request (step 4)."""

    code = "order_other_request"
    default_detail = "The core was written for another request."


class OrderOtherInvolvementError(OrderError):
    """A core about another involvement (step 4)."""

    code = "order_other_involvement"
    default_detail = "The core is about another involvement."


class OrderFieldTwiceError(OrderError):
    """A field that is ordered twice (step 5)."""

    code = "order_field_twice"
    default_detail = "The core orders a field twice."


class OrderFieldUnrequestedError(OrderError):
    """A field that nobody asked for (step 5)."""

    code = "order_field_unrequested"
    default_detail = "The core orders a field that the requester did not ask for."


class OrderPurposeUnknownError(OrderError):
    """No purpose with this id and digest (step 5)."""

    code = "order_purpose_unknown"
    default_detail = "The signed policy bundle has no such purpose at this digest."


class OrderPurposeTimeError(OrderError):
    """A purpose that was not, or no longer, in force (step 5)."""

    code = "order_purpose_not_in_force"
    default_detail = "The purpose was not in force when the decision was taken."


class OrderEdgeError(OrderError):
    """The purpose lets this source give this requester nothing of this product (step 5)."""

    code = "order_edge_missing"
    default_detail = "The purpose has no edge from this source to this requester for the product."


class OrderFieldOutsideError(OrderError):
    """A field that does not pass over the edge (step 5)."""

    code = "order_field_outside_purpose"
    default_detail = "The core orders a field that the purpose does not let pass."


class OrderFieldNotAllowedError(OrderError):
    """A field that this source has not declared (step 5)."""

    code = "order_field_not_allowed"
    default_detail = "The core orders a field that is not on this source's own list."


class OrderNotCosignedError(OrderError):
    """Too few witnesses vouch for the log, or too long ago (step 6)."""

    code = "order_not_cosigned"
    default_detail = "Too few witnesses vouch for the log's newest checkpoint, or too long ago."


class NeedProofError(OrderError):
    """The proof does not start from, or lead to, what this gateway holds (step 7)."""

    code = "order_need_proof"
    default_detail = "The proof must start from, or lead to, the size that this gateway holds."

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()


class LogForkedError(OrderError):
    """Two signed checkpoints of one log that cannot both be true (step 7)."""

    code = "order_log_forked"
    default_detail = "The log contradicts what it stated before: this gateway takes no orders."
