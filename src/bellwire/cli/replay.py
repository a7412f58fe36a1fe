"""``bellwire replay``: sends deliveries again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bellwire.cli.letters import carry_out, counted, summed
from bellwire.cli.printing import ask_options, print_json
from bellwire.config.moment import parse_reach

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Duration(click.ParamType[str]):
    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Hold it to be one, in the words in which it was given."""
        try:
            parse_reach(value)
        except ValueError as error:
            self.fail(f"{value} {error}", param, ctx)
        return value


@click.command("replay")
@click.argument("ids", metavar="[DELIVERY]...", nargs=-1)
@ask_options
@click.option("--dead", is_flag=True, help="All that are dead.")
@click.option("--receiver", metavar="NAME", help="Of the dead ones, those of this receiver.")
@click.option("--since", type=_Duration(), help="Of the dead ones, those that died within this time, such as 2h.")
@click.option("--to", metavar="NAME", help="The receiver that gets them instead.")
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be done.")
def replay(  # noqa: PLR0913, PLR0917 - click's way
    ids: Sequence[str],
    option: str | None,
    as_json: bool,  # noqa: FBT001 - click's way
    dead: bool,  # noqa: FBT001
    receiver: str | None,
    since: str | None,
    to: str | None,
    dry: bool,  # noqa: FBT001
) -> None:
    """Send deliveries again: each DELIVERY, or all that are dead.

    A replay is a new delivery that knows which one it stands for. With --to, a dead delivery is settled once each channel
    of that receiver has confirmed it. A delivery that was sent may be named, too: it is sent once more.
    """
    if dead == bool(ids):
        message = "name deliveries, or say --dead"
        raise click.UsageError(message)
    if ids and (receiver or since):
        message = "--receiver and --since choose among all that are dead: say --dead"
        raise click.UsageError(message)
    given = {"receiver": receiver, "since": since, "to": to}
    asked = {name: value for name, value in given.items() if value is not None}
    which = {"dead": True} if dead else {"deliveries": list(ids)}
    answers = list(carry_out(option, "replay", asked | which | {"dry_run": dry}))
    if as_json:
        print_json([letter for answer in answers for letter in answer["deliveries"]])
    else:
        summed("replayed", "would replay", answers, dry=dry)
    if skipped := sum(answer["skipped"] for answer in answers):
        left = f"left {counted(skipped)} of channels that are in the configuration no more: --to says who gets them"
        click.echo(f"bellwire: {left}", err=True)
