"""``bellwire routes``: the routing tree, shown and tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import NO_SECRETS, TO_READ, configured
from bellwire.cli.printing import fail, moment, plain, print_json, say
from bellwire.cli.stored import stored_alert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.config.schema import Config
    from bellwire.model import Alert, Decision, Destination
    from bellwire.routing.rules import Rules

    Found = dict[str, Any]

_config = click.option(
    "--config", "option", metavar="FILE", help="The configuration; else $BELLWIRE_CONFIG, else ./bellwire.yaml."
)


@click.group("routes")
def routes() -> None:
    """Show the routing tree, and try labels on it."""


@routes.command("show")
@_config
@click.option("--json", "as_json", is_flag=True, help="Print all routes as one array of objects, inheritance resolved.")
def show(option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Draw the routing tree.

    Each route has its matchers, the receiver behind the arrow, and below them what differs from the route above it.
    """
    config, _ = configured(option, NO_SECRETS)
    from bellwire.cli.tree import draw  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.config.rules import compile_rules  # noqa: PLC0415
    from bellwire.rehearsal.tree import describe  # noqa: PLC0415

    described = list(describe(compile_rules(config).root))
    if as_json:
        print_json(described)
    else:
        for line in draw(described):
            say(line)


@routes.command("test")
@_config
@click.option("--json", "as_json", is_flag=True, help="Print each receiver with its route, group and standing.")
@click.option("--verify.receivers", "expected", metavar="NAMES", help="Exit 1 unless these, comma-separated, get it.")
@click.option("--at", metavar="TIME", help="Look at time intervals and digests as of then: 2026-11-23T10:00:00+01:00.")
@click.option("--alert", "reference", metavar="ID", help="Take an alert of the ledger; labels that are given win.")
@click.argument("labels", metavar="[LABEL=VALUE]...", nargs=-1)
def test(
    option: str | None,
    as_json: bool,  # noqa: FBT001 - click's way
    expected: str | None,
    at: str | None,
    reference: str | None,
    labels: tuple[str, ...],
) -> None:
    """Print the receivers that an alert with these labels goes to, comma-separated; nothing if it is dropped.

    The value is all after the first `=`. account=NAME brings that account's labels and API along; title, message,
    upstream_id and payload.PATH may be named too. Label rules apply. With --at, receivers whose route drops at that
    time are left out; standard error says which, and until when others wait.
    """
    config, url = configured(option, NO_SECRETS if reference is None else TO_READ)
    given = _labels(labels)
    when = _moment(at, config)
    from bellwire.config.rules import compile_rules  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.routing.rules import route  # noqa: PLC0415

    rules = compile_rules(config)
    _, decision = route(_alert(config, url, reference, given, when), rules)
    found = [_receiver(rules, each, when) for each in decision.destinations]
    for error in decision.errors:
        click.echo(f"a rule failed: {plain(error)}", err=True)
    if as_json:
        print_json(found)
    else:
        _print(decision, found)
    notified = [each["receiver"] for each in found if each["standing"] != "muted"]
    if expected is not None and {name.strip() for name in expected.split(",") if name.strip()} != set(notified):
        fail(f"expected receivers {expected or '(none)'}, found {','.join(notified) or '(none)'}")


def _labels(arguments: Sequence[str]) -> dict[str, str]:
    wrong = [argument for argument in arguments if not argument.partition("=")[1] or argument.startswith("=")]
    if wrong:
        message = f"{plain(wrong[0])} is no label: write LABEL=VALUE"
        raise click.UsageError(message)
    return {name: value for name, _, value in (argument.partition("=") for argument in arguments)}


def _moment(at: str | None, config: Config) -> datetime | None:
    """Return the moment that ``at`` names: without an offset, by the configuration's zone."""
    if at is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only if asked for

    from bellwire.config.moment import parse_moment  # noqa: PLC0415 - as above

    try:
        return parse_moment(at, ZoneInfo(config.global_.timezone))
    except ValueError as error:
        message = f"--at: {plain(at)} {error}"
        raise click.UsageError(message) from None


def _alert(config: Config, url: str, reference: str | None, given: dict[str, str], when: datetime | None) -> Alert:
    from bellwire.clock import SystemClock  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.rehearsal import samples  # noqa: PLC0415

    name = given.get("account")
    if name and samples.account_named(config, name) is None:
        click.echo(f"note: {plain(samples.unknown_account(config, name))}; its labels are those given", err=True)
    try:
        if reference is not None:
            return samples.relabelled(stored_alert(url, reference)[0], given)
        return samples.sample_of(config, samples.Saying(labels=given)).alert(when or SystemClock().wall())
    except samples.SampleError as error:
        raise click.UsageError(plain(error)) from None


def _receiver(rules: Rules, destination: Destination, when: datetime | None) -> Found:
    found: Found = {
        "receiver": destination.receiver,
        "route": destination.route,
        "group_labels": dict(destination.group_labels) if destination.group_key else None,
        "standing": "now",
        "until": None,
        "why": None,
    }
    if when is None:
        return found
    from bellwire.rehearsal.standing import standing  # noqa: PLC0415 - only if asked for

    stands = standing(rules, destination, when)
    until = stands.until.isoformat().replace("+00:00", "Z") if stands.until else None
    return found | {"standing": stands.passage.value, "until": until, "why": stands.why or None}


def _print(decision: Decision, found: list[Found]) -> None:
    click.echo(",".join(each["receiver"] for each in found if each["standing"] != "muted"))
    if not found:
        by = [step.route for step in decision.steps if step.note == "dropped"]
        click.echo(f"dropped by {', '.join(by)}", err=True)
    for each in found:
        if each["standing"] != "now":
            until = f" until {moment(each['until'])} UTC" if each["until"] else ""
            click.echo(f"{each['receiver']}: {each['standing']}{until} ({each['why']})", err=True)
