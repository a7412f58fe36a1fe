"""Values as text, the same wherever a template shows one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Undefined

from bellwire.errors import TemplateError
from bellwire.templating.budget import budget
from bellwire.templating.view import AlertView


def text_of(value: Any) -> str:  # noqa: PLR0911 - a kind of value each
    """Return a value as people read it: nothing as empty text, truth as in YAML, lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, StrictUndefined):
        return str(value)  # raises, and says what is unknown
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, AlertView):
        return value.title
    if isinstance(value, list | tuple | dict):
        return json_of(value)
    return _refuse(value)


def json_of(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON."""
    if isinstance(value, list | tuple | dict):
        budget().weigh(value)
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, Undefined | date | AlertView):
        return text_of(value)
    return _refuse(value)


def _refuse(value: Any) -> NoReturn:
    message = f"shows a {type(value).__name__.lower()}, which has no text: show something of it"
    raise TemplateError(message)
