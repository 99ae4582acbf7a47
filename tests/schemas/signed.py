"""What is inside a signature that holds: objects and parts that fit the document, or do not.

The OpenAPI document says of a signed message that it is four members of bytes, of which what is
made at random never gets past the signature. So the body of those operations is replaced here by
what is signed: the object, the statement and the persons, by their own models; and what comes of
it is signed by a partner of the covenant, with true names, a fresh id and the time of now.
"""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from datwat.protocol.acts import PersonPart, Statement
from datwat.protocol.jws import sign_object
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import (
    ActObject,
    ContactRequestObject,
    EvaluateObject,
    FiguresObject,
    InquiryObject,
    IntroduceObject,
    ReleaseObject,
)
from datwat.protocol.signing import SignedMessage, build_part
from datwat.protocol.values import encode_bytes, encode_moment
from tests.party.covenant import now

Json = dict[str, Any]
_SAID = "The signed object of the message is: "
_MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        ActObject,
        ContactRequestObject,
        EvaluateObject,
        FiguresObject,
        InquiryObject,
        IntroduceObject,
        ReleaseObject,
    )
}
# Filled in here, so that random ones do not end at the first check.
_OURS = ("v", "iss", "aud", "iat", "rid", "parts", "has_statement", "has_ticket")
_PERSONS = 3


@dataclass(frozen=True)
class Sender:
    """Who signs, and for whom."""

    own: str
    to: str
    key: SigningKey = field(repr=False)

    def sign(self, body: object) -> bytes:
        """Return a message with the object and the parts that were generated."""
        made: Json = body if isinstance(body, dict) else {"object": body}
        statement, persons = made.get("statement"), made.get("persons")
        contents = [] if statement is None else [statement]
        contents += persons if isinstance(persons, list) else []
        parts = [build_part(_encode(one)) for one in contents]
        members = made.get("object")
        if isinstance(members, dict):
            members = {
                **members,
                "v": 1,
                "iss": self.own,
                "aud": self.to,
                "iat": encode_moment(now()),
                "rid": encode_bytes(secrets.token_bytes(16)),
                "has_statement": statement is not None,
                "has_ticket": False,
                "parts": [encode_bytes(hashlib.sha256(part).digest()) for part in parts],
            }
        raw = _encode(members)
        signed = sign_object(raw, self.key)
        message = SignedMessage(
            object=raw, protected=signed.protected, signature=signed.signature, parts=tuple(parts)
        )
        return message.to_bytes()


def build_inner_document(document: Json) -> Json:
    """Return the operations of a document that take signed messages, with what is inside them."""
    inner = copy.deepcopy(document)
    inner["components"] = {"schemas": {}}
    paths: Json = {}
    for path, methods in document["paths"].items():
        said = str(methods.get("post", {}).get("description", ""))
        if _SAID not in said:
            continue
        names = said.split(_SAID)[1].rstrip(".").split(", ")
        kinds = [_MODELS[name] for name in names if name in _MODELS]
        if kinds:
            paths[path] = {"post": _build_operation(path, kinds, inner["components"]["schemas"])}
    inner["paths"] = paths
    return inner


def _build_operation(path: str, kinds: list[type[BaseModel]], shared: Json) -> Json:
    objects = [_take(kind, shared) for kind in kinds]
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["object"],
        "properties": {
            "object": {"anyOf": objects},
            "statement": _take(Statement, shared),
            "persons": {
                "type": "array",
                "maxItems": _PERSONS,
                "items": _take(PersonPart, shared),
            },
        },
    }
    content = {"application/json": {"schema": body}}
    return {
        "operationId": "signed" + path.replace("/", "_"),
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "Done"}},
    }


def _take(model: type[BaseModel], shared: Json) -> Json:
    """Return a model's schema, whose definitions lie beside those of the others."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    shared.update(schema.pop("$defs", {}))
    for name in _OURS:
        schema.get("properties", {}).pop(name, None)
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in _OURS]
    return schema


def _encode(value: object) -> bytes:
    """Return JSON as others may write it: canonical where that can be, and else as it comes."""
    text = json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=repr
    )
    return text.encode("utf-8", "surrogatepass")
