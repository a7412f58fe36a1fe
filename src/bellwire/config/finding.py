"""What a check across keys found."""

from __future__ import annotations

from typing import NamedTuple

from bellwire.config.places import Loc  # noqa: TC001  a NamedTuple keeps its annotations


class Finding(NamedTuple):
    """One thing that is wrong: where, what and what to do, and how many characters into the value if that is known.

    ``rests_on`` are values that led to it: if one of them was already reported, this is no news.
    """

    loc: Loc
    message: str
    offset: int | None = None
    rests_on: tuple[Loc, ...] = ()
