"""What a test expected against what it saw."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bellwire.config.schema import Expectation
    from bellwire.rehearsal.play import Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One key of an expectation that was not met: what was expected, and what was found."""

    key: str
    expected: tuple[str, ...]
    found: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield a diff: what is missing behind ``-``, what is too much behind ``+``, the rest behind a blank."""
        for each in self.expected:
            yield from _marked(" " if each in self.found else "-", each)
        for each in self.found:
            if each not in self.expected:
                yield from _marked("+", each)
        if not self.found:
            yield "+ (none)"


def differences(expected: Expectation, seen: Seen) -> list[Difference]:
    """Return what differs, nothing if the test holds. A rule or template that fails is always a difference."""
    return [
        *_sets("receivers", expected.receivers, seen.receivers),
        *_sets("held", expected.held, seen.held),
        *_sets("suppressed", None if expected.suppressed is None else [expected.suppressed], seen.suppressed),
        *_sets("groups", _texts(expected.groups), _texts(seen.groups) or []),
        *_one_of("title", expected.title, seen.titles),
        *_one_of("text", expected.text, seen.texts),
        *([Difference(key="errors", expected=(), found=tuple(seen.errors))] if seen.errors else []),
    ]


def _sets(key: str, expected: Iterable[str] | None, found: Iterable[str]) -> Iterator[Difference]:
    if expected is not None and set(expected) != set(found):
        yield Difference(key=key, expected=tuple(sorted(set(expected))), found=tuple(sorted(set(found))))


def _texts(groups: Sequence[Mapping[str, str]] | None) -> list[str] | None:
    """Return each group's labels as one text, for comparing and for people."""
    if groups is None:
        return None
    return [
        ", ".join(
            f"{name}={value if value.isprintable() else json.dumps(value)}" for name, value in sorted(each.items())
        )
        or "(no labels)"
        for each in groups
    ]


def _one_of(key: str, expected: str | None, found: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    """Hold a text to be that of some message; who sent the others is told."""
    if expected is None or any(text.strip() == expected.strip() for _, text in found):
        return
    shown = dict.fromkeys(f"{text.strip()}  ({channel})" for channel, text in found)
    yield Difference(key=key, expected=(expected.strip(),), found=tuple(shown))


def _marked(sign: str, text: str) -> Iterator[str]:
    return (f"{sign} {line}" for line in text.splitlines() or [""])
