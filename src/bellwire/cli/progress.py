"""A bar for what takes longer than a second, on a terminal alone: neither logs nor pipes ever hold one."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

AFTER = 1.0
"""Seconds that a command may take without a word."""

_PAUSE = 0.1  # seconds between two pictures
_WIDTH = 30
_ERASE = "\r\x1b[K"


class Bar:
    """Draws itself on a terminal once the work has taken `AFTER`. Nothing of it stays."""

    def __init__(self, label: str, output: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._output = output
        self._monotonic = monotonic
        self._next = monotonic() + AFTER
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        """Tell how far the work is."""
        now = self._monotonic()
        if now < self._next or not self._output.isatty():
            return
        self._next = now + _PAUSE
        self._drawn = True
        part = min(1.0, done / total) if total else 0.0
        filled = "#" * round(part * _WIDTH)
        self._output.write(f"{_ERASE}{self._label} [{filled:<{_WIDTH}}] {part:4.0%}")
        self._output.flush()

    def clear(self) -> None:
        """Leave the line as it was."""
        if self._drawn:
            self._output.write(_ERASE)
            self._output.flush()


class Patience:
    """Says on a terminal, once something has taken `AFTER`, that it goes on, and for how long it has."""

    def __init__(self, label: str, output: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._output = output
        self._monotonic = monotonic
        self._began = monotonic()
        self._over = threading.Event()

    def run(self, pause: float = AFTER) -> None:
        """Show it, once a ``pause``, until `end` is called; then leave nothing of it."""
        drawn = False
        while not self._over.wait(pause):
            drawn = True
            self._output.write(f"{_ERASE}{self._label} … {self._monotonic() - self._began:.0f} s")
            self._output.flush()
        if drawn:
            self._output.write(_ERASE)
            self._output.flush()

    def end(self) -> None:
        """Say no more."""
        self._over.set()


@contextmanager
def patience(label: str) -> Iterator[None]:
    """Show for as long as this lasts that something goes on whose end nobody knows."""
    if not sys.stderr.isatty():
        yield
        return
    shown = Patience(label, sys.stderr)
    thread = threading.Thread(target=shown.run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        shown.end()
        thread.join()


@contextmanager
def progress(label: str) -> Iterator[Bar]:
    """Give a bar on standard error for as long as this lasts."""
    bar = Bar(label, sys.stderr)
    try:
        yield bar
    finally:
        bar.clear()
