"""What ATP sends: items, what becomes of them, and errors in both of their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bellwire.apis.reading import id_text, labels_of, loads, mapping, moment, text
from bellwire.model import Discard, Json, Notification, Severity, StatusChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.apis.sse import ServerSentEvent

_SEVERITIES: Final = {"high": Severity.ERROR, "urgent": Severity.CRITICAL, "critical": Severity.CRITICAL}
_OPEN: Final = frozenset({"created", "delivered", "acknowledged"})
_FINAL: Final = frozenset({"responded", "completed", "expired", "invalidated"})


def problem_code(answer: Json) -> str:
    """Return the code of an error, bare or wrapped in ``error``; empty if there is none."""
    problem = mapping(answer)
    return text(mapping(problem.get("error", problem)).get("code"))


def event_code(event: ServerSentEvent) -> str:
    """Return the code of the error that an event tells of."""
    try:
        return problem_code(loads(event.data))[:100]
    except ValueError:
        return ""


def status_update(event: ServerSentEvent) -> StatusChange | Discard | None:
    """Return what is to be recorded: that nothing is left to decide.

    What is open still changes nothing here: most often it is the echo of our own acknowledgement.
    """
    try:
        update = mapping(loads(event.data))
    except ValueError:
        return Discard(reason="broken_json", detail=f"{len(event.data)} characters")
    status, upstream_id = text(update.get("status")), text(update.get("notification_id"))
    if status in _OPEN:
        return None
    if status not in _FINAL or not upstream_id:
        return Discard(reason="unknown_status", detail=upstream_id[:100])
    return StatusChange(upstream_id=upstream_id, status=status)


def notification(item: Mapping[str, Json]) -> Notification:
    """Return an item as a notification; UnreadableItemError if it has no id."""
    upstream_id = id_text(item.get("id"))
    service, context = mapping(item.get("service")), mapping(item.get("context"))
    message = text(context.get("description"))
    priority = text(item.get("priority"))
    own = labels_of(
        service_id=service.get("id"),
        service_name=service.get("name"),
        project=context.get("project"),
        priority=priority,
        status=item.get("status"),
        deadline=item.get("deadline"),
    )
    return Notification(
        upstream_id=upstream_id,
        type="notification",
        severity=_SEVERITIES.get(priority.lower(), Severity.INFO),
        title=text(context.get("title")).strip() or message.strip().partition("\n")[0] or "Notification",
        message=message,
        created_at=moment(item.get("timestamp")),
        labels=labels_of(**mapping(context.get("metadata"))) | own,
        payload=item,
        markable=upstream_id not in {".", ".."},  # in a path these name another call
    )
