"""``bellwire deliveries``: lists deliveries; ``deliveries abandon`` gives up dead ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.letters import carry_out, summed
from bellwire.cli.printing import answer_to, ask_options, channel, moment, print_json, print_table, say
from bellwire.model import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = ("CREATED (UTC)", "ID", "CHANNEL", "KIND", "STATE", "ATTEMPTS", "DUE (UTC)", "REASON")
_MOST = 1000
_WAITING = frozenset({DeliveryState.PENDING, DeliveryState.SENDING})


@click.group("deliveries", invoke_without_command=True)
@ask_options
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@click.pass_context
def deliveries(ctx: click.Context, option: str | None, as_json: bool, state: str | None, limit: int) -> None:  # noqa: FBT001 - click's way
    """List the newest deliveries: one message for one channel each."""
    ctx.obj = option
    if ctx.invoked_subcommand is not None:
        return
    found = answer_to(option, lambda bellwire: bellwire.deliveries(state, limit))
    if as_json:
        print_json(found)
    elif found:
        print_table(_HEADER, [_row(delivery) for delivery in found])
    else:
        say("no deliveries")


@deliveries.command("abandon")
@click.argument("ids", metavar="DELIVERY...", nargs=-1, required=True)
@ask_options
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def abandon(before: str | None, ids: Sequence[str], option: str | None, as_json: bool, dry: bool) -> None:  # noqa: FBT001 - click's way
    """Give up each dead DELIVERY: nothing of it is owed any more, and its alerts may be marked as read."""
    answers = list(carry_out(option or before, "abandon", {"deliveries": list(ids), "dry_run": dry}))
    if as_json:
        print_json([letter for answer in answers for letter in answer["deliveries"]])
    else:
        summed("abandoned", "would abandon", answers, dry=dry)


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
