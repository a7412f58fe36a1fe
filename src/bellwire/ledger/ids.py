"""Identifiers: 26 characters that sort in the order in which they were given, and are no one else's."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in ULIDs
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))  # 13 pairs of 10 bits
_LOW_BITS, _PREFIX = 30, 20  # of the last three pairs; a prefix is what stands before them
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_RANDOM_BITS = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ids:
    """Gives ULIDs: 48 bits of milliseconds, then 80 that start at random and are counted up within a millisecond.

    Time never goes back: after ``last`` (the greatest id there is) only greater ones are given. Not safe for threads:
    only the ledger's writer uses it.
    """

    def __init__(self, last: str | None = None) -> None:
        self._last = decode(last) if last else 0
        self._now: datetime | None = None
        self._high, self._prefix = -1, ""  # what ids that follow one another begin with

    def next(self, now: datetime) -> str:
        """Return an id that is greater than all before it."""
        self._last += 1
        if now is not self._now:
            self._now = now
            fresh = (now - _EPOCH) // timedelta(milliseconds=1) << _RANDOM_BITS
            if fresh >= self._last:
                # The top bit is left 0, so that counting up within the millisecond cannot run out.
                self._last = fresh | secrets.randbits(_RANDOM_BITS - 1)
        last = self._last
        if last >> _LOW_BITS != self._high:
            self._high, self._prefix = last >> _LOW_BITS, encode(last)[:_PREFIX]
        return f"{self._prefix}{_PAIRS[last >> 20 & 0x3FF]}{_PAIRS[last >> 10 & 0x3FF]}{_PAIRS[last & 0x3FF]}"


def encode(value: int) -> str:
    """Return ``value`` as 26 characters."""
    return "".join([_PAIRS[value >> shift & 0x3FF] for shift in _SHIFTS])


def decode(text: str) -> int:
    """Return the value of an id; KeyError if it is none."""
    value = 0
    for character in text:
        value = value * 32 + _VALUE[character]
    return value


def least_at(moment: datetime) -> str:
    """Return the least id that may be given at ``moment``."""
    return encode(((moment - _EPOCH) // timedelta(milliseconds=1)) << _RANDOM_BITS)


def time_of(text: str) -> datetime:
    """Return the time at which an id was given, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=decode(text) >> _RANDOM_BITS)
