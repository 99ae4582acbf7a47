"""All registers of the broker, built once from the row key; only `broker/app.py` calls this."""

from __future__ import annotations

from broker.adapters.answer_store import SqlDuties
from broker.adapters.authority_store import SqlAuthorities
from broker.adapters.consent_store import SqlConsentRegister
from broker.adapters.contact_store import SqlContacts
from broker.adapters.involvement_store import SqlInvolvements
from broker.adapters.notice_store import SqlNotices
from broker.adapters.occasion_store import SqlOccasions
from broker.adapters.reference_store import SqlReferenceStore
from broker.adapters.rows import RowSealer
from broker.adapters.special_situation_store import SqlSpecialSituations
from broker.adapters.subject_store import SqlSubjectStore
from broker.adapters.wish_store import SqlWishes
from broker.exchange.registers import Registers
from broker.pseudonyms.references import References
from broker.pseudonyms.row_keys import RowKeys
from broker.pseudonyms.subjects import Subjects


def build_registers(row_key: RowKeys | bytes) -> Registers:
    """Return the registers under a row key, its ring or 32 bytes; they hold no connection."""
    row_key = RowKeys.of(row_key)
    sealer = RowSealer(row_key)
    situations = SqlSpecialSituations(sealer)
    return Registers(
        subjects=Subjects(SqlSubjectStore(), row_key),
        references=References(SqlReferenceStore(), row_key),
        occasions=SqlOccasions(sealer, situations),
        special_situations=situations,
        involvements=SqlInvolvements(sealer),
        contacts=SqlContacts(sealer),
        notices=SqlNotices(sealer),
        authorities=SqlAuthorities(sealer),
        consents=SqlConsentRegister(sealer),
        wishes=SqlWishes(sealer),
        duties=SqlDuties(sealer),
    )
