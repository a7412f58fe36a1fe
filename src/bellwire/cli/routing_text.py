"""How an alert was routed, or would be, in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.printing import moment, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    Answer = dict[str, Any]


def steps(routing: Answer) -> Iterator[str]:
    """Yield a line for each route that was tried: taken or not, and why not."""
    for step in routing["steps"]:
        note = f" ({plain(step['note'])})" if step["note"] else ""
        if step["matched"]:
            receiver = f" -> {plain(step['receiver'])}" if step["receiver"] else ""
            yield f"{click.style('yes', fg='green')}  {step['route']}{receiver}{note}"
        else:
            why = "" if step["failed"] is None else f': {plain(step["failed"])} saw "{plain(step["saw"] or "")}"'
            yield f"{click.style('no', dim=True)}   {step['route']}{why}{note}"


def outcome(routing: Answer, *, came_to_it: bool = True) -> Iterator[str]:
    """Yield where it goes by that, or would go if something else had not stood in the way."""
    goes = "goes" if came_to_it else "would go"
    if routing["suppressed"]:
        yield f"nothing was to be sent: {routing['suppressed'].replace('_', ' ')}"
    for each in routing["destinations"]:
        group = f", in group {plain(each['group_key'])}" if each["group_key"] else ""
        digest = f', collected for the digest "{plain(each["digest"])}"' if each.get("digest") else ""
        standing = each.get("standing", "now")
        until = f" until {moment(each['until'])} UTC" if each.get("until") else ""
        stands = "" if standing in {"now", "collected"} else f", {standing}{until} ({plain(each['why'])})"
        due = f" due {moment(each['until'])} UTC" if standing == "collected" else ""
        yield f"so it {goes} to {click.style(plain(each['receiver']), bold=True)} by {each['route']}{group}{digest}{due}{stands}"
    for error in routing["errors"]:
        yield click.style(f"a rule failed: {plain(error)}", fg="red")


def suppressor(how: str, by: Answer | None) -> str:
    """Return what stands in the way: the silence, with who made it and why, or the alert."""
    if by is None:
        return ""
    if by["kind"] == "silence":
        why = f": {plain(by['comment'])}" if by["comment"] else ""
        return f"{how} by the silence {by['id']}{why} ({plain(by['author'] or 'nobody known')})"
    return f"{how} by the alert {by['id']}, {plain(by['title'] or 'no longer kept')}"
