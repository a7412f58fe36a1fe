"""``bellwire silence``: what nobody wants to hear of for a while."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from bellwire.cli.errors import TO_ASK, configured
from bellwire.cli.person import login
from bellwire.cli.printing import ask_options, fail, moment, plain, print_json, print_table, say
from bellwire.config.duration import parse_duration
from bellwire.config.moment import parse_moment
from bellwire.records import LONGEST_COMMENT, LONGEST_SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bellwire.cli.silence_book import SilenceBook
    from bellwire.routing.matchers import Matcher

A = TypeVar("A")

_HEADER = ("ID", "STATE", "STARTS (UTC)", "ENDS (UTC)", "AUTHOR", "MATCHERS", "COMMENT")
_LONGEST = {"--author": 200, "--comment": LONGEST_COMMENT}  # characters, as the API has it

_MOST_ENDED = 1000  # that one call lists


@click.group("silence")
def silence() -> None:
    """Add, list and end silences: alerts that one matches are recorded, and not sent."""


@silence.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@click.option("--duration", required=True, metavar="TIME", help="How long, such as 1h30m.")
@click.option("--comment", required=True, metavar="TEXT", help="Why.")
@click.option("--author", metavar="NAME", help="Who; else whoever is logged in.")
@click.option("--start", metavar="TIME", help="From when, such as 2026-11-22T10:00; else from now.")
@ask_options
def add(  # noqa: PLR0913 - an option each
    matchers: tuple[str, ...],
    *,
    duration: str,
    comment: str,
    author: str | None,
    start: str | None,
    option: str | None,
    as_json: bool,
) -> None:
    """Silence the alerts that every MATCHER matches, and print the silence's id.

    What waits is stopped when its turn comes; what was suppressed is not revived when the silence ends.
    """
    from bellwire.records import NewSilence  # noqa: PLC0415 - commands must start fast

    texts = _parsed(matchers)
    length = _length(duration)
    said = {"author": _words(author or login(), "--author"), "comment": _words(comment, "--comment")}
    config, url = configured(option, TO_ASK)
    now = _now()
    starts_at = now if start is None else _start(start, config.global_.timezone)
    if starts_at + length <= now:
        msg = "--start and --duration: it would have ended already"
        raise click.UsageError(msg)
    new = NewSilence(matchers=texts, starts_at=starts_at, ends_at=starts_at + length, **said)
    silence_id = _done(config, url, lambda book: book.add(new))
    if as_json:
        print_json([{"id": silence_id}])
    else:
        say(silence_id)


@silence.command("list")
@ask_options
@click.option("--all", "every", is_flag=True, help="Those that have ended, too: the last ended first.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST_ENDED), default=_MOST_ENDED, show_default=True, help="How many of these."
)
@click.option("--before", metavar="ID", help="Only silences that ended before this one did.")
def list_(option: str | None, as_json: bool, every: bool, limit: int, before: str | None) -> None:  # noqa: FBT001 - click's way
    """List the silences that hold, and those that will."""
    config, url = configured(option, TO_ASK)
    ended = limit if every or before else 0
    found = _done(config, url, lambda book: book.every(ended, before.upper() if before else None))
    if as_json:
        print_json(found)
    elif found:
        print_table(_HEADER, [_row(each) for each in found])
    else:
        say("no silences")


@silence.command("expire")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--author", metavar="NAME", help="Who ends it; else whoever is logged in.")
@ask_options
def expire(ids: tuple[str, ...], author: str | None, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - as above
    """End silences now. Exits 1 if there is none of an ID; the others are ended."""
    config, url = configured(option, TO_ASK)
    who = author or login()
    outcomes = _done(config, url, lambda book: [(each, book.expire(each.upper(), who)) for each in ids])
    for silence_id, outcome in outcomes:
        if outcome == "unknown":
            click.echo(
                f"bellwire: there is no silence {plain(silence_id)}: `bellwire silence list` shows them", err=True
            )
        elif outcome == "ended_before" and not as_json:
            say(f"{plain(silence_id)} had ended before")
    if as_json:
        print_json([{"id": silence_id.upper(), "outcome": outcome} for silence_id, outcome in outcomes])
    if any(outcome == "unknown" for _, outcome in outcomes):
        sys.exit(1)


def _done(config: Any, url: str, work: Callable[[SilenceBook], A]) -> A:
    from bellwire.cli.silence_book import with_silences  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.errors import BellwireError  # noqa: PLC0415

    try:
        return with_silences(config, url, work)
    except BellwireError as error:
        fail(str(error))


def _parsed(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the matchers in their canonical form; exit 2 with a caret under what is wrong."""
    from bellwire.errors import MatcherError  # noqa: PLC0415 - commands must start fast
    from bellwire.routing.matcher_parser import parse_matchers  # noqa: PLC0415
    from bellwire.routing.matchers import check_silence  # noqa: PLC0415

    matchers: list[Matcher] = []
    for text in texts:
        try:
            found = parse_matchers(text)
        except MatcherError as error:
            msg = f"MATCHER cannot be read:\n  {plain(text)}\n  {' ' * error.offset}^ {error}"
            raise click.UsageError(msg) from None
        if not found:
            msg = f"MATCHER {plain(text)!r} holds none"
            raise click.UsageError(msg)
        matchers += found
    try:
        check_silence(matchers)
    except MatcherError as error:
        raise click.UsageError(str(error)) from None
    return tuple(map(str, matchers))


def _words(text: str, option: str) -> str:
    """Return the text if the daemon would take it: so that what is wrong is said alike whether one runs or not."""
    if not text.strip():
        msg = f"{option}: it is empty: say {'who' if option == '--author' else 'why'}, in a few words"
    elif len(text) > _LONGEST[option]:
        msg = f"{option}: it is longer than {_LONGEST[option]:,} characters: say it in fewer"
    else:
        return text
    raise click.UsageError(msg)


def _length(duration: str) -> timedelta:
    try:
        length = parse_duration(duration)
    except ValueError as error:
        msg = f"--duration: {error}"
        raise click.UsageError(msg) from None
    if not timedelta(0) < length <= LONGEST_SILENCE:
        msg = f"--duration: it must be more than nothing, and {LONGEST_SILENCE.days} days at most"
        raise click.UsageError(msg)
    return length


def _start(text: str, zone: str) -> datetime:
    """Return the time; without an offset it is one of the configuration's time zone."""
    try:
        return parse_moment(text, ZoneInfo(zone))
    except ValueError as error:
        msg = f"--start: {plain(text)!r} {error}"
        raise click.UsageError(msg) from None


def _now() -> datetime:
    from bellwire.clock import SystemClock  # noqa: PLC0415 - commands must start fast

    return SystemClock().wall()


def _row(it: dict[str, Any]) -> list[str]:
    times = [moment(it["starts_at"]), moment(it["ends_at"])]
    return [it["id"], it["state"], *times, it["author"], ", ".join(it["matchers"]), it["comment"]]
