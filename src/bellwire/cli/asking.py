"""Asking a person, or saying which option would have answered where there is nobody to ask."""

from __future__ import annotations

import getpass
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bellwire.cli.first_config import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def ask(given: str | None, question: str, option: str, *, default: str = "", check: Callable[[str], str | None]) -> str:
    """Return what the option gave, else what a person answers; asked again for as long as ``check`` finds a fault."""
    if given is not None:
        if problem := check(given):
            message = f"{option}: {problem}"
            raise click.UsageError(message)
        return given
    while True:
        answer: str = _prompt(question, option, default=default or None)
        problem = check(answer)
        if problem is None:
            return answer
        click.echo(f"  {problem}", err=True)


def choose(given: str | None, question: str, option: str, choices: Sequence[str]) -> str:
    """Return one of the choices."""
    if given is not None:
        return given
    return _prompt(question, option, kind=click.Choice(choices))


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretQuestion:
    """A secret that is asked for: ``option`` names the two options that answer, ``name`` the file for what is typed in."""

    text: str
    option: str
    name: str
    check: Callable[[str], str | None]


def ask_secret(variable: str | None, file: str | None, question: SecretQuestion) -> Secret | None:
    """Return where the secret is. None if the answer is empty."""
    option = question.option
    if variable and file:
        message = f"{option}-env and {option}-file: give one of the two"
        raise click.UsageError(message)
    if variable or file:
        return Secret(variable=variable or "", file=file or "")
    while True:
        value: str = _prompt(question.text, f"{option}-env or {option}-file", hidden=True, default="")
        problem = question.check(value) if value else None
        if problem is None:
            return Secret(file=question.name, value=value) if value else None
        click.echo(f"  {problem}", err=True)


def _prompt(
    question: str,
    option: str,
    *,
    default: str | None = None,
    hidden: bool = False,
    kind: click.Choice[str] | None = None,
) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", getpass.GetPassWarning)  # a pipe shows nothing that could be hidden
            answer: str = click.prompt(
                question, default=default, hide_input=hidden, show_default=bool(default), type=kind, err=True
            )
    except click.Abort:
        if sys.stdin.isatty():
            raise
        message = f"there is nobody to ask: give {option}"
        raise click.UsageError(message) from None
    return answer.strip()
