"""How answers look on a terminal, and in a file."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from bellwire.cli.errors import TO_ASK, configured, unusable
from bellwire.cli.progress import patience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.cli.ask import Bellwire

A = TypeVar("A")
Command = TypeVar("Command", bound=Callable[..., object])

_COLOURS = {
    **dict.fromkeys(("sent", "delivered", "confirmed", "covered"), "green"),
    **dict.fromkeys(("pending", "sending", "open", "in_flight"), "blue"),
    **dict.fromkeys(("retry", "in_doubt", "warning"), "yellow"),
    **dict.fromkeys(("dead", "failed", "error", "critical", "message_fault", "channel_fault"), "red"),
}
_NEVER_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # they move the cursor, turn text around, or end the line


def ask_options(command: Command) -> Command:
    """Add the options of every command that asks: ``option`` and ``as_json``."""
    config = click.option(
        "--config", "option", metavar="FILE", help="The configuration; else $BELLWIRE_CONFIG, else ./bellwire.yaml."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
    return config(as_json(command))


def answer_to(option: str | None, question: Callable[[Bellwire], A]) -> A:
    """Return the answer of the daemon or the ledger; exit 78 for a bad configuration, 1 if there is no ledger."""
    config, url = configured(option, TO_ASK)
    from bellwire.cli.ask import ask  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.errors import BellwireError, ConfigError  # noqa: PLC0415

    try:
        with patience("asking"):
            return ask(config, url, question)
    except ConfigError as error:  # it is the vendors who are asked, and their accounts' secrets cannot be read
        unusable(error)
    except BellwireError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say what is wrong, and exit 1."""
    click.echo(f"bellwire: {message}", err=True)
    sys.exit(1)


def print_json(items: Sequence[Any]) -> None:
    """Print one array of objects."""
    click.echo(json.dumps(items, ensure_ascii=False, indent=2))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, columns as wide as they need to be; a state bears its colour."""
    plain_rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(header, *plain_rows, strict=True)]
    say(click.style(_line(header, widths), bold=True))
    for row in plain_rows:
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        say("  ".join(state(cell.strip(), cell) for cell in padded).rstrip())


def say(text: str = "") -> None:
    """Print a line: in colour on a terminal, unless ``NO_COLOR`` is set."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def state(word: str, text: str | None = None) -> str:
    """Return ``text`` (or the word) in the colour of a state or severity."""
    colour = _COLOURS.get(word)
    shown = word if text is None else text
    return click.style(shown, fg=colour) if colour else shown


def plain(text: object) -> str:
    """Return ``text`` without anything that a terminal would obey: what alerts say comes from elsewhere."""
    return "".join(
        " " if character in "\r\n\t" else "\N{REPLACEMENT CHARACTER}" if _is_hidden(character) else character
        for character in str(text)
    )


def moment(at: str | None) -> str:
    """Return a time of an answer as people read it, in UTC."""
    if at is None:
        return "-"
    day, _, time = at.removesuffix("Z").partition("T")
    return f"{day} {time[:12]}"


def channel(it: dict[str, Any]) -> str:
    """Return a channel as people name it."""
    return plain("/".join(part for part in (it["receiver"], it["channel"], it["name"]) if part))


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _NEVER_SHOWN


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
