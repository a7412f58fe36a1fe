"""Checks of who stands in for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding
from bellwire.config.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.places import Loc
    from bellwire.config.schema import Config


def check_fallbacks(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with the fallbacks of receivers. Two may stand in for each other: fallbacks do not chain."""
    names = [receiver.name for receiver in config.receivers]
    places: tuple[Loc, ...] = (("receivers",), *(("receivers", index, "name") for index in range(len(names))))
    for number, receiver in enumerate(config.receivers):
        loc: Loc = ("receivers", number)
        others = set(names) - {receiver.name}
        for index, name in enumerate(receiver.fallback):
            place = (*loc, "fallback", index)
            if name == receiver.name:
                yield Finding(place, f"{name} cannot stand in for itself: name another receiver, or remove it")
            elif name in receiver.fallback[:index]:
                yield Finding(place, f"{name} is named twice: remove it")
            elif name not in others:
                yield Finding(place, f"there is no receiver {name}: {suggestion(name, others)}", rests_on=places)
        if "fallback_after" in receiver.model_fields_set and not receiver.fallback:
            message = "stands without fallback: say which receivers get what does not get through"
            yield Finding((*loc, "fallback_after"), message, rests_on=((*loc, "fallback"),))
