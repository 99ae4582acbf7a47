"""What many purposes cost: building and putting in force their bundle, and one decision.

Rule: purposes and products are those of the covenant over and over, each with an id, words and
digest of its own, and each purpose with cases of its own; OPA tells itself how long it weighed.
"""

from __future__ import annotations

import hashlib
import http.client
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.figures import Figure, print_figures
from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_process import find_opa
from broker.policy.bundle import build_archive, rebuild_archive, sign_archive
from broker.policy.proving import list_cases, require_proven
from broker.purposes.bundled_cases import build_cases_data
from broker.purposes.cases import Case, load_cases
from broker.purposes.catalogue import Catalogue, load_catalogue, require_consistent
from broker.purposes.models import Product, Purpose, Wording, derive_digest
from broker.purposes.wording import load_texts
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import SigningKey
from tests.parties import POLICIES

FEW, MANY, PRODUCTS = 50, 500, 30
_CASES_EACH = 5
_DECISIONS = 2_000
_GROUP = "purposes by the hundred"
_KEY = SigningKey.from_seed(bytes(32))


async def measure_purposes(policies: Path) -> list[Figure]:
    """Return the figures; see the module."""
    catalogue = load_catalogue(policies)
    cases = load_cases(policies, catalogue)
    few, _ = _build(policies, catalogue, cases, FEW)
    many, changed = _build(policies, catalogue, cases, MANY)
    mixed = list(_list_questions(few, catalogue, cases))
    all_few = await _measure_decision(few, mixed)
    release_few = await _measure_decision(few, _pick_act(mixed, "release"))
    inquiry_few = await _measure_decision(few, _pick_act(mixed, "inquire"))
    async with SupervisedOpa(await find_opa(), many) as opa:
        began = time.perf_counter()
        archive = rebuild_archive(many, catalogue=changed)
        document = sign_archive(archive, [_KEY], seq=2).to_bytes()
        newer = open_bundle(archive, document, [_KEY.public], 1)
        built = time.perf_counter() - began
        await opa.activate(newer, partial(require_proven, bundle=newer, proven=many))
        active = time.perf_counter() - began
        began = time.perf_counter()
        await opa.prove(partial(require_proven, bundle=newer))
        whole = time.perf_counter() - began
    count = len(list_cases(newer))
    all_many = await _measure_decision(many, list(_list_questions(many, catalogue, cases)))
    return [
        Figure(_GROUP, f"archive of {MANY}", len(archive) / 1_024, "kB"),
        Figure(_GROUP, f"bundle of {MANY} built and signed", built, "s"),
        Figure(_GROUP, "and with one of them changed tried and active", active, "s", 3),
        Figure(_GROUP, f"all {count:,} cases tried, as at a first start", whole, "s"),
        Figure(_GROUP, f"decision in OPA with {FEW}, all acts, p50", all_few, "ms", 0.5),
        Figure(_GROUP, "of these the inquiries, p50", inquiry_few, "ms", 0.5),
        Figure(_GROUP, "of these the releases, p50", release_few, "ms", 0.5),
        Figure(_GROUP, f"decision in OPA with {MANY}, all acts, p50", all_many, "ms"),
        Figure(_GROUP, "as many times that", all_many / all_few, "×", 1.2, gate=True),
    ]


def _build(
    policies: Path, catalogue: Catalogue, cases: Sequence[Case], count: int
) -> tuple[Bundle, Catalogue]:
    """Return the bundle of `count` purposes, and their catalogue with one of them changed."""
    many = multiply(catalogue, count, PRODUCTS)
    copied = tuple(_copy_cases(many, catalogue, cases))
    data = build_cases_data(copied)
    archive = build_archive(policies, many.to_data(), load_texts(policies), data)
    document = sign_archive(archive, [_KEY], seq=1).to_bytes()
    first = many.purposes["purpose_1"][0]
    changed = many.model_copy(
        update={
            "purposes": {
                **many.purposes,
                "purpose_1": (first.model_copy(update={"owner": "Another"}),),
            }
        }
    )
    return open_bundle(archive, document, [_KEY.public], 1), changed


def multiply(catalogue: Catalogue, purposes: int, products: int) -> Catalogue:
    """Return a catalogue of so many purposes, `purpose_0` and on, and so many products."""
    goods, labels = dict(catalogue.products), dict(catalogue.guards.labels)
    originals = list(catalogue.products.values())
    for number in range(len(originals), products):
        product = originals[number % len(originals)]
        name = f"{product.id}_{number}"
        goods[name] = product.model_copy(update={"id": name, "title": _word(name)})
        if product.id in labels:
            labels[name] = labels[product.id]
    made = {one.id: (one,) for one in catalogue.list_newest() if one.id == "own_access"}
    bases = [one for one in catalogue.list_newest() if one.id != "own_access"]
    for number in range(purposes - 1):
        base = bases[number % len(bases)]
        made[f"purpose_{number}"] = (_copy_purpose(base, number, goods),)
    guards = catalogue.guards.model_copy(update={"labels": labels})
    found = catalogue.model_copy(update={"purposes": made, "products": goods, "guards": guards})
    require_consistent(found)
    return found


