"""The JSON Schema of the configuration file, for editors: made of `bellwire.config.schema`, so that it cannot differ.

It is as strict as types and names can be. What rests on several keys at once is for ``check-config``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from bellwire.config import schema
from bellwire.config.check_accounts import APIS
from bellwire.config.duration import format_duration
from bellwire.config.key_texts import TEXTS
from bellwire.config.shape import FILE, Kind, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import core_schema

    from bellwire.config.schema import Section
    from bellwire.config.shape import Shape

JsonSchema = dict[str, Any]

_DURATION: JsonSchema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$"}
_REFERENCE: JsonSchema = {"type": "string", "pattern": r"\$\{"}
_SCALAR: JsonSchema = {"type": ["string", "number", "boolean"]}  # taken as the text that was written
_DURATIONS: JsonSchema = {
    "description": "A number and a unit of ms, s, m, h, d, w, or several: 300ms, 30s, 1h30m.",
    "anyOf": [_DURATION, _REFERENCE],
}
_NOISE = frozenset({"title", "format", "writeOnly"})  # pydantic's own words for what name and type say already

_BESIDE = ("default", "description")


def json_schema() -> JsonSchema:
    """Return the schema of the whole file, in the 2020-12 dialect."""
    made = schema.Config.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions: JsonSchema = made.pop("$defs")
    for model in _sections(schema.Config, set()):
        _refine(model, made if model is schema.Config else definitions[model.__name__])
    definitions["AccountConfig"]["properties"]["api"] = {"enum": list(APIS)}
    definitions["MatcherConfig"]["properties"]["value"] = _SCALAR
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Bellwire's configuration"}
    whole = {name: _clean(each) for name, each in sorted(definitions.items())}
    top: JsonSchema = _clean(made)
    return head | top | {"$defs": {"Duration": _DURATIONS} | whole}


class _Generator(GenerateJsonSchema):
    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchema:  # noqa: ARG002 - pydantic's signature
        """Describe a duration as people write it."""
        return dict(_DURATION)

    def encode_default(self, dft: Any) -> Any:
        """Write durations as people do."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _sections(model: type[Section], seen: set[type[Section]]) -> Iterator[type[Section]]:
    seen.add(model)
    yield model
    for shape in shapes(model).values():
        inner: Shape | None = shape
        while inner:
            if inner.model and inner.model not in seen:
                yield from _sections(inner.model, seen)
            inner = inner.item


def _refine(model: type[Section], made: JsonSchema) -> None:
    """Put in what the loader allows beyond the types."""
    properties: JsonSchema = made["properties"]
    required: set[str] = set(made.get("required", ()))
    for key, shape in shapes(model).items():
        if key not in properties:
            continue
        if text := TEXTS.get(model, {}).get(key):
            properties[key]["description"] = text
        if shape.kind is Kind.MAPPING and shape.item and shape.item.kind in {Kind.TEXT, Kind.SECRET}:
            properties[key]["additionalProperties"] = _SCALAR
        if not shape.secret:
            continue
        properties[key + FILE] = {"type": "string", "description": f"The file that holds {key}."}
        if key in required:
            required.remove(key)
            made.setdefault("oneOf", []).extend([{"required": [key]}, {"required": [key + FILE]}])
        else:
            made.setdefault("allOf", []).append({"not": {"required": [key, key + FILE]}})
    if "required" in made:
        made["required"] = sorted(required)


def _clean(node: Any) -> Any:
    """Return a part of the schema without noise, each value that is no free text also as a reference to a variable."""
    if isinstance(node, list):
        return [_clean(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {
        name: _properties(value) if name == "properties" else _clean(value)
        for name, value in node.items()
        if name not in _NOISE and not (name == "default" and isinstance(value, dict | list | None))
    }
    return _or_reference(kept)


def _properties(named: JsonSchema) -> JsonSchema:
    """Clean what stands under names that are the file's own, whatever they are."""
    return {name: _clean(each) for name, each in named.items()}


def _or_reference(node: JsonSchema) -> JsonSchema:
    if node.get("pattern") == _DURATION["pattern"]:
        return {name: node[name] for name in _BESIDE if name in node} | {"$ref": "#/$defs/Duration"}
    if node.get("type") not in ("boolean", "integer", "number") and "enum" not in node:
        return node
    beside = {name: node.pop(name) for name in _BESIDE if name in node}
    return {"anyOf": [node, _REFERENCE]} | beside
