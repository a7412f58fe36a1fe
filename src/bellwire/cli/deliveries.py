"""``bellwire deliveries``: lists deliveries."""

from __future__ import annotations

from typing import Any

import click

from bellwire.cli.printing import answer_to, ask_options, channel, moment, print_json, print_table, say
from bellwire.model import DeliveryState

_HEADER = ("CREATED (UTC)", "ID", "CHANNEL", "KIND", "STATE", "ATTEMPTS", "DUE (UTC)", "REASON")
_MOST = 1000
_WAITING = frozenset({DeliveryState.PENDING, DeliveryState.SENDING})


@click.command("deliveries")
@ask_options
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
def deliveries(option: str | None, as_json: bool, state: str | None, limit: int) -> None:  # noqa: FBT001 - click's way
    """List the newest deliveries: one message for one channel each."""
    found = answer_to(option, lambda bellwire: bellwire.deliveries(state, limit))
    if as_json:
        print_json(found)
    elif found:
        print_table(_HEADER, [_row(delivery) for delivery in found])
    else:
        say("no deliveries")


def _row(delivery: dict[str, Any]) -> list[str]:
    reason = delivery["reason"] or "-"
    return [
        moment(delivery["created_at"]),
        delivery["id"],
        channel(delivery),
        delivery["kind"],
        delivery["state"],
        str(delivery["attempts"]),
        moment(delivery["due_at"]) if delivery["state"] in _WAITING else "-",
        f"in doubt, {reason}" if delivery["in_doubt"] else reason,
    ]
