"""How what a vendor says of an item differs from what it said before: pure, and short enough to be kept and read."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.ledger.payloads import dump_payload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bellwire.model import Json

_DEEPEST = 8  # below that, values are compared whole
_MOST_FIELDS = 20
_LONGEST_NAME = 100
_LONGEST_VALUE = 200
_BEFORE = 20  # of a long text that is shown before the place where it differs


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A field whose value is another now; None is null, or none. ``name`` is its path, as matchers have it behind ``payload.``."""

    name: str
    old: Json
    new: Json


def differences(old: Json, new: Json, besides: Collection[str] = (), *, common: bool = False) -> tuple[Difference, ...]:
    """Return what differs between two items, by name. Their keys ``besides`` are left out.

    ``common`` compares only what both have: what the vendor says in one place and not in another has not changed.
    """
    old, new = _without(old, besides), _without(new, besides)
    return tuple(sorted(_walk((), old, new, common=common), key=lambda each: each.name))


def told(found: Sequence[Difference]) -> dict[str, Json]:
    """Return differences as an event keeps them; ``more`` are not named, and ``digest`` tells all of them from others.

    The digest of none is empty.
    """
    whole = dump_payload([[each.name, each.new] for each in found]) if found else b""
    return {
        "fields": [_field(each) for each in found[:_MOST_FIELDS]],
        "more": max(0, len(found) - _MOST_FIELDS),
        "digest": hashlib.blake2b(whole, digest_size=8).hexdigest() if found else "",
    }


def adds(event: dict[str, Json], before: dict[str, Json] | None, item: Json | None = None) -> bool:
    """Return whether an event tells more than the one before it, both made by `told`.

    With ``item``, whose differences were told of what it has alone: what it does not have may be as it was told before.
    """
    if before is None or item is None:
        return bool(event["digest"] != (before["digest"] if before else ""))
    seen = [field for field in before["fields"] if _has(item, field["name"].split("."))]
    return bool(event["digest"] != before["digest"] and event["fields"] != seen)


def _has(item: Json, path: Sequence[str]) -> bool:
    for name in path:
        if isinstance(item, dict) and name in item:
            item = item[name]
        elif isinstance(item, list) and name.isdecimal() and int(name) < len(item):
            item = item[int(name)]
        else:
            return False
    return True


def _without(item: Json, besides: Collection[str]) -> Json:
    return {key: each for key, each in item.items() if key not in besides} if isinstance(item, dict) else item


def _walk(path: tuple[str, ...], old: Json, new: Json, *, common: bool) -> Iterator[Difference]:
    if len(path) < _DEEPEST and isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() & new.keys() if common else old.keys() | new.keys():
            yield from _walk((*path, key), old.get(key), new.get(key), common=common)
    elif len(path) < _DEEPEST and isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _walk((*path, str(index)), one, other, common=common)
    elif old != new:
        yield Difference(name=".".join(path), old=old, new=new)


def _field(found: Difference) -> dict[str, Json]:
    old, new = _shown(found.old), _shown(found.new)
    start = 0
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > _LONGEST_VALUE:
        start = max(0, _in_common(old, new) - _BEFORE)
    name = found.name if len(found.name) <= _LONGEST_NAME else f"{found.name[:_LONGEST_NAME]}…"
    return {"name": name, "old": _cut(old, start), "new": _cut(new, start)}


def _shown(value: Json) -> Json:
    """Return text, numbers and booleans as they are, and the rest as JSON text."""
    return dump_payload(value).decode() if isinstance(value, dict | list) else value


def _in_common(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    sizes = range(1, min(len(one), len(other)) + 1)
    return bisect_left(sizes, True, key=lambda size: one[:size] != other[:size])  # noqa: FBT003 - what is looked for


def _cut(value: Json, start: int) -> Json:
    if not isinstance(value, str):
        return value
    end = start + _LONGEST_VALUE
    return f"{'…' if start else ''}{value[start:end]}{'…' if len(value) > end else ''}"
