"""``bellwire simulate``: runs the alerts of the last days through another configuration."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import BAD_CONFIGURATION, NO_SECRETS, TO_READ, configured
from bellwire.cli.printing import fail, plain, print_json, say, state

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.config.schema import Config
    from bellwire.rehearsal.simulation import Change, Fate, Simulation
    from bellwire.routing.rules import Rules

_TITLE = 70  # characters


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration that ``value`` spells."""
        from bellwire.config.moment import parse_reach  # noqa: PLC0415 - the command line must start fast

        try:
            return parse_reach(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


@click.command("simulate")
@click.option("--since", type=_Duration(), default="7d", show_default=True, help="How far back to begin.")
@click.option("--with", "other", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The other one.")
@click.option(
    "--config", "option", metavar="FILE", help="The configuration; else $BELLWIRE_CONFIG, else ./bellwire.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="Print all changes as one array of objects.")
def simulate(since: timedelta, other: Path, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Run the alerts of the last days through another configuration, and print what would change.

    The ledger is that of the present configuration; nothing is sent, marked or written.
    """
    config, url = configured(option, TO_READ)
    from bellwire.clock import SystemClock  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.config.rules import compile_rules  # noqa: PLC0415
    from bellwire.rehearsal.simulation import Simulation  # noqa: PLC0415

    simulation = Simulation(compile_rules(config), _rules(other))
    total = _run(simulation, url, SystemClock().wall() - since)
    if as_json:
        print_json([_fields(change) for change in simulation.changes])
    else:
        _print(simulation, total, other)


def _rules(path: Path) -> Rules:
    from bellwire.config.load import load  # noqa: PLC0415 - as above
    from bellwire.config.rules import compile_rules  # noqa: PLC0415
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        config: Config = load(path, os.environ, NO_SECRETS)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        sys.exit(BAD_CONFIGURATION)
    return compile_rules(config)


def _run(simulation: Simulation, url: str, since: datetime) -> int:
    """Run all that came since; return how many alerts that were, those too whose content is gone."""
    from bellwire.cli.progress import progress  # noqa: PLC0415 - as above
    from bellwire.errors import LedgerError  # noqa: PLC0415
    from bellwire.ledger.database import open_for_reading  # noqa: PLC0415
    from bellwire.ledger.history import alerts_since, count_since  # noqa: PLC0415

    try:
        engine = open_for_reading(url)
    except LedgerError as error:
        fail(str(error))
    try:
        with engine.connect() as connection, progress("simulating") as bar:
            total = count_since(connection, since)
            for done, (alert, decision) in enumerate(alerts_since(connection, since)):
                simulation.add(alert, decision)
                if done % 100 == 0:
                    bar(done, total)
    finally:
        engine.dispose()
    return total


def _print(simulation: Simulation, total: int, other: Path) -> None:
    from bellwire.rehearsal.simulation import NOT_SIMULATED  # noqa: PLC0415 - as above

    changes = simulation.changes
    lost = sum(change.number for change in changes if change.lost)
    changed = sum(change.number for change in changes) - lost
    stripped = max(0, total - simulation.unchanged - simulation.left_out - changed - lost)  # a daemon may add some
    say(click.style(f"{total:,} alerts through {other}", bold=True))
    _figure(simulation.unchanged, "stay as they were")
    _figure(changed, "change receivers", "yellow")
    _figure(lost, "would reach nobody", "red")
    if simulation.left_out:
        _figure(simulation.left_out, "were left out by a catch-up policy, and are not looked at")
    if stripped:
        _figure(stripped, "are no longer kept whole, and are not looked at")
    for change in changes:
        say()
        _print_change(change)
    for error, number in simulation.errors.most_common():
        say(click.style(f"a rule failed, {number:,} times: {plain(error)}", fg="red"))
    say()
    say("Not simulated:")
    for line in NOT_SIMULATED:
        say(f"  {line}")


def _figure(number: int, words: str, colour: str | None = None) -> None:
    text = f"{number:>12,}  {words}"
    say(click.style(text, fg=colour) if colour and number else text)


def _print_change(change: Change) -> None:
    say(f"{change.number:>12,}  {_names(change.before)} → {_names(change.after)}")
    for alert in change.samples:
        title = plain(alert.title)
        title = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
        say(f"{'':>14}{click.style(alert.id, dim=True)}  {state(alert.severity.text)}  {plain(alert.account)}  {title}")
    if change.number > len(change.samples):
        say(click.style(f"{'':>14}and {change.number - len(change.samples):,} more", dim=True))


def _names(fate: Fate) -> str:
    return click.style(plain(", ".join(fate)), bold=True) if fate else click.style("nobody", fg="red")


def _fields(change: Change) -> dict[str, Any]:
    return {
        "before": list(change.before),
        "after": list(change.after),
        "alerts": change.number,
        "lost": change.lost,
        "samples": [
            {
                "id": alert.id,
                "account": alert.account,
                "severity": alert.severity.text,
                "title": alert.title,
                "received_at": alert.received_at.isoformat().replace("+00:00", "Z"),
            }
            for alert in change.samples
        ],
    }
