"""Dataclasses of values that nobody changes, made by the dozen for each alert.

Type checkers see `dataclasses.dataclass` and hold ``frozen`` to its word. At run time it is left out: Python would set each
field of each value by a call, which takes three times as long. Values are hashed by their fields as frozen ones are.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - so that others may import it from here
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, **options: Any) -> Any:
        """Make the class a dataclass; ``frozen`` makes it one with a hash."""
        make = partial(dataclasses.dataclass, unsafe_hash=frozen, **options)
        return make if cls is None else make(cls)
