"""A fault that repeats is one line, then a count: what keeps one broken receiver from filling a disk with its story.

Two warnings are the same if they say the same but for which alert, which delivery, or how many; where a reason is given, its
details do not count either. The first is written at
once; those that follow within the window are counted; where it ends, one line says how many there were (``repeated``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, WrappedLogger

WINDOW = 60.0
"""Seconds in which a fault is one line."""

_KEPT = 1000  # faults at once: more are counted apart
_FAULTS = frozenset({"warning", "error", "critical"})
_ANSWERS = frozenset({"reload_failed", "restart_needed"})  # to someone who asked: each time
_VARYING = frozenset({"alert", "alert_id", "alerts", "delivery", "delivery_id", "upstream_id", "timestamp", "attempt"})

Key = tuple[tuple[str, str], ...]


@dataclass(kw_only=True, slots=True)
class _Fold:
    """One fault within one window: when that ends, what was said last, and how often it was not written."""

    ends: float
    last: dict[str, Any]
    repeated: int = 0


class Folding:
    """A structlog processor. ``write`` takes an event that stands for many; call `flush` now and then, and at the end.

    Loggers of any thread may pass through it.
    """

    def __init__(self, write: Callable[[EventDict], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._monotonic = monotonic
        self._folds: OrderedDict[Key, _Fold] = OrderedDict()  # in the order in which their windows end
        self._lock = threading.Lock()

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Let an event through, or count it. What its own source counts (``repeated``) passes."""
        if event.get("level") not in _FAULTS or "repeated" in event or event.get("event") in _ANSWERS:
            return event
        self.flush()
        key = _key(event)
        with self._lock:
            fold = self._folds.get(key)
            if fold is None:
                self._folds[key] = _Fold(ends=self._monotonic() + WINDOW, last=dict(event))
                evicted = self._folds.popitem(last=False)[1] if len(self._folds) > _KEPT else None
            else:
                fold.repeated += 1
                fold.last = dict(event)
        if fold is not None:
            raise structlog.DropEvent
        if evicted is not None:
            self._tell(evicted)
        return event

    def flush(self, *, everything: bool = False) -> None:
        """Write the counts of windows that have ended, or of all."""
        now, ended = self._monotonic(), []
        with self._lock:
            while self._folds:
                key, fold = next(iter(self._folds.items()))
                if not everything and fold.ends > now:
                    break
                del self._folds[key]
                ended.append(fold)
                if fold.repeated and not everything:  # it goes on, perhaps: it stays one line a window
                    self._folds[key] = _Fold(ends=now + WINDOW, last=fold.last)
        for fold in ended:
            self._tell(fold)

    def _tell(self, fold: _Fold) -> None:
        if fold.repeated:
            self._write(fold.last | {"repeated": fold.repeated})


def _key(event: EventDict) -> Key:
    varying = _VARYING | {"detail"} if "reason" in event else _VARYING  # what servers say names each request anew
    return tuple(
        (name, repr(value))
        for name, value in sorted(event.items())
        if name not in varying and (isinstance(value, bool) or not isinstance(value, int | float))
    )
