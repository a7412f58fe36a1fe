"""A decision as the ledger keeps it: one compact JSON text, the steps as rows."""

from __future__ import annotations

from typing import Any

import orjson

from bellwire.model import Decision, Destination, Muting, Repetition, Suppression
from bellwire.routing.regex import encode
from bellwire.routing.steps import Row, Steps, rows


def dump(decision: Decision) -> bytes:
    """Return the decision as JSON in UTF-8."""
    document = {
        "destinations": decision.destinations,
        "suppressed": decision.suppressed,
        "steps": rows(decision.steps),
        "errors": decision.errors,
    }
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # half a surrogate pair, in what a matcher saw
        return orjson.dumps(document | {"steps": [_clean(row) for row in rows(decision.steps)]})


def _clean(row: Row) -> list[str | bool | None]:
    return [encode(cell).decode() if isinstance(cell, str) else cell for cell in row]


def load(data: bytes) -> Decision:
    """Return the decision that `dump` wrote."""
    document = orjson.loads(data)
    suppressed = document["suppressed"]
    return Decision(
        destinations=tuple(_destination(each) for each in document["destinations"]),
        suppressed=None if suppressed is None else Suppression(suppressed),
        steps=Steps([tuple(row) for row in document["steps"]]),
        errors=tuple(document["errors"]),
    )


def _destination(row: dict[str, Any]) -> Destination:
    muting, repetition = row.get("muting"), row.get("repetition")  # absent in records of the first versions
    if muting:
        muting = Muting(active=tuple(muting["active"]), mute=tuple(muting["mute"]), hold=muting["hold"])
    return Destination(**row | {"muting": muting, "repetition": Repetition(**repetition) if repetition else None})
