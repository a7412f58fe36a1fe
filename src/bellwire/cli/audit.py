"""``bellwire audit``: adds up the ledger."""

from __future__ import annotations

import sys
from typing import Any

import click

from bellwire.cli.printing import answer_to, ask_options, plain, print_json, say

_INDENT = "  "


@click.command("audit")
@click.option("--ledger-only", is_flag=True, help="Do not ask the vendors what is unread there.")
@ask_options
def audit(option: str | None, as_json: bool, ledger_only: bool) -> None:  # noqa: FBT001 - click's way
    """Add up every alert ever seen: each must be in exactly one state, as its record bears out.

    Then hold the ledger against each vendor's own list: what is unread there must be known here. Exits 1 if any alert is
    unaccounted for, or any notification missing, and says which. A vendor that cannot be asked is named, and no fault.
    """
    balance = answer_to(option, lambda bellwire: bellwire.audit(vendors=not ledger_only))
    if as_json:
        print_json([balance])
    else:
        _print(balance)
    missing = sum(check["missing"] for check in balance["vendors"])
    sys.exit(1 if balance["unaccounted"] or missing else 0)


def _print(balance: dict[str, Any]) -> None:
    states = balance["states"]
    _figure("received", balance["received"])
    _figure("in flight", states["in_flight"], indent=1)
    _figure("delivered", states["delivered"], indent=1)
    _figure("suppressed", states["suppressed"], indent=1)
    for reason, number in sorted(balance["suppressed"].items()):
        _figure(reason.replace("_", " "), number, indent=2)
    _figure("dead", states["dead"], indent=1, colour="red")
    _figure("unaccounted", balance["unaccounted"], indent=1, colour="red")
    marks = balance["read_marks"]
    _figure("marked as read", marks["confirmed"])
    _figure("being marked", marks["pending"], indent=1)
    _figure("not markable", marks["failed"], indent=1, colour="red")
    for flaw in balance["faults"]:
        say()
        say(click.style(f"{flaw['alerts']} {plain(flaw['fault'])}:", fg="red"))
        for alert in flaw["examples"]:
            say(f"{_INDENT}bellwire explain {plain(alert)}")

    for check in balance["vendors"]:
        _print_check(check)


def _print_check(check: dict[str, Any]) -> None:
    """Print what an account's list says beside the ledger."""
    account = plain(check["account"])
    if check["error"]:
        say(click.style(f"{account}: not checked against its vendor's list: {plain(check['error'])}", fg="yellow"))
        if not check["unread"]:
            return
    _figure(f"unread at {account}", check["unread"])
    _figure("on the way", check["coming"], indent=1)
    _figure("missing here", check["missing"], indent=1, colour="red")
    for upstream_id in check["examples"]:
        say(f"{_INDENT * 2}{plain(upstream_id)}")


def _figure(name: str, number: int, *, indent: int = 0, colour: str | None = None) -> None:
    text = f"{_INDENT * indent}{name:<{26 - 2 * indent}}{number:>12,}"
    say(click.style(text, fg=colour) if colour and number else text)
