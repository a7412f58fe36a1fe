"""What one rendering may cost: steps, time, and the size of what it makes. Every operation of the sandbox asks here.

Time is that of the thread on its processor: a template waits for nothing, and a busy machine must not make it fail.
Containers are weighed as the trees that they print as, since a few nested ones that share their parts can stand for more
than any memory holds.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from bellwire.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

SECONDS = 0.25
STEPS = 250_000
LONGEST = 1_000_000  # characters of one text
ALTOGETHER = 8_000_000  # characters of all the texts that were made on the way
ITEMS = 20_000  # of a container, with those within it
DEPTH = 40  # calls within calls
_BITS = 1024  # of a whole number
_BETWEEN_LOOKS = 32  # steps
_LARGE = 4096  # characters, or items: worth a look at the time


class BudgetError(TemplateError):
    """A rendering costs too much."""


class Budget:
    """What is left for one rendering."""

    def __init__(self) -> None:
        self._until = time.thread_time() + SECONDS
        self._steps = 0
        self._made = 0
        self._depth = 0

    def step(self, count: int = 1) -> None:
        """Count an operation."""
        before = self._steps
        self._steps += count
        if self._steps > STEPS:
            raise BudgetError(f"takes more than {STEPS:,} steps: loop over less")  # noqa: EM102, TRY003 - told once
        if before // _BETWEEN_LOOKS != self._steps // _BETWEEN_LOOKS:
            self.look()

    def look(self) -> None:
        """Look at the time."""
        if time.thread_time() > self._until:
            raise BudgetError(f"takes longer than {SECONDS} s: make it simpler")  # noqa: EM102, TRY003 - told once

    def room(self, size: int) -> None:
        """Ask before a text of so many characters is made."""
        if size > LONGEST or self._made + size > ALTOGETHER:
            raise BudgetError(f"makes more than {LONGEST:,} characters: make it shorter")  # noqa: EM102, TRY003 - told once

    def spend(self, value: T) -> T:
        """Return what an operation made, once it is counted."""
        self.step()
        if isinstance(value, str):
            self.room(len(value))
            self._made += len(value)
            if len(value) > _LARGE:
                self.look()
        elif isinstance(value, int):
            if value.bit_length() > _BITS:
                raise BudgetError("makes a number of more than 300 digits: use smaller ones")  # noqa: EM101, TRY003 - told once
        elif isinstance(value, list | tuple | dict):
            self.weigh(value)
        return value

    def weigh(self, container: Any) -> None:
        """Count all that is in a container, each part as often as it would be printed."""
        items = characters = 0
        waiting = [container]
        while waiting:
            value = waiting.pop()
            items += 1
            if isinstance(value, str):
                characters += len(value)
            elif isinstance(value, dict):
                waiting += value.keys()
                waiting += value.values()
            elif isinstance(value, list | tuple):
                waiting += value
            if items + len(waiting) > ITEMS:
                raise BudgetError(f"makes a list or mapping of more than {ITEMS:,} items: use fewer")  # noqa: EM102, TRY003 - told once
            if characters > LONGEST:
                self.room(characters)
        self.step(1 + items // 8)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count a call within calls."""
        self._depth += 1
        try:
            if self._depth > DEPTH:
                raise BudgetError(f"calls itself more than {DEPTH} times deep: end the recursion")  # noqa: EM102, TRY003 - told once
            yield
        finally:
            self._depth -= 1


_current: ContextVar[Budget] = ContextVar("bellwire_template_budget")


def budget() -> Budget:
    """Return that of the rendering which is under way."""
    return _current.get()


@contextmanager
def budgeted() -> Iterator[Budget]:
    """Give all that is rendered within a new budget."""
    fresh = Budget()
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)
