"""``bellwire alerts``: lists the newest alerts."""

from __future__ import annotations

from typing import Any

import click

from bellwire.cli.printing import answer_to, ask_options, channel, moment, print_json, print_table, say

_HEADER = ("RECEIVED (UTC)", "ID", "SEVERITY", "STATE", "ACCOUNT", "TITLE", "WENT TO", "READ MARK")
_TITLE = 60  # characters
_MOST = 1000


@click.command("alerts")
@ask_options
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@click.option("--before", metavar="ID", help="Only alerts older than this one.")
def alerts(option: str | None, as_json: bool, limit: int, before: str | None) -> None:  # noqa: FBT001 - click's way
    """List the newest alerts, and where each went."""
    found = answer_to(option, lambda bellwire: bellwire.alerts(limit, before))
    if as_json:
        print_json(found)
    elif found:
        print_table(_HEADER, [_row(alert) for alert in found])
    else:
        say("no alerts")


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
