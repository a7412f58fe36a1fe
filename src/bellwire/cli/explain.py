"""``bellwire explain``: tells what happened to an alert, and why."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from bellwire.cli.printing import answer_to, ask_options, channel, fail, moment, plain, print_json, say, state

Answer = dict[str, Any]


@click.command("explain")
@click.argument("alert")
@ask_options
def explain(alert: str, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Tell what happened to ALERT, route by route and attempt by attempt.

    ALERT is its id, as messages and pages show it, or the id that its vendor gave it. Exits 1 if there is none, or if
    several accounts have one of that id.
    """
    found = answer_to(option, lambda bellwire: bellwire.explain(alert))
    if as_json:
        print_json(found)
    if not found:
        fail(f"there is no alert {plain(alert)}: `bellwire alerts` lists the newest")
    if len(found) > 1:
        _tell_apart(alert, found)
    if not as_json:
        _tell(found[0])


def _tell_apart(reference: str, candidates: list[Answer]) -> None:
    click.echo(f"bellwire: {plain(reference)} may be any of these; name one by its own id:", err=True)
    for each in candidates:
        click.echo(f"  {each['id']}  {plain(each['account'])}  {plain(each['title'])}", err=True)
    sys.exit(1)


def _tell(story: Answer) -> None:
    _tell_itself(story)
    _tell_routing(story)
    _heading("Deliveries")
    for delivery in story["deliveries"]:
        _tell_delivery(delivery)
    if not story["deliveries"]:
        say("  nothing is owed to any channel")
    _heading("Read mark")
    say(f"  {_read_mark(story)}")
    if story["events"]:
        _heading("Afterwards")
        for event in story["events"]:
            say(f"  {moment(event['at'])}  {plain(event['kind'])}  {plain(event['detail'] or '')}".rstrip())


def _tell_itself(story: Answer) -> None:
    say(click.style(plain(story["title"] or "(no title)"), bold=True))
    say(f"  {state(story['severity'])}, {state(story['state'], story['state'].replace('_', ' '))}")
    _fact("id", story["id"])
    _fact("account", f"{story['account']} ({story['api']})")
    _fact("type", story["type"])
    _fact("vendor's id", story["upstream_id"])
    _fact("created", f"{moment(story['created_at'])} UTC")
    _fact("received", f"{moment(story['received_at'])} UTC by {story['via'].replace('_', ' ')}")
    if story["url"]:
        _fact("url", story["url"])
    if story["labels"]:
        _fact("labels", "  ".join(f"{name}={value}" for name, value in sorted(story["labels"].items())))
    if story["message"]:
        _fact("message", story["message"])


def _tell_routing(story: Answer) -> None:
    _heading("Routing")
    routing = story["routing"]
    if not routing:
        say("  how it was routed is no longer kept")
        return
    for step in routing["steps"]:
        say(f"  {_step(step)}")
    if routing["suppressed"]:
        say(f"  nothing was to be sent: {routing['suppressed'].replace('_', ' ')}")
    for each in routing["destinations"]:
        group = f", in group {plain(each['group_key'])}" if each["group_key"] else ""
        say(f"  so it goes to {plain(each['receiver'])} by {each['route']}{group}")
    for error in routing["errors"]:
        say(click.style(f"  a rule failed: {plain(error)}", fg="red"))


def _step(step: Answer) -> str:
    note = f" ({plain(step['note'])})" if step["note"] else ""
    if step["matched"]:
        receiver = f" -> {plain(step['receiver'])}" if step["receiver"] else ""
        return f"{click.style('yes', fg='green')}  {step['route']}{receiver}{note}"
    why = "" if step["failed"] is None else f": {plain(step['failed'])} saw {_quoted(step['saw'])}"
    return f"no   {step['route']}{why}{note}"


def _quoted(saw: str | None) -> str:
    return f'"{plain(saw or "")}"'


def _tell_delivery(delivery: Answer) -> None:
    doubt = ", in doubt" if delivery["in_doubt"] else ""
    part = f", part {delivery['part']} of {delivery['parts']}" if delivery["parts"] > 1 else ""
    reason = f", {plain(delivery['reason'])}" if delivery["reason"] else ""
    due = f", due {moment(delivery['due_at'])}" if delivery["state"] == "pending" else ""
    say(f"  {channel(delivery)}  {state(delivery['state'])}{doubt}{reason}{part}{due}  {delivery['id']}")
    for each in delivery["tries"]:
        detail = " ".join(plain(part) for part in (each["reason"], each["detail"]) if part)
        say(
            f"    {each['n']}  {moment(each['started_at'])}  {_took(each)}  {state(each['outcome'])}  {detail}".rstrip()
        )


def _took(attempt: Answer) -> str:
    if attempt["ended_at"] is None:
        return "no end known"
    seconds = datetime.fromisoformat(attempt["ended_at"]) - datetime.fromisoformat(attempt["started_at"])
    return f"{seconds.total_seconds():.3f} s"


def _read_mark(story: Answer) -> str:
    mark = story["read_mark"]
    if mark is None:
        return f"none (mark_read: {story['mark_read']})"
    at = f" {moment(mark['finished_at'])}" if mark["finished_at"] else ""
    detail = f", {plain(mark['detail'])}" if mark["detail"] else ""
    return f"{state(mark['state'])}{at}, attempts: {mark['attempts']}{detail}"


def _heading(text: str) -> None:
    say()
    say(click.style(text, bold=True))


def _fact(name: str, value: object) -> None:
    say(f"  {name:<12}{plain(value)}")
