"""The registers that the life of a question reads and writes, named together."""

from __future__ import annotations

from dataclasses import dataclass

from broker.consent.duties import Duties
from broker.consent.register import ConsentRegister
from broker.consent.wishes import Wishes
from broker.involvement.authority import Authorities
from broker.involvement.contacts import Contacts
from broker.involvement.involvements import Involvements
from broker.involvement.notices import Notices
from broker.involvement.occasions import Occasions
from broker.involvement.special_situations import SpecialSituations
from broker.pseudonyms.references import References
from broker.pseudonyms.subjects import Subjects


@dataclass(frozen=True, slots=True)
class Registers:
    """Every register of the broker, each behind its port."""

    subjects: Subjects
    references: References
    occasions: Occasions
    special_situations: SpecialSituations
    involvements: Involvements
    contacts: Contacts
    notices: Notices
    authorities: Authorities
    consents: ConsentRegister
    wishes: Wishes
    duties: Duties
