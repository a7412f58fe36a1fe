"""How accounts and receivers stand, as people look at them: what is well folded away, what is not in front. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bellwire.web.present import tone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bellwire.web.lasthour import LastHour

Answer = dict[str, Any]

FEW = 12
"""So many accounts are shown whatever their state."""

_WORST = 40  # and so many that are not well


def folded(accounts: Sequence[Answer]) -> Answer:
    """Return ``shown``, the accounts to list; ``well``, how many others are fine; ``more``, how many others are not.

    ``states`` says how many there are of each.
    """
    # of a thousand there are but a few kinds, so that each is judged once
    kinds = Counter([(account["paused"], account["state"]) for account in accounts])
    states: Counter[str] = Counter()
    for (paused, state), number in kinds.items():
        states["paused" if paused else state.value] += number
    counted = {"states": dict(states.most_common()), "number": len(accounts)}
    if len(accounts) <= FEW:
        return {"shown": list(accounts), "well": 0, "more": 0} | counted
    ill = {kind for kind in kinds if not (kind[0] or tone(kind[1]) == "good")}
    unwell = [each for each in accounts if (each["paused"], each["state"]) in ill] if ill else []
    return {
        "shown": unwell[:_WORST],
        "well": len(accounts) - len(unwell),
        "more": max(0, len(unwell) - _WORST),
    } | counted


def is_well(account: Answer) -> bool:
    """Return whether an account is as someone wants it to be."""
    return account["paused"] or tone(account["state"]) == "good"


def receivers(channels: Iterable[Answer], hour: LastHour) -> list[Answer]:
    """Return each receiver's ``name`` and ``channels``, with how fast each is: ``rate`` and ``latency``."""
    found: dict[str, list[Answer]] = {}
    for channel in channels:
        pace = hour.pace(channel["receiver"], series_of(channel))
        # rounded: what cannot be seen to change is no change
        rate = None if pace["rate"] is None else round(pace["rate"], 1)
        latency = None if pace["latency"] is None else float(f"{pace['latency']:.2g}")
        found.setdefault(channel["receiver"], []).append(channel | {"rate": rate, "latency": latency})
    return [{"name": name, "channels": each} for name, each in found.items()]


def series_of(channel: Answer) -> str:
    """Return what metrics call the channel: its kind, and its name unless that is a mail's recipient."""
    kind, name = channel["channel"], channel["name"]
    return str(kind) if kind == "email" or not name else f"{kind}/{name}"
