"""``bellwire explain``: tells what happened to an alert, and why."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click

from bellwire.cli.printing import answer_to, ask_options, channel, fail, moment, plain, print_json, say, state
from bellwire.cli.routing_text import outcome, steps, suppressor

Answer = dict[str, Any]

_WAITS = {"window": "held until its window opens,", "digest": "collected for the digest of"}


@click.command("explain")
@click.argument("alert")
@ask_options
def explain(alert: str, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Tell what happened to ALERT, route by route and attempt by attempt.

    ALERT is its id, as messages and pages show it, or the id that its vendor gave it. Exits 1 if there is none, or if
    several accounts have one of that id.

    With - it is an alert that never came, on standard input as JSON: {"labels": {...}, "title": "..."}, with account,
    api, type, severity, message, payload and received_at where they matter. What would become of it is told by the
    configuration, and by the silences and shadows of the ledger if there is one.
    """
    if alert == "-":
        from bellwire.cli.explain_sample import explain_sample  # noqa: PLC0415 - only if asked for

        explain_sample(option, as_json=as_json)
        return
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
            say(f"  {moment(event['at'])}  {_event(event)}")


def _tell_itself(story: Answer) -> None:
    say(click.style(plain(story["title"] or "(no title)"), bold=True))
    say(f"  {state(story['severity'])}, {state(story['state'], story['state'].replace('_', ' '))}")
    if by := suppressor(story["suppressed"] or "", story["suppressed_by"]):
        say(f"  {by}")
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
    for line in (*steps(routing), *outcome(routing, came_to_it=story["suppressed_by"] is None)):
        say(f"  {line}")
    for each in story["obligations"]:
        if each["state"] == "suppressed":
            by = f" of {plain(each['detail'])}" if each["detail"] else ""
            say(f"  {channel(each)} gets nothing of it: {plain((each['reason'] or '').replace('_', ' '))}{by}")
        elif each["state"] == "open" and each["detail"]:
            say(f"  {channel(each)} waits: it may be a repeat of {plain(each['detail'])}")


def _event(event: Answer) -> str:
    """Return what happened afterwards: of what someone did first who it was, and how they came in."""
    if event["kind"] == "changed":
        return _change(event["detail"])
    detail = {name: value for name, value in (event["detail"] or {}).items() if value not in ("", None, [], {})}
    who, how = detail.pop("by", None), detail.pop("how", None)
    by = f" by {plain(who)}{f' ({plain(how)})' if how else ''}" if who else ""
    return f"{plain(event['kind'].replace('_', ' '))}{by}{_told(detail)}"


def _told(detail: Answer) -> str:
    """Return the rest of an event's detail, name by name."""
    shown = ((name.replace("_", " "), value) for name, value in detail.items())
    told = (
        f"{plain(name)}: {plain(', '.join(map(str, value)) if isinstance(value, list) else value)}"
        for name, value in shown
    )
    return "".join(f"  {each}" for each in told)


def _change(detail: Answer) -> str:
    """Return what the vendor's item says now that it did not say when it came, a line each."""
    fields = [f"{plain(each['name'])}: {_value(each['old'])} -> {_value(each['new'])}" for each in detail["fields"]]
    more = [f"and {detail['more']:,} more"] if detail["more"] else []
    return "\n    ".join(["changed at its vendor" if fields else "changed back at its vendor", *fields, *more])


def _value(value: object) -> str:
    return "nothing" if value is None else plain(json.dumps(value, ensure_ascii=False))


def _tell_delivery(delivery: Answer) -> None:
    doubt = ", in doubt" if delivery["in_doubt"] else ""
    part = f", part {delivery['part']} of {delivery['parts']}" if delivery["parts"] > 1 else ""
    reason = f", {plain(delivery['reason'])}" if delivery["reason"] else ""
    origin = f", {plain(delivery['kind'])} for {plain(delivery['origin'])}" if delivery["origin"] else ""
    due = f", {_due(delivery)}" if delivery["state"] == "pending" else ""
    say(f"  {channel(delivery)}  {state(delivery['state'])}{doubt}{reason}{origin}{part}{due}  {delivery['id']}")
    for each in delivery["tries"]:
        detail = " ".join(plain(part) for part in (each["reason"], each["detail"]) if part)
        say(
            f"    {each['n']}  {moment(each['started_at'])}  {_took(each)}  {state(each['outcome'])}  {detail}".rstrip()
        )


def _due(delivery: Answer) -> str:
    waits_for = delivery.get("waits_for")
    if waits_for == "repeat":
        return "sent only if the alert that it repeats is not"
    return f"{_WAITS.get(waits_for or '', 'due')} {moment(delivery['due_at'])}"


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
