"""Names of severities as templates see them: texts that are equal as texts are, and compared by their rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.errors import TemplateError
from bellwire.model import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ranked(str):
    """The name of a severity. With what is none it cannot be compared: by the alphabet, ``info`` would be above ``error``."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return rank_of(self) < rank_of(other) if isinstance(other, str) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return rank_of(self) <= rank_of(other) if isinstance(other, str) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return rank_of(self) > rank_of(other) if isinstance(other, str) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return rank_of(self) >= rank_of(other) if isinstance(other, str) else NotImplemented


def rank_of(name: str) -> Severity:
    """Return the severity of this name, in any case. Raises `TemplateError` if there is none."""
    found = Severity.of(name)
    if found is None:
        message = f"{str(name)[:80]!r} is no severity: choose from {', '.join(each.text for each in Severity)}"
        raise TemplateError(message)
    return found


def ranked(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels, ``severity`` among them compared by rank if it is one."""
    found = dict(labels)
    severity = found.get("severity")
    if severity is not None and Severity.of(severity) is not None:
        found["severity"] = Ranked(severity)
    return found


RANKED = {severity: Ranked(severity.text) for severity in Severity}
"""The names."""
