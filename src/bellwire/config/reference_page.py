"""The configuration reference as a page: keys, types and defaults from the schema, sentences from `key_texts`."""

from __future__ import annotations

import enum
import types
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from bellwire.config import schema
from bellwire.config.check_accounts import APIS
from bellwire.config.duration import format_duration
from bellwire.config.key_texts import TEXTS
from bellwire.config.schema import Section
from bellwire.config.shape import FILE, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from bellwire.config.shape import Shape

_HEAD = """\
# Configuration reference

Made from the schema by `bellwire schema --markdown`; a test holds it fresh. [config.example.yaml](../config.example.yaml)
shows the keys at work, and `bellwire schema` prints the same as a JSON Schema for editors.

- One YAML file. Unknown and duplicate keys are refused, all faults at once: `bellwire check-config FILE`.
- **Durations** are written `300ms`, `30s`, `1h30m`, `7d` (units `ms s m h d w`).
- **Secrets** are never shown in logs, errors or pages. Each `x` may be given as `x_file`: a file that holds nothing else,
  looked for in `$CREDENTIALS_DIRECTORY` if that is set (systemd), else beside the configuration. One that is given and
  empty is refused, whether by the file, by `${VARIABLE:-}` or by a `BELLWIRE__` variable: it would guard or sign nothing.
- Any value may hold `${VARIABLE}` or `${VARIABLE:-default}` from the environment; `$$` is a dollar before a brace.
- `BELLWIRE__STORAGE__URL` in the environment overrides `storage.url`; lists are given whole, as JSON.
- Paths are relative to the configuration file. **Required** keys have no default.
"""
_DAY = timedelta(days=1)
_NAMES: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    SecretStr: "secret",
    Any: "anything",
    timedelta: "duration",
    datetime: "time",
}


def reference_page() -> str:
    """Return the page, as Markdown."""
    places = _places()
    parts = [_HEAD, *(_section(model, at) for model, at in places.items())]
    return "\n".join(parts)


def undocumented() -> list[str]:
    """Return keys without a sentence, and sentences without a key: there must be none."""
    known = {(model.__name__, key) for model in _all_sections(schema.Config, set()) for key in shapes(model)}
    told = {(model.__name__, key) for model, texts in TEXTS.items() for key in texts}
    return sorted(".".join(each) for each in known ^ told)


def _places() -> dict[type[Section], list[str]]:
    """Return every section with the places it may stand at, in the order of the file."""
    places: dict[type[Section], list[str]] = {schema.Config: [""]}

    def walk(model: type[Section], at: str) -> None:
        for key, shape in shapes(model).items():
            inner, suffix = _inner(shape)
            if inner is None:
                continue
            place = f"{at}.{key}{suffix}".removeprefix(".")
            first = inner not in places
            places.setdefault(inner, []).append(place)
            if first:
                walk(inner, place)

    walk(schema.Config, "")
    return places


def _all_sections(model: type[Section], seen: set[type[Section]]) -> set[type[Section]]:
    seen.add(model)
    for shape in shapes(model).values():
        inner, _ = _inner(shape)
        if inner is not None and inner not in seen:
            _all_sections(inner, seen)
    return seen


def _inner(shape: Shape) -> tuple[type[Section] | None, str]:
    suffix = ""
    while shape.item is not None:
        shape, suffix = shape.item, f"{suffix}[]"
    return shape.model, suffix


def _section(model: type[Section], at: list[str]) -> str:
    title = at[0] or "The file"
    lines = [f"## {title}", "", _in_one_line(model)]
    if len(at) > 1:
        lines += ["", f"The same at {', '.join(f'`{place}`' for place in at[1:])}."]
    lines += ["", "| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        key = field.alias or name
        lines.append("| " + " | ".join(_row(model, key, field)) + " |")
    return "\n".join([*lines, ""])


def _in_one_line(model: type[Section]) -> str:
    first, _, _ = (model.__doc__ or "").partition("\n\n")
    return " ".join(first.replace("``", "`").split())


def _row(model: type[Section], key: str, field: FieldInfo) -> Iterator[str]:
    shape = shapes(model)[key]
    yield f"`{key}`, `{key}{FILE}`" if shape.secret else f"`{key}`"
    yield _escaped(_choices(model, key) or _type(field.annotation))
    yield _escaped(_default(field, shape))
    yield _escaped(TEXTS[model][key])


def _choices(model: type[Section], key: str) -> str:
    return _any_of(APIS) if (model, key) == (schema.AccountConfig, "api") else ""


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _any_of(arguments)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in {Union, types.UnionType}:
        return " or ".join(_type(each) for each in arguments if each is not type(None))
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of text to {_type(arguments[1])}"
    return _NAMES[annotation] if annotation in _NAMES else _type_of_class(annotation)


def _type_of_class(annotation: type) -> str:
    if issubclass(annotation, enum.Enum):
        return _any_of(each.value for each in annotation)
    return "section" if issubclass(annotation, Section) else annotation.__name__


def _any_of(values: Any) -> str:
    return " \\| ".join(f"`{value}`" for value in values)


def _default(field: FieldInfo, shape: Shape) -> str:
    value = field.default
    if field.is_required():
        return "**required**"
    if shape.model is not None or value is None or value in ([], {}, ""):
        return "-"
    if isinstance(value, timedelta):
        return f"`{value.days}d`" if value and not value % _DAY else f"`{format_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(repr(each) if not each.isalpha() else each for each in value)}]`"
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _escaped(text: str) -> str:
    return text.replace("\\|", "|").replace("|", "\\|")
