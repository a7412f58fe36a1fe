"""From a prepared document to a `Config`, though parts of it are wrong.

Pydantic stops at types; the checks across keys need a whole `Config`. So what is wrong is reported, replaced by its
default or a stand-in, and the rest is checked all the same: every fault is told at once. A stand-in is noted as broken,
and nothing more is said about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bellwire.config.explain import explain
from bellwire.config.schema import Config
from bellwire.config.shape import Kind, Shape, shapes

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from bellwire.config.places import Document, Loc

_ROUNDS = 10  # a stand-in may itself lack something: the depth of required keys within required keys, and some more
_ROOT = Shape(kind=Kind.SECTION, model=Config)
_STAND_IN = "?"
_MATCHER = 'must be a matcher, such as severity >= "error"'


def validate(document: Document) -> Config | None:
    """Return the configuration, with stand-ins for what was reported; None if not even that can be had."""
    for _ in range(_ROUNDS):
        try:
            return Config.model_validate(document.data)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_input=False)
        for error in errors:
            _treat(document, error)
    return None


def _treat(document: Document, error: ErrorDetails) -> None:
    found = _find(document, error["loc"])
    if found is None:
        return
    loc, shape = found
    if not document.is_broken(loc):
        union = shape.kind is Kind.SECTION and len(loc) < len(error["loc"])
        missing_value = error["type"] != "missing" and _is_null(document, loc)
        message = "has no value: give it one, or remove the key" if missing_value else explain(error)
        document.report(loc, _MATCHER if union else message)
        document.broken.add(loc)
    _replace(document, loc, shape)


def _find(document: Document, loc: Loc) -> tuple[Loc, Shape] | None:
    """Return the place of an error and its shape, without the words that pydantic adds for a choice of types.

    None for the half of such a choice that was not meant: text, where there is a mapping.
    """
    shape, value, found = _ROOT, document.data, ()  # type: Shape, Any, Loc
    for part in loc:
        if shape.kind is Kind.SECTION and shape.model and part in {shape.model.__name__, "str"} and len(found) > 1:
            if part == "str" and isinstance(value, dict):
                return None
            if part not in shapes(shape.model):
                continue
        inner = _inner(shape, part)
        if inner is None:
            break
        shape, found = inner, (*found, part)
        value = _step(value, part)
    return found, shape


def _inner(shape: Shape, part: str | int) -> Shape | None:
    if shape.kind is Kind.SECTION and shape.model and isinstance(part, str):
        return shapes(shape.model).get(part)
    return shape.item if shape.kind in {Kind.LIST, Kind.MAPPING} else None


def _step(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _is_null(document: Document, loc: Loc) -> bool:
    try:
        return document.at(loc) is None
    except (KeyError, IndexError, TypeError):
        return False


def _replace(document: Document, loc: Loc, shape: Shape) -> None:
    if not loc:
        document.data = {}
        return
    holder, key = document.at(loc[:-1]), loc[-1]
    if isinstance(holder, dict) and isinstance(key, str) and _may_be_absent(loc, shape):
        holder.pop(key, None)
    else:
        holder[key] = _stand_in(shape)


def _may_be_absent(loc: Loc, shape: Shape) -> bool:
    parent = _ROOT
    for part in loc[:-1]:
        parent = _inner(parent, part) or parent
    return parent.kind is Kind.MAPPING or shape.default


def _stand_in(shape: Shape) -> object:
    if shape.kind is Kind.SECTION:
        return {}
    if shape.kind is Kind.MAPPING:
        return {}
    if shape.kind is Kind.LIST:
        return [_STAND_IN] if shape.item and shape.item.kind in {Kind.TEXT, Kind.SECRET} else []
    return shape.choices[0] if shape.choices else _STAND_IN
