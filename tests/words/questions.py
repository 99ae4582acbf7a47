"""Questions for a purpose, generated: nearly permitted, so that one condition less shows."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose
from tests.purposes.test_person_facts import AUTHORITIES, CONSENTS

NOW, LATER = "2026-03-02T09:00:00Z", "2027-01-01T00:00:00Z"
AGES = ("0-11", "12-15", "16-17", "18+")
OCCASIONS = ("help_request", "report", "signal", "statutory_task", "crisis")
_PARTY = "00000099000000002000"
_OTHER = "00000099000000003000"


def draw_question(
    data: st.DataObject, purpose: Purpose, catalogue: Catalogue, cases: tuple[Case, ...]
) -> dict[str, Any]:
    """Return a question that cites the purpose by its id; its digest comes later."""
    act = data.draw(st.sampled_from(["inquire", "request_contact", "release", "release"]))
    base = next(
        case.question
        for case in cases
        if case.question["act"] == act and case.purpose and case.expect.permit
    )
    question = copy.deepcopy(base)
    asker = data.draw(st.sampled_from(_list_askers(purpose)))
    question["requester"] |= {
        "id": f"{_PARTY}:{asker}",
        "function": asker,
        "enforcement": data.draw(st.sampled_from([False, False, False, True])),
    }
    question["occasion"] |= {
        "holder": f"{_PARTY}:{asker}",
        "kind": data.draw(st.sampled_from([*purpose.occasions, *purpose.occasions, *OCCASIONS])),
        "inform_by": "2026-04-01T09:00:00Z",
    }
    question["member"]["age_band"] = data.draw(st.sampled_from(AGES))
    if act != "inquire":
        _ask(data, question, purpose, catalogue)
    _add_person(data, question, purpose.id)
    question["now"] = data.draw(
        st.sampled_from([NOW] * 6 + ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"])
    )
    question["purpose"] = purpose.id
    return question


def _list_askers(purpose: Purpose) -> list[str]:
    return [*(one.function for one in purpose.requesters), "school", "income"]


def _ask(
    data: st.DataObject, question: dict[str, Any], purpose: Purpose, catalogue: Catalogue
) -> None:
    known = catalogue.products
    edges = [(edge.source, edge.product) for edge in purpose.edges if edge.product in known]
    source, product = data.draw(st.sampled_from([*edges, *edges, ("income", "inkomenssituatie")]))
    kinds = [name for name, kind in catalogue.kinds.items() if source in kind.functions]
    question["ask"] |= {"source": f"{_OTHER}:{source}", "source_function": source}
    if question["act"] != "release":
        return
    fields = [item.field for item in catalogue.products[product].fields]
    question["ask"] |= {
        "product": product,
        "fields": data.draw(st.permutations(fields))[: data.draw(st.integers(1, len(fields)))],
        "involvement": {
            "source": f"{_OTHER}:{source}",
            "function": source,
            "kind": data.draw(st.sampled_from(sorted(kinds) or ["youth_help"])),
            "shielded": data.draw(st.sampled_from([False, False, False, True])),
            "since_at": "2026-01-05T09:00:00Z",
            "expires_at": "2028-08-01T09:00:00Z",
            "ended_at": None,
            "shown_at": "2026-01-05T09:00:00Z",
        },
    }
    question["conversation"]["reaction"] = data.draw(
        st.sampled_from(["agrees", "agrees", "objects"])
    )


def _add_person(data: st.DataObject, question: dict[str, Any], purpose: str) -> None:
    given: dict[str, Any] = {
        "purpose": purpose,
        "source": None,
        "requester": None,
        "given_at": "2026-01-05T09:00:00Z",
        "until_at": "2026-12-01T09:00:00Z",
        "withdrawn_at": None,
    }
    question["consents"] = [one | given for one in data.draw(st.lists(CONSENTS, max_size=2))]
    question["objections"] = data.draw(
        st.sampled_from(
            [
                [],
                [],
                [{"purpose": purpose, "made_at": "2026-02-01T09:00:00Z", "state": "open"}],
                [{"purpose": "other", "made_at": "2026-02-01T09:00:00Z", "state": "open"}],
            ]
        )
    )
    block = {"organisation": question["requester"]["id"], "since_at": "2026-02-01T09:00:00Z"}
    question["blocks"] = data.draw(st.sampled_from([[], [], [block]]))
    question["authorities"] = data.draw(st.lists(AUTHORITIES, max_size=1))
