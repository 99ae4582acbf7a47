"""All policy data together, checked against itself, in the shape that Rego reads.

Rule enforced: a catalogue whose parts do not fit each other (`consistency.py`) is not built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

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
from datwat.party.strict_yaml import read_model, read_yaml, validate_yaml
from datwat.protocol.messages import BLADES
from datwat.protocol.values import Slug, Value

ASKING = ("inquire", "request_contact", "release")
RECORDING = (
    "record_conversation",
    "record_consent",
    "record_objection",
    "record_authority",
    "declare_special_situation",
)
OCCASION = ("open_occasion", "hand_over", "close_occasion", *RECORDING)
REGISTER = ("register", "end", "answer_contact", "report_wrong_person")
OWN = ("open_session", "wish")
ACTS = (*REGISTER, *OCCASION, *ASKING, *OWN, "introduce")
# What only says whether the rung asked fits one act says nothing of another act.
OF_ONE_ACT = {"asked_rung_open", "rung_fits_act"}
GROUPS = {
    "all": ACTS,
    "asking": ASKING,
    "own": OWN,
    "taking_nothing": (*REGISTER, *OCCASION, *OWN, "introduce"),
}


class Catalogue(Value):
    """The purposes, products, kinds, common terms and codes of one revision."""

    purposes: dict[Slug, Purpose]
    products: dict[Slug, Product]
    kinds: dict[Slug, Kind]
    covenant: Covenant
    codes: dict[Slug, Code]
    guards: Guards

    def to_data(self) -> dict[str, Any]:
        """Return `data.datwat.catalogue`: plain JSON values, with digests and an index per act."""
        return {
            "purposes": {
                key: {**_with_digest(value), "index": build_index(value, self.kinds, self.covenant)}
                for key, value in self.purposes.items()
            },
            "products": {key: _product_data(value) for key, value in self.products.items()},
            "kinds": {key: value.model_dump(mode="json") for key, value in self.kinds.items()},
            "covenant": self.covenant.model_dump(mode="json"),
            "codes": {
                key: {"about": code.about, "blade": code.blade, "remedy": code.remedy}
                for key, code in self.codes.items()
            },
            "acts": _index_acts(self.codes),
        }


def _with_digest(model: Purpose | Product) -> dict[str, Any]:
    return {**model.model_dump(mode="json"), "digest": derive_digest(model)}


def _product_data(product: Product) -> dict[str, Any]:
    labels = {item.field: list(item.labels) for item in product.fields}
    return {**_with_digest(product), "labels": labels}


def _index_acts(codes: dict[str, Code]) -> dict[str, dict[str, Any]]:
    """Per act its codes, the codes by blade, and those that asking otherwise would rest on too."""
    weighed = {act: _weighed(act, codes) for act in ACTS}
    return {act: _index_act(act, weighed) for act in ACTS}


def _weighed(act: str, codes: dict[str, Code]) -> dict[str, dict[str, Any]]:
    blocking = {name for name, code in codes.items() if act in _expand(code.acts)}
    return {
        name: {
            "blade": code.blade,
            "about": code.about,
            "remedy": code.remedy,
            "blocks": name in blocking,
        }
        for name, code in codes.items()
        if name in blocking or act in _expand(code.advises)
    }


def _index_act(act: str, weighed: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    codes = weighed[act]
    return {
        "codes": codes,
        # What the findings say until a rule proves otherwise.
        "unproven": {
            name: {
                "blade": code["blade"],
                "code": name,
                "satisfied": False,
                "about": code["about"],
                "params": {},
            }
            for name, code in codes.items()
        },
        "of": {
            blade: [name for name, code in codes.items() if code["blade"] == blade]
            for blade in BLADES
        },
        "shared": {
            other: [
                name
                for name, code in weighed[other].items()
                if name in codes.keys() - OF_ONE_ACT
                and code["blocks"]
                and code["about"] == "stated"
            ]
            for other in ("inquire", "request_contact")
        },
    }


def _expand(names: tuple[str, ...]) -> list[str]:
    """Return the acts that are named, one by one or as a group."""
    acts: list[str] = []
    for name in names:
        if name in GROUPS:
            acts.extend(GROUPS[name])
        elif name in ACTS:
            acts.append(name)
        else:
            raise PolicyFileError(f"codes.yaml: no act or group is called {name}.")
    return acts


def load_catalogue(policies_dir: Path) -> Catalogue:
    """Return the checked catalogue of a folder; raise PolicyFileError with file and place."""
    purposes = _load_folder(Purpose, policies_dir / "purposes")
    products = _load_folder(Product, policies_dir / "products")
    catalogue = Catalogue(
        purposes=purposes,
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
    for purpose in catalogue.purposes.values():
        require_purpose(purpose, products, kinds, covenant)
    for name, product in products.items():
        require_known(f"products/{name}.yaml, sources", product.sources, covenant.functions)
    for name, kind in kinds.items():
        require_known(f"kinds.yaml, {name}", kind.functions, covenant.functions)
        if kind.cap != "none":
            _require_domain(covenant, name, kind)
    require_guards(catalogue.guards, products, kinds, covenant)
    for act, index in _index_acts(catalogue.codes).items():
        blades = {code["blade"] for code in index["codes"].values() if code["blocks"]}
        if blades != set(BLADES):
            raise PolicyFileError(f"codes.yaml: {act} has no code of every blade.", place=act)


def _require_domain(covenant: Covenant, name: str, kind: Kind) -> None:
    for function in kind.functions:
        if covenant.functions[function].domain is None:
            refuse(f"kinds.yaml, {name}", f"can be seen, so {function} needs a domain")
