"""``bellwire alerts``: lists the newest alerts, or those that are searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.ask import Wanted
from bellwire.cli.printing import answer_to, ask_options, channel, moment, plain, print_json, print_table, say

if TYPE_CHECKING:
    from datetime import datetime

_HEADER = ("RECEIVED (UTC)", "ID", "SEVERITY", "STATE", "ACCOUNT", "TITLE", "WENT TO", "READ MARK")
_TITLE = 60  # characters
_MOST = 1000
_STATES = ("in_flight", "delivered", "suppressed", "dead")


@click.command("alerts")
@ask_options
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@click.option("--before", metavar="ID", help="Only alerts older than this one.")
@click.option(
    "--match", "texts", metavar="MATCHER", multiple=True, help="As in routes. May be given again: all must match."
)
@click.option("--state", type=click.Choice(_STATES), help="Only alerts in this state.")
@click.option("--since", metavar="TIME", help="Only those that came since: how long ago, such as 2h, or a time.")
@click.option("--until", metavar="TIME", help="Only those that came before.")
def alerts(option: str | None, as_json: bool, limit: int, **asked: Any) -> None:  # noqa: FBT001 - click's way
    """List the newest alerts, and where each went.

    --match, --state, --since and --until search all that the ledger has, the newest first: for example
    `bellwire alerts --match 'account="vision"' --match 'severity>="error"' --state dead --since 24h`.
    """
    wanted = Wanted(
        limit=limit,
        before=asked["before"],
        matchers=_readable(asked["texts"]),
        state=asked["state"],
        since=_moment(asked["since"], "--since"),
        until=_moment(asked["until"], "--until"),
    )
    found = answer_to(option, lambda bellwire: bellwire.alerts(wanted))
    if as_json:
        print_json(found)
    elif found:
        print_table(_HEADER, [_row(alert) for alert in found])
    else:
        say("no alerts")


def _readable(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the matchers as they are; one that cannot be read is shown with a mark where it goes wrong."""
    if texts:
        from bellwire.errors import MatcherError  # noqa: PLC0415 - only if asked for
        from bellwire.routing.matcher_parser import parse_matchers  # noqa: PLC0415 - as above

        for text in texts:
            try:
                parse_matchers(text)
            except MatcherError as error:
                message = f"{error}\n  {plain(text)}\n  {' ' * error.offset}^"
                raise click.UsageError(message) from None
    return texts


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    from bellwire.clock import SystemClock  # noqa: PLC0415 - only if asked for
    from bellwire.web.forms import Misunderstood, moment  # noqa: PLC0415 - as above

    try:
        return moment(text, SystemClock().wall(), name)
    except Misunderstood as error:
        raise click.UsageError(plain(error)) from None


def _row(alert: dict[str, Any]) -> list[str]:
    title = alert["title"] if len(alert["title"]) <= _TITLE else alert["title"][: _TITLE - 1] + "…"
    went = ", ".join(f"{channel(each)} {each['state']}" for each in alert["obligations"])
    mark = alert["read_mark"]
    return [
        moment(alert["received_at"]),
        alert["id"],
        alert["severity"],
        alert["state"],
        alert["account"],
        title,
        went or alert["suppressed"] or "-",
        mark["state"] if mark else "-",
    ]
