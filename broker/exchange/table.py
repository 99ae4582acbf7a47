"""Which module answers which act: the one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from broker.audit.records import SubjectKeys
from broker.exchange.acts import Act
from broker.exchange.contact import AnswerContact, RequestContact
from broker.exchange.inquire import Inquire
from broker.exchange.introduce import Introduce
from broker.exchange.occasion_acts import ChangeOccasion, OpenOccasion, RecordConversation
from broker.exchange.records import RecordWhatWasSaid
from broker.exchange.register import End, Register
from broker.exchange.release import Release
from broker.exchange.session import OpenSession
from broker.exchange.taking_back import FindConsentId, FindTold
from broker.exchange.wishes import MakeWish
from broker.exchange.wrong_person import ReportWrongPerson


def build_acts(
    mint_subject: Callable[[datetime], SubjectKeys],
    find_consent_id: FindConsentId,
    find_told: FindTold,
) -> Mapping[str, Act]:
    """Return every act that is weighed, by the type of its message."""
    change, said = ChangeOccasion(), RecordWhatWasSaid()
    return {
        "inquire": Inquire(),
        "release": Release(),
        "register": Register(),
        "end": End(),
        "open_occasion": OpenOccasion(),
        "hand_over": change,
        "close_occasion": change,
        "declare_special_situation": change,
        "record_conversation": RecordConversation(),
        "record_consent": said,
        "record_objection": said,
        "record_authority": said,
        "introduce": Introduce(),
        "request_contact": RequestContact(),
        "answer_contact": AnswerContact(),
        "report_wrong_person": ReportWrongPerson(),
        "open_session": OpenSession(mint_subject),
        "wish": MakeWish(find_consent_id, find_told),
    }
