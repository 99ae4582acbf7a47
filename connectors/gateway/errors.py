"""Why this gateway gives nothing, beside what makes an order itself not hold."""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.party.problems import register_problems


class GatewayStoppedError(PartyError):
    """A fork was seen, or no witness vouches: no order is taken until a person has looked."""

    code = "gateway_stopped"
    default_detail = (
        "This gateway takes no orders: the log contradicted itself, or its witnesses do not vouch "
        "for it. A person must look."
    )


class SourceRefusesError(PartyError):
    """The source keeps this to itself: secrecy is the source's to keep."""

    code = "source_refuses"
    default_detail = "The source does not give this."


class InvolvementUnknownError(PartyError):
    """The reference leads to no client here, or has ended."""

    code = "order_involvement_unknown"
    default_detail = "The involvement is not known at this source, or has ended."


class NotFromBrokerError(PartyError):
    """Only the broker relays."""

    code = "not_from_broker"
    default_detail = "Only the broker may send this message to a gateway."


class DeliveryFormError(PartyError):
    """The part is not what belongs to this type."""

    code = "delivery_form"
    default_detail = "The message's one part does not have the documented form."


class NoticeUnprovedError(PartyError):
    """The core of an opening is not one."""

    code = "notice_core"
    default_detail = "The notice does not carry the core of an opened entry."


class ContactUnknownError(PartyError):
    """No such contact request here."""

    code = "contact_unknown"
    default_detail = "This gateway holds no contact request with this number."


class AlarmUnknownError(PartyError):
    """No alarm to clear."""

    code = "alarm_unknown"
    default_detail = "This gateway has no alarm to clear."


_FORM = (400, "The message does not follow the protocol")
register_problems(
    {
        "gateway_stopped": (503, "The gateway takes no orders"),
        "source_refuses": (403, "The source refuses"),
        "order_involvement_unknown": (403, "The order is refused"),
        "not_from_broker": (403, "Not from the broker"),
        "delivery_form": _FORM,
        "notice_core": _FORM,
        "contact_unknown": (404, "Not known here"),
        "alarm_unknown": (404, "Not known here"),
    }
)
