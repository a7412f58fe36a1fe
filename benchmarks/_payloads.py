"""The alerts that every system is given: 668 bytes each as its vendor writes them, told apart by a number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

SIZE = 668
_MARK = b"bench-"
_DIGITS = 10
_NOBODY = "bench-0000000000"


class Template:
    """A vendor's item, made fast: only its number differs."""

    def __init__(self, item: dict[str, Any], text: dict[str, Any], key: str) -> None:
        """``text[key]``, somewhere within ``item``, is filled up until the whole has its size."""
        text[key] += "." * (SIZE - len(_dump(item)))
        whole = _dump(item)
        self._head, _, self._tail = whole.partition(_NOBODY.encode())
        assert len(whole) == SIZE
        assert _MARK not in self._head + self._tail

    def item(self, number: int) -> bytes:
        """Return the item with this number."""
        return b"%bbench-%010d%b" % (self._head, number, self._tail)


def number_in(text: bytes) -> int:
    """Return the number of the first item that a text speaks of."""
    at = text.find(_MARK) + len(_MARK)
    return int(text[at : at + _DIGITS])


def visual_layer() -> Template:
    item = {
        "id": _NOBODY,
        "title": "Forklifts near people: 12 new results in Warehouse West",
        "message": "The saved view has new results",
        "created_at": datetime.now(UTC).isoformat(),
        "is_read": False,
        "dataset_id": "5f0c1a3e-8a53-4d6e-9f0b-2f6a1c0f7d11",
        "entity_type": "saved_view",
        "entity_id": "b1946ac9-2492-4d23-8c1a-5f0c1a3e8a53",
        "metadata": {
            "is_alert": True,
            "view_name": "Forklifts near people",
            "result_count": 12,
            "dataset_name": "Warehouse West",
            "batch_id": "2026-11-22-0042",
        },
    }
    return Template(item, item, "message")


def elan() -> Template:
    item: dict[str, Any] = {
        "notification_id": _NOBODY,
        "event_type": "workflow.failed",
        "title": "Translation Failed",
        "message": "Your translation job could not be completed",
        "created_at": datetime.now(UTC).isoformat(),
        "is_read": False,
        "event_data": {"workflow_id": "wf_00a1b2", "job_name": "Release Notes", "pages": 12, "language": "fr"},
    }
    return Template(item, item, "message")


def alertmanager() -> Template:
    item: dict[str, Any] = {
        "labels": {
            "alertname": "Forklifts near people",
            "id": _NOBODY,
            "severity": "warning",
            "dataset_name": "Warehouse West",
            "view_name": "Forklifts near people",
            "result_count": "12",
            "team": "vision",
        },
        "annotations": {"summary": "The saved view has new results"},
        "generatorURL": "http://vendor.example/views/b1946ac9",
    }
    return Template(item, item["annotations"], "summary")


def _dump(item: dict[str, Any]) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode()
