"""What a check is, and what it finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from bellwire.config.schema import Config
    from bellwire.http import HttpPool
    from bellwire.ports import Clock


class Health(enum.StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"  # it works; something will go wrong one day, or may be seen by others
    FAILED = "failed"  # it does not work


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What is so (``text``), and how to mend it (``remedy``, empty if nothing is to be done). Neither bears a secret."""

    health: Health
    text: str
    remedy: str = ""


def ok(text: str) -> Diagnosis:
    """Return that all is well."""
    return Diagnosis(health=Health.OK, text=text)


def warning(text: str, remedy: str) -> Diagnosis:
    """Return that something is not as it should be."""
    return Diagnosis(health=Health.WARNING, text=text, remedy=remedy)


def failed(text: str, remedy: str) -> Diagnosis:
    """Return that something does not work."""
    return Diagnosis(health=Health.FAILED, text=text, remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """What is looked at: a configuration that can be loaded, its file, and the address of the ledger."""

    config: Config
    path: Path
    ledger_url: str
    environ: Mapping[str, str]
    pool: HttpPool
    clock: Clock


Look: TypeAlias = "Callable[[], Awaitable[Iterable[Diagnosis]]]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Something to look at: ``name`` says what kind of thing, ``subject`` which one."""

    name: str
    subject: str
    look: Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A diagnosis of a check."""

    check: str
    subject: str
    diagnosis: Diagnosis
