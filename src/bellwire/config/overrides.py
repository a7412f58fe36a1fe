"""Environment variables that override the file: ``BELLWIRE__STORAGE__URL`` is ``storage.url``.

pydantic-settings reads them, one at a time, so that a bad one is a fault that bears its name. Lists and mappings are
given whole, as JSON.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, cast

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from bellwire.config.places import Place
from bellwire.config.schema import Config
from bellwire.config.shape import FILE, Kind, Shape, names, secret_of, shapes
from bellwire.config.values import is_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.config.places import Document, Loc

PREFIX = "BELLWIRE__"
_DELIMITER = "__"


def override(document: Document, environ: Mapping[str, str]) -> None:
    """Put the values of all overriding variables into ``document``; those that cannot be read are reported."""
    for name in sorted(environ, key=lambda name: (name.count(_DELIMITER), name)):
        if name.startswith(PREFIX):
            _apply(document, name, environ[name])


def _apply(document: Document, name: str, text: str) -> None:
    loc = tuple(name.removeprefix(PREFIX).lower().split(_DELIMITER))
    place = Place(file=f"${name}", line=1, column=1)
    problem = _unreachable(loc) or (
        None if is_whole(text) else "holds bytes that are no UTF-8: write all of it in UTF-8"
    )
    value: Any = None
    if not problem:
        try:
            value = _read(name, text, loc)
        except (SettingsError, ValueError, RecursionError):
            problem = "must be JSON: here stands a list or a mapping"
    if problem:
        document.values[loc] = place
        document.report(loc, problem)
        return
    _clear(document, loc)
    document.values[loc] = place
    if isinstance(value, str):
        document.texts[loc] = value
        document.interpolated.add(loc)
    holder = document.data
    for depth, part in enumerate(loc[:-1], 1):
        if not isinstance(holder.get(part), dict):
            holder[part] = {}
            document.values[loc[:depth]] = place
        holder = holder[part]
    _drop_twin(document, holder, loc)
    holder[loc[-1]] = value


def _read(name: str, text: str, loc: Loc) -> Any:
    """Return what pydantic-settings makes of one variable: text, or what JSON holds where the schema wants more."""
    source = EnvSettingsSource(
        cast("type[BaseSettings]", Config),  # it reads fields alone, which every model has
        case_sensitive=False,
        env_prefix=PREFIX,
        env_prefix_target="all",
        env_nested_delimiter=_DELIMITER,
    )
    source.env_vars = {name.lower(): text}
    (value,) = source().values()  # under the field's name, which is not always the key
    for part in loc[1:]:
        value = value[part]
    return value


def _unreachable(loc: tuple[str, ...]) -> str | None:
    """Return why there is nothing at ``loc`` that a variable could set, or None if there is."""
    shape = Shape(kind=Kind.SECTION, model=Config)
    for depth, part in enumerate(loc):
        if shape.kind is not Kind.SECTION or shape.model is None:
            whole = PREFIX + _DELIMITER.join(loc[:depth]).upper()
            return f"has no keys that a variable can name: set {whole} whole"
        known = shapes(shape.model)
        secret = secret_of(part, shape.model)
        if part not in known and not secret:
            nearest = difflib.get_close_matches(part, names(shape.model), 1)
            return f"unknown key, did you mean {nearest[0]}?" if nearest else "unknown key: unset the variable"
        shape = known.get(part) or Shape(kind=Kind.TEXT)
    return None


def _clear(document: Document, loc: Loc) -> None:
    """Forget the places and texts of what is replaced, and of all within it."""
    tables: list[dict[Loc, Any]] = [document.keys, document.values, document.texts]
    for table in tables:
        for old in [old for old in table if old[: len(loc)] == loc]:
            del table[old]
    document.interpolated -= {old for old in document.interpolated if old[: len(loc)] == loc}
    document.broken -= {old for old in document.broken if old[: len(loc)] == loc}
    _forgive(document, loc)


def _forgive(document: Document, loc: Loc) -> None:
    """Take back that variables are not set which only what was replaced at ``loc`` named."""
    for old in [old for old in document.unset if old[: len(loc)] == loc]:
        for fault in document.unset.pop(old):
            document.faults.remove(fault)


def _drop_twin(document: Document, holder: dict[str, Any], loc: tuple[str, ...]) -> None:
    """Remove the file's ``x_file`` where the environment gives the secret ``x``, and the other way about."""
    key = loc[-1]
    for twin in (key + FILE, key.removesuffix(FILE)):
        if twin != key and twin in holder:
            del holder[twin]
            _forgive(document, (*loc[:-1], twin))
