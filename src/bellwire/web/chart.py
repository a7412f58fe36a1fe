"""The last hour as a drawing: where each bar stands and how high it is, and what it says in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Answer = dict[str, Any]

WIDE, NARROW = 960, 380
"""Widths to draw it in, in units of the drawing."""

HEIGHT = 150
_TOP, _FOOT, _LEFT = 14, 22, 40  # room for the highest figure, the times, the scale
_GAP = 0.2  # of a bar's slot
_STEPS = (1, 2, 5)
_LEAST = 4  # alerts a minute that the scale always has room for


def draw(minutes: Sequence[Answer], width: int = WIDE) -> Answer:
    """Return the drawing, ``width`` units wide, of `bellwire.web.lasthour.LastHour.minutes`.

    ``bars``: stacks of ``x y width height kind`` from the ground up; ``line``, what was received, as points of steps;
    ``rules`` and ``times``, what to read them by; ``words``, ``sums`` and ``rows`` (of ten minutes each), the same told.
    """
    most = max((_tallest(minute) for minute in minutes), default=0)
    ceiling = _ceiling(max(most, _LEAST))
    ground, room = HEIGHT - _FOOT, HEIGHT - _FOOT - _TOP
    slot = (width - _LEFT) / max(1, len(minutes))
    bars, points = [], []
    for index, minute in enumerate(minutes):
        x, top = _LEFT + index * slot, float(ground)
        for kind in ("delivered", "suppressed", "dead"):
            if height := room * minute[kind] / ceiling:
                top -= height
                bars.append(_bar(x + slot * _GAP / 2, top, slot * (1 - _GAP), height, kind))
        level = ground - room * minute["received"] / ceiling
        points += [f"{x:.1f},{level:.1f}", f"{x + slot:.1f},{level:.1f}"]
    return {
        "width": width,
        "height": HEIGHT,
        "left": _LEFT,
        "ground": ground,
        "bars": bars,
        "line": " ".join(points),
        "rules": [{"y": round(ground - room * n / ceiling, 1), "text": f"{n:,}"} for n in (ceiling // 2, ceiling)],
        "times": [
            {"x": round(_LEFT + index * slot, 1), "text": f"{minute['at']:%H:%M}"}
            for index, minute in enumerate(minutes)
            if minute["at"].minute % (10 if width > NARROW else 20) == 0 and index < len(minutes) - 4
        ],
        "sums": (sums := {kind: sum(minute[kind] for minute in minutes) for kind in _KINDS}),
        "words": _words(sums, minutes, most),
        "rows": [_row(minutes[at : at + 10]) for at in range(0, len(minutes), 10)],
    }


_KINDS = ("received", "delivered", "suppressed", "dead")


def _bar(x: float, y: float, width: float, height: float, kind: str) -> Answer:
    return {"x": round(x, 1), "y": round(y, 1), "width": round(width, 1), "height": round(height, 1), "kind": kind}


def _tallest(minute: Answer) -> int:
    stacked: int = minute["delivered"] + minute["suppressed"] + minute["dead"]
    return max(stacked, int(minute["received"]))


def _ceiling(most: int) -> int:
    """Return the least even number of 2, 4, 10, 20, 40, 100 … that holds ``most``."""
    power = 1
    while True:
        for step in _STEPS:
            if 2 * step * power >= most:
                return 2 * step * power
        power *= 10


def _words(sums: Answer, minutes: Sequence[Answer], most: int) -> str:
    if not any(sums.values()):
        return "Nothing came in the last hour."
    told = ", ".join(f"{sums[kind]:,} {kind}" for kind in _KINDS)
    busiest = max(minutes, key=_tallest)
    return f"In the last hour: {told}. The busiest minute was {busiest['at']:%H:%M} with {most:,}."


def _row(minutes: Sequence[Answer]) -> Answer:
    return {"at": minutes[0]["at"]} | {kind: sum(minute[kind] for minute in minutes) for kind in _KINDS}
