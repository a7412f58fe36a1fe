"""What happens in the demo: the notifications that are emitted, and where each must go by the generated configuration."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = re.compile(r"batch-\d+")
RECEIVERS = ("ops", "mailbox", "pager")


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """A notification to emit, and the receivers that must get it; none: it is dropped and stays unread.

    ``batch`` is its alone, and stands in every message as a label: by it the notification is known again.
    """

    batch: str
    item: dict[str, Any]
    receivers: frozenset[str]


def happenings() -> Iterator[Happening]:
    """Yield notifications without end, the same ones in every run."""
    scenes = itertools.cycle(
        (
            ("Scratches", "Panels", 3, True, {"ops"}),
            ("Broken hinges", "Doors", 7, True, {"mailbox"}),
            ("Fire in view", "Warehouse", 64, True, {"ops", "pager"}),
            ("Weekly summary", "Panels", 0, False, set[str]()),
            ("Blurred frames", "Windows", 12, True, {"mailbox"}),
            ("People in zone <3>", "Warehouse & yard", 5, True, {"ops"}),
        )
    )
    for number, (view, dataset, found, alert, receivers) in enumerate(scenes):
        metadata = {
            "is_alert": alert,
            "view_name": view,
            "dataset_name": dataset,
            "result_count": found,
            "batch_id": (batch := f"batch-{number}"),
        }
        title = "" if alert else f"{view} of {dataset}"  # as the vendor has it: alerts come without a title
        yield Happening(
            batch=batch,
            item={"title": title, "message": None, "metadata": metadata, "entity_id": f"view-{number % 6}"},
            receivers=frozenset(receivers),
        )
