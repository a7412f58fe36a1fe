"""What the schema says of each key, so that nothing about keys is written down twice: which hold text, which a secret."""

from __future__ import annotations

import enum
import functools
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from bellwire.config.schema import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

FILE = "_file"


class Kind(enum.Enum):
    """What the value of a key is."""

    SECTION = enum.auto()
    LIST = enum.auto()
    MAPPING = enum.auto()
    TEXT = enum.auto()
    SECRET = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The type of one value. ``item`` is that of a list's items or a mapping's values, ``model`` that of a section."""

    kind: Kind
    model: type[Section] | None = None
    item: Shape | None = None
    choices: tuple[str, ...] = ()
    default: bool = True  # False: the key must be given

    @property
    def secret(self) -> bool:
        """Whether this is a secret or a list of secrets, and so may come from a file."""
        return self.kind is Kind.SECRET or (
            self.kind is Kind.LIST and self.item is not None and self.item.kind is Kind.SECRET
        )


_HOLDERS = {list: Kind.LIST, dict: Kind.MAPPING}
_SCALARS = {str: Kind.TEXT, SecretStr: Kind.SECRET}


@functools.cache
def shapes(model: type[Section]) -> Mapping[str, Shape]:
    """Return the shape of every key of ``model``, by the name that the file uses."""
    return {field.alias or name: _of_field(field) for name, field in model.model_fields.items()}


def secret_of(key: str, model: type[Section]) -> str | None:
    """Return the secret whose file the key names (``token_file``: ``token``), or None."""
    secret = key.removesuffix(FILE)
    shape = shapes(model).get(secret)
    return secret if shape and shape.secret and secret != key else None


def names(model: type[Section]) -> list[str]:
    """Return every key that a section of ``model`` may have, those of secrets' files too."""
    return [name for key, shape in shapes(model).items() for name in ([key, key + FILE] if shape.secret else [key])]


def _of_field(field: FieldInfo) -> Shape:
    shape = _of_type(field.annotation)
    return Shape(
        kind=shape.kind,
        model=shape.model,
        item=shape.item,
        choices=shape.choices,
        default=not field.is_required(),
    )


def _of_type(annotation: Any) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Shape(kind=Kind.OTHER, choices=arguments)
    if origin in {Union, types.UnionType}:
        return _of_union([_of_type(argument) for argument in arguments if argument is not type(None)])
    if origin in _HOLDERS:
        return Shape(kind=_HOLDERS[origin], item=_of_type(arguments[-1]))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return Shape(kind=Kind.SECTION, model=annotation)
    return Shape(kind=_SCALARS.get(annotation, Kind.OTHER))


def _of_union(members: list[Shape]) -> Shape:
    """Return a section if there is one: what may also be written as text (a matcher) then stays as it is."""
    return next((member for member in members if member.kind is Kind.SECTION), members[0])
