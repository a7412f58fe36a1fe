"""The vendors that the server stands in for, and how items get into their inboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bellwire.reference import atp, elan, owlmetry, qualytics, visual_layer
from bellwire.reference.context import Occasion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.model import Json
    from bellwire.reference.context import Context, Face
    from bellwire.reference.store import Inbox, NewItem

FACES: dict[str, Face] = {
    visual_layer.NAME: visual_layer,
    qualytics.NAME: qualytics,
    owlmetry.NAME: owlmetry,
    elan.NAME: elan,
    atp.NAME: atp,
}
"""Each vendor's face by the name under which it is mounted."""


def emit(context: Context, inbox: Inbox, given: Sequence[Mapping[str, Json]], *, complete: bool = True) -> list[str]:
    """Add items to an inbox, push them to its streams, and return their ids.

    ``given`` are parts of items, or, where ``complete`` is False, items that are sent just as they are, whatever they
    lack. KeyError for an API or user that is not here, DuplicateItemError, TypeError for what no JSON text can say.
    """
    if inbox.user not in context.credentials.names:
        raise KeyError(inbox.user)
    face = FACES[inbox.api]
    now = context.now() + context.faults.skew(inbox.api, inbox.user)
    first = context.store.position + 1
    if complete:
        occasions = (Occasion(user=inbox.user, number=number, now=now) for number in range(first, first + len(given)))
        given = [face.complete(part, occasion) for part, occasion in zip(given, occasions, strict=True)]
    items = [_packed(face, item, now) for item in given]
    context.store.insert(inbox, items)
    return [item.id for item in items]


def amend(context: Context, inbox: Inbox, item_id: str, patch: Mapping[str, Json]) -> None:
    """Change what an item says: objects are laid over its own, null takes a key out. Lists show it, streams do not.

    Its id, its place, its read state and what lists are filtered by stay. KeyError if there is none, ValueError for
    another id, TypeError for what no JSON text can say.
    """
    stored = context.store.get(inbox, item_id)
    if stored is None:
        raise KeyError(item_id)
    packed = _packed(FACES[inbox.api], _laid_over(orjson.loads(stored.body), patch), stored.created_at)
    if packed.id != item_id:
        message = "an item keeps its id"
        raise ValueError(message)
    context.store.amend(inbox, item_id, packed.body)


def _packed(face: Face, item: Mapping[str, Json], now: datetime) -> NewItem:
    try:
        return face.pack(item, now)
    except RecursionError:
        message = "nested too deeply"
        raise TypeError(message) from None


def _laid_over(item: Json, patch: Json) -> Json:
    if not isinstance(item, dict) or not isinstance(patch, dict):
        return patch
    both = item | {key: _laid_over(item.get(key), value) for key, value in patch.items()}
    return {key: value for key, value in both.items() if key not in patch or patch[key] is not None}
