"""Identifiers: 26 characters that sort in the order in which they were given, and are no one else's."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in ULIDs
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_RANDOM_BITS = 80
_LENGTH = 26
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ids:
    """Gives ULIDs: 48 bits of milliseconds, then 80 that start at random and are counted up within a millisecond.

    Time never goes back: after ``last`` (the greatest id there is) only greater ones are given. Not safe for threads:
    only the ledger's writer uses it.
    """

    def __init__(self, last: str | None = None) -> None:
        self._last = decode(last) if last else 0

    def next(self, now: datetime) -> str:
        """Return an id that is greater than all before it."""
        milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
        fresh = milliseconds << _RANDOM_BITS
        if fresh > self._last:
            # The top bit is left 0, so that counting up within the millisecond cannot run out.
            fresh |= secrets.randbits(_RANDOM_BITS - 1)
        self._last = max(fresh, self._last + 1)
        return encode(self._last)


def encode(value: int) -> str:
    """Return ``value`` as 26 characters."""
    characters = []
    for _ in range(_LENGTH):
        value, digit = divmod(value, 32)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


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
