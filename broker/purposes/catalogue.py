"""All policy data together, checked against itself, in the shape that Rego reads.

Rules enforced: a catalogue whose parts do not fit each other (`consistency.py`) is not built; of a
purpose each revision begins after the one before it. The signed bundle holds all of it, so that
the catalogue in force can be had back from there and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import TypeAdapter, ValidationError, model_validator

from broker.purposes.acts import index_acts
from broker.purposes.consistency import refuse, require_guards, require_known, require_purpose
from broker.purposes.errors import PolicyFileError
from broker.purposes.index import build_index
from broker.purposes.models import (
    Code,
    Covenant,
    Guards,
    Kind,
    Product,
    Purpose,
    derive_digest,
)
from broker.purposes.revisions import keep_citable, list_ends, require_history
from datwat.party.strict_yaml import read_model, read_yaml, validate_yaml
from datwat.protocol.bundle import Bundle, BundleError
from datwat.protocol.catalogue import GRACE_SECONDS
from datwat.protocol.messages import BLADES
from datwat.protocol.values import Slug, Value


class Catalogue(Value):
    """The purposes with their revisions, products, kinds, common terms and codes of one bundle.

    `purposes`: by id the revisions, the first to begin first; never none.
    """

    purposes: dict[Slug, tuple[Purpose, ...]]
    products: dict[Slug, Product]
    kinds: dict[Slug, Kind]
    covenant: Covenant
    codes: dict[Slug, Code]
    guards: Guards

    @model_validator(mode="after")
    def _revisions_follow_one_another(self) -> Self:
        for name, revisions in self.purposes.items():
            require_history(name, revisions)
        return self

    def find_revision(self, purpose_id: str, now: datetime) -> Purpose | None:
        """Return the revision of a purpose that is in force, if one is."""
        begun = [one for one in self.purposes.get(purpose_id, ()) if one.valid_from <= now]
        if not begun or (begun[-1].valid_until is not None and begun[-1].valid_until <= now):
            return None
        return begun[-1]

    def find_newest(self, purpose_id: str) -> Purpose | None:
        """Return the revision of a purpose that begins last, be it in force already or not."""
        revisions = self.purposes.get(purpose_id)
        return revisions[-1] if revisions else None

    def list_newest(self) -> tuple[Purpose, ...]:
        """Return of each purpose the revision that begins last."""
        return tuple(revisions[-1] for revisions in self.purposes.values())

    def with_revision(self, purpose: Purpose, *, now: datetime) -> Catalogue:
        """Return this catalogue with one more revision, which begins last; checked as a whole.

        What nobody may cite any more at `now` is left out. Raises PolicyFileError with the place.
        """
        held = keep_citable(self.purposes.get(purpose.id, ()), now)
        if held and purpose.valid_from <= held[-1].valid_from:
            raise PolicyFileError(
                f"{purpose.id}, valid_from: there is a revision that begins then or later: choose a"
                " later moment, or withdraw that one first.",
                place="valid_from",
            )
        return self._with({**self.purposes, purpose.id: (*held, purpose)})

    def without_revision(self, purpose_id: str, digest: str) -> Catalogue:
        """Return this catalogue without one revision, and without the purpose if it was its last.

        Raises PolicyFileError where it is not there.
        """
        revisions = self.purposes.get(purpose_id, ())
        kept = tuple(one for one in revisions if derive_digest(one) != digest)
        if len(kept) == len(revisions):
            raise PolicyFileError(f"{purpose_id}: has no such revision.", place="digest")
        if not kept:
            return self.without_purpose(purpose_id)
        return self._with({**self.purposes, purpose_id: kept})

    def without_purpose(self, purpose_id: str) -> Catalogue:
        """Return this catalogue without a purpose; raise PolicyFileError where it is not there."""
        if purpose_id not in self.purposes:
            raise PolicyFileError(f"{purpose_id}: there is no such purpose.", place="purpose")
        return self._with({name: has for name, has in self.purposes.items() if name != purpose_id})

    def _with(self, purposes: dict[str, tuple[Purpose, ...]]) -> Catalogue:
        changed = self.model_copy(update={"purposes": dict(sorted(purposes.items()))})
        require_consistent(changed)
        return changed

    def to_data(self) -> dict[str, Any]:
        """Return `data.datwat.catalogue`: plain JSON values, with digests and an index per act."""
        return {
            "grace_seconds": GRACE_SECONDS,
            "purposes": {
                name: {"id": name, "revisions": self._list_revisions(revisions)}
                for name, revisions in self.purposes.items()
            },
            "products": {key: _product_data(value) for key, value in self.products.items()},
            "kinds": _dump(self.kinds),
            "covenant": self.covenant.model_dump(mode="json"),
            "codes": _dump(self.codes),
            # The order in which findings are told; that of an object's members is lost.
            "code_order": list(self.codes),
            "guards": self.guards.model_dump(mode="json"),
            "acts": index_acts(self.codes),
        }

    def _list_revisions(self, revisions: tuple[Purpose, ...]) -> list[dict[str, Any]]:
        data = [
            {**_with_digest(one), "index": build_index(one, self.kinds, self.covenant)}
            for one in revisions
        ]
        for one, until_at in zip(data, list_ends(revisions), strict=True):
            one["until_at"] = until_at
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return the catalogue that `to_data` wrote; raise BundleError for anything else."""
        try:
            taken = {
                **{name: data[name] for name in ("kinds", "covenant", "guards")},
                "codes": _order(data["codes"], data["code_order"]),
                "purposes": {
                    name: [_without(one, _DERIVED) for one in purpose["revisions"]]
                    for name, purpose in data["purposes"].items()
                },
                "products": {
                    name: _without(one, _DERIVED) for name, one in data["products"].items()
                },
            }
            return cls.model_validate_json(orjson.dumps(taken))
        except (KeyError, TypeError, AttributeError, ValidationError):
            raise BundleError from None

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Return the catalogue of a signed bundle; raise BundleError where it cannot be had."""
        return cls.from_data(bundle.catalogue)


# What `to_data` adds for whoever looks things up.
_DERIVED = frozenset({"digest", "index", "until_at", "labels"})


def _without(item: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


def _order(items: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    if sorted(items) != sorted(names):
        raise BundleError
    return {name: items[name] for name in names}


def _dump(items: Mapping[str, Value]) -> dict[str, Any]:
    return {name: item.model_dump(mode="json") for name, item in items.items()}


def _with_digest(model: Purpose | Product) -> dict[str, Any]:
    return {**model.model_dump(mode="json"), "digest": derive_digest(model)}


def _product_data(product: Product) -> dict[str, Any]:
    labels = {item.field: list(item.labels) for item in product.fields}
    return {**_with_digest(product), "labels": labels}


def load_catalogue(policies_dir: Path) -> Catalogue:
    """Return the checked catalogue of a folder; raise PolicyFileError with file and place."""
    purposes = _load_folder(Purpose, policies_dir / "purposes")
    products = _load_folder(Product, policies_dir / "products")
    catalogue = Catalogue(
        purposes={name: (purpose,) for name, purpose in purposes.items()},
        products=products,
        kinds=_load_map(Kind, policies_dir / "kinds.yaml"),
        covenant=read_model(policies_dir / "covenant.yaml", Covenant, PolicyFileError),
        codes=_load_map(Code, policies_dir / "codes.yaml"),
        guards=read_model(policies_dir / "guards.yaml", Guards, PolicyFileError),
    )
    require_consistent(catalogue)
    return catalogue


def _load_folder(model: type[Any], folder: Path) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for path in sorted(folder.glob("*.yaml")):
        item = read_model(path, model, PolicyFileError)
        if item.id != path.stem:
            raise PolicyFileError(f"{path}, id: differs from the name of the file.", place="id")
        items[item.id] = item
    if not items:
        raise PolicyFileError(f"{folder}: holds no file.")
    return items


def _load_map(model: type[Any], path: Path) -> dict[str, Any]:
    raw = read_yaml(path, PolicyFileError)
    if not isinstance(raw, dict) or not raw:
        raise PolicyFileError(f"{path}: must be a mapping of ids.")
    names = TypeAdapter(Slug)
    items = {}
    for name, body in raw.items():
        try:
            names.validate_python(name)
        except ValueError as error:
            raise PolicyFileError(f"{path}: an id is not of the form a_b_c.") from error
        try:
            items[name] = validate_yaml(body, model, path, PolicyFileError)
        except PolicyFileError as error:
            raise PolicyFileError(f"{path}, {name}: {error.detail}", place=name) from error
    return items


def require_consistent(catalogue: Catalogue) -> None:
    """Raise PolicyFileError unless all parts of the catalogue fit each other and the guards."""
    covenant, kinds, products = catalogue.covenant, catalogue.kinds, catalogue.products
    for revisions in catalogue.purposes.values():
        for purpose in revisions:
            require_purpose(purpose, products, kinds, covenant)
    for name, product in products.items():
        require_known(f"products/{name}.yaml, sources", product.sources, covenant.functions)
    for name, kind in kinds.items():
        require_known(f"kinds.yaml, {name}", kind.functions, covenant.functions)
        if kind.cap != "none":
            _require_domain(covenant, name, kind)
    require_guards(catalogue.guards, products, kinds, covenant)
    for act, index in index_acts(catalogue.codes).items():
        blades = {code["blade"] for code in index["codes"].values() if code["blocks"]}
        if blades != set(BLADES):
            raise PolicyFileError(f"codes.yaml: {act} has no code of every blade.", place=act)


def _require_domain(covenant: Covenant, name: str, kind: Kind) -> None:
    for function in kind.functions:
        if covenant.functions[function].domain is None:
            refuse(f"kinds.yaml, {name}", f"can be seen, so {function} needs a domain")
