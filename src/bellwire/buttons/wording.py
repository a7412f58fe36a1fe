"""What people are told in Slack about what they pressed: its markup, with everything that others wrote escaped. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bellwire.channels.slack_buttons import user_markup
from bellwire.channels.text import one_line
from bellwire.ledger.pressing import MARKED
from bellwire.templating.escaping import mrkdwn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellwire.ledger.pressing import Deed, Marked
    from bellwire.records import NewSilence

Answer = dict[str, Any]

OLD = "This button is of no use any more: Bellwire does not know the message that it belongs to."
UNKNOWN = "This version of Bellwire does not know this button."
ELSEWHERE = "This message went to a channel that this app may not act on."
NOTHING = "This message names no alerts that anything could be done about."
FAILED = "That did not work, and nothing has changed. Bellwire's log says why; try again in a moment."

_LINES = 8
_STORIES = 3
_MATCHERS = 5


def marked(result: Marked) -> str:
    """Return what became of a wish for read marks."""
    number = sum(result.asked.values())
    accounts = ", ".join(_code(name) for name in result.asked)
    said = [f"{_alerts(number)} will be marked as read at {accounts}."] if number else []
    if result.before:
        said.append(f"{_alerts(result.before)} {_are(result.before)} marked as read already.")
    if result.unmarkable:
        said.append(f"{_alerts(result.unmarkable)} cannot be marked: the vendor gave no id.")
    if result.unsettled:
        said.append(
            f"{_alerts(result.unsettled)} {_are(result.unsettled)} not delivered yet, or dead, and so not marked."
        )
    return " ".join(said) or NOTHING


def silenced(silences: Sequence[NewSilence], ids: Sequence[str], page: str | None) -> str:
    """Return what is silenced, until when, and how to end it."""
    lines = [f"Silenced until {_clock(silences[0].ends_at)}, whatever matches:"]
    lines += [f"• {_code(', '.join(each.matchers), 600)}" for each in silences[:_MATCHERS]]
    if len(silences) > _MATCHERS:
        lines.append(f"… and {len(silences) - _MATCHERS} silences more")
    end = f"`bellwire silence expire {' '.join(ids[:_MATCHERS])}`"
    lines.append(
        f"To end it before: <{page.rstrip('/')}/silences|Silences> or {end}" if page else f"To end it before: {end}"
    )
    return "\n".join(lines)


def explained(stories: Sequence[Answer], key: Answer, number: int, page: str | None) -> str:
    """Return why the alerts of a message came to a channel, ``receiver channel name`` of which ``key`` has."""
    parts = ["\n".join(_story(story, key, page)) for story in stories[:_STORIES]]
    if number > len(parts):
        parts.append(f"… and {_alerts(number - len(parts))} more of this message.")
    return "\n\n".join(parts) or NOTHING


def lines(deeds: Sequence[Deed]) -> list[str]:
    """Return who did what about a message, a line each: the newest ones."""
    return [_deed(deed) for deed in deeds[-_LINES:]]


def _deed(deed: Deed) -> str:
    detail = deed.detail
    who = user_markup(str(detail.get("user", "")), str(detail.get("by", "")))
    number = int(detail.get("alerts", 0))
    if deed.kind == MARKED:
        did = "had this marked as read" if number == 1 else f"had {number:,} alerts marked as read"
        return f"{who} {did} · {_clock(deed.at)}"
    until = _clock(datetime.fromisoformat(str(detail["until"])))
    what = "this" if number == 1 else f"{number:,} alerts"
    return f"{who} silenced what is like {what} until {until}"


def _story(story: Answer, key: Answer, page: str | None) -> Iterator[str]:
    yield f"*{_text(story['title'] or '(no title)')}*"
    routes = [each["route"] for each in story["routing"].get("destinations", []) if each["receiver"] == key["receiver"]]
    way = f"by {_code(routes[0])} " if routes else ""
    yield (
        f"From {_text(story['account'])} ({_text(story['api'])}), {story['severity']}; "
        f"{way}to receiver {_code(key['receiver'])}."
    )
    for delivery in story["deliveries"]:
        yield f"• {_delivery(delivery)}"
    mark = story["read_mark"]
    yield f"• read at its source: {mark['state'] if mark else 'not asked for'} (mark_read: {story['mark_read']})"
    for event in story["events"]:
        if by := event["detail"].get("by") if isinstance(event["detail"], dict) else None:
            yield f"• {_text(str(event['kind']).replace('_', ' '))} by {_text(str(by))}, {_clock(event['at'])}"
    whole = (
        f"<{page.rstrip('/')}/alerts/{story['id']}|All of it>"
        if page
        else f"All of it: `bellwire explain {story['id']}`"
    )
    yield whole


def _delivery(delivery: Answer) -> str:
    name = "/".join(part for part in (delivery["receiver"], delivery["channel"], delivery["name"]) if part)
    number = delivery["attempts"]
    tries = "1 attempt" if number == 1 else f"{number} attempts"
    last = delivery["tries"][-1]["detail"] if delivery["tries"] else None
    said = f": {_text(last)}" if last else ""
    return f"{_text(name)}: {delivery['state']}, {tries}{said}"


def _alerts(number: int) -> str:
    return "1 alert" if number == 1 else f"{number:,} alerts"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _text(text: str, limit: int = 300) -> str:
    return mrkdwn(one_line(text, limit))


def _code(text: str, limit: int = 200) -> str:
    return f"`{_text(text, limit).replace('`', chr(0x2CB))}`"


def _clock(at: datetime) -> str:
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"
