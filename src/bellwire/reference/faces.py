"""The vendors that the server stands in for, and how items get into their inboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.reference import atp, elan, owlmetry, qualytics, visual_layer
from bellwire.reference.context import Occasion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bellwire.model import Json
    from bellwire.reference.context import Context, Face
    from bellwire.reference.store import Inbox

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
    items = [face.pack(item, now) for item in given]
    context.store.insert(inbox, items)
    return [item.id for item in items]
