"""Pydantic's errors in plain words, each with what to do. No value of the file is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

_NUMBER = "must be a number"
_WHOLE = "must be a whole number"
_SWITCH = "must be true or false"
_MAPPING = "must be a mapping, such as `key: value` in lines of their own"
_LIST = "must be a list, such as [a, b]"
_TIME = "must be a time, such as 2026-11-23T10:00:00+01:00"

_PLAIN = {
    "missing": "is missing: add it",
    "string_type": "must be text: put it in quotes",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "datetime_from_date_parsing": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "string_too_short": "is empty: give it a value, or remove it",
}

_WITH_LIMITS: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "literal_error": lambda limits: f"must be one of {limits['expected']}".replace("'", ""),
    "enum": lambda limits: f"must be one of {limits['expected']}".replace("'", ""),
    "greater_than": lambda limits: f"must be more than {limits['gt']}",
    "greater_than_equal": lambda limits: f"must be at least {limits['ge']}",
    "less_than": lambda limits: f"must be less than {limits['lt']}",
    "less_than_equal": lambda limits: f"must be at most {limits['le']}",
    "too_short": lambda limits: f"must have at least {limits['min_length']}: add one",
    "value_error": lambda limits: str(limits["error"]),  # written by a validator of the schema, without the value
}


def explain(error: ErrorDetails) -> str:
    """Return what is wrong, and what to do."""
    kind = error["type"]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _WITH_LIMITS:
        return _WITH_LIMITS[kind](error["ctx"])
    return f"cannot be taken ({kind}): see config.example.yaml"