def _copy_purpose(base: Purpose, number: int, goods: dict[str, Product]) -> Purpose:
    edges = tuple(
        edge.model_copy(
            update={
                "product": _pick(edge.product, number, goods),
                "fields": tuple(
                    field.model_copy(update={"why": _word(f"{number} {field.field}")})
                    for field in edge.fields
                ),
            }
        )
        for edge in base.edges
    )
    words = {"title": _word(f"title {number}"), "sentence": _word(f"sentence {number}")}
    return base.model_copy(update={"id": f"purpose_{number}", "edges": edges, **words})


def _pick(product: str, number: int, goods: dict[str, Product]) -> str:
    """Return the product itself for the first ones, for whose cases it must be that one."""
    alike = [name for name in goods if name == product or name.startswith(f"{product}_")]
    return product if number < len(goods) else alike[number % len(alike)]


def _word(seed: str) -> Wording:
    """Return words that are nowhere else, as long as an officer's sentence."""
    said = " ".join(hashlib.sha256(f"{seed} {n}".encode()).hexdigest()[:9] for n in range(8))
    return Wording(nl=said, en=said[::-1])


def _copy_cases(many: Catalogue, catalogue: Catalogue, cases: Sequence[Case]) -> Iterator[Case]:
    bases = [one.id for one in catalogue.list_newest() if one.id != "own_access"]
    plain = {
        base: [
            case
            for case in cases
            if case.purpose == base and case.question["act"] == "inquire" and not _cites(case)
        ][:_CASES_EACH]
        for base in bases
    }
    for number in range(len(many.purposes) - 1):
        name = f"purpose_{number}"
        digest = derive_digest(many.purposes[name][0])
        for case in plain[bases[number % len(bases)]]:
            question = {**case.question, "purpose": name}
            if question["purpose_digest"] == case.written_for:
                question["purpose_digest"] = digest
            yield case.model_copy(
                update={"purpose": name, "question": question, "written_for": digest}
            )


def _cites(case: Case) -> bool:
    """Tell whether a case names its purpose elsewhere too, or what was found with it."""
    named = [*case.question["consents"], *case.question["objections"], *case.question["blocks"]]
    return bool(named) or bool(case.expect.params)


def _list_questions(
    bundle: Bundle, catalogue: Catalogue, cases: Sequence[Case]
) -> Iterator[dict[str, Any]]:
    """Yield the question of each case, about a copy of its purpose that the bundle holds."""
    bases = [one.id for one in catalogue.list_newest() if one.id != "own_access"]
    for case in cases:
        question = dict(case.question)
        if _cites(case):
            continue
        if case.purpose in bases:
            name = f"purpose_{bases.index(case.purpose)}"
            newest = bundle.catalogue["purposes"][name]["revisions"][0]
            if question["purpose_digest"] == case.written_for:
                question["purpose_digest"] = newest["digest"]
            if question["purpose"] == case.purpose:
                question["purpose"] = name
        yield question


def _pick_act(questions: Sequence[dict[str, Any]], act: str) -> list[dict[str, Any]]:
    return [question for question in questions if question["act"] == act]


async def _measure_decision(bundle: Bundle, questions: Sequence[dict[str, Any]]) -> float:
    """Return the median of how long OPA itself says it weighed, in milliseconds."""
    bodies = [orjson.dumps({"input": question}) for question in questions]
    async with SupervisedOpa(await find_opa(), bundle) as opa:
        process = opa.process
        headers = {"Authorization": f"Bearer {process.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", process.port)
        took = []
        for number in range(_DECISIONS):
            body = bodies[number % len(bodies)]
            connection.request("POST", "/v1/data/datwat/ask/decision?metrics=true", body, headers)
            answer = orjson.loads(connection.getresponse().read())
            _require_decided(answer)
            took.append(answer["metrics"]["timer_rego_query_eval_ns"] / 1e6)
        connection.close()
    return float(statistics.median(took[len(took) // 10 :]))


def _require_decided(answer: Mapping[str, Any]) -> None:
    """Raise where OPA had no decision: that costs it less than one."""
    if not answer.get("result", {}).get("findings"):
        raise RuntimeError("OPA had no decision on a question of the bench.")


if __name__ == "__main__":
    print_figures(uvloop.run(measure_purposes(POLICIES)))
