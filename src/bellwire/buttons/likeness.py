"""Which alerts are like those that someone is tired of: the matchers of the silences that a press adds. Pure.

Like an alert is what has its account, its type and its title; where the title counts something, whatever the count is.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from bellwire.routing.matchers import Op, matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bellwire.model import Alert
    from bellwire.routing.matchers import Matcher

_TOGETHER = 20  # titles in one silence
_SHORT = 300  # characters of a title that may share a silence
_COUNT = "[0-9]+"
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def likenesses(alerts: Iterable[Alert]) -> list[tuple[str, ...]]:
    """Return the matchers of as few silences as meet all alerts like these."""
    kinds: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        account, kind = (
            alert.labels.get(name, own) for name, own in (("account", alert.account), ("type", alert.type))
        )
        kinds.setdefault((account, kind), []).append(alert)
    return [
        tuple(str(one) for one in (*_named(account=account, type=kind), title))
        for (account, kind), like in kinds.items()
        for title in _titles(like)
    ]


def _named(**values: str) -> Iterator[Matcher]:
    return (matcher(name, Op.EQUAL, value) for name, value in values.items())


def _titles(alerts: Sequence[Alert]) -> Iterator[Matcher]:
    """Yield matchers of the titles of all of these alerts."""
    long = dict.fromkeys(alert.title for alert in alerts if len(alert.title) > _SHORT)
    yield from (matcher("title", Op.EQUAL, title) for title in long)
    exact = {_pattern(alert): alert.title for alert in alerts if len(alert.title) <= _SHORT}
    patterns = list(exact)
    for start in range(0, len(patterns), _TOGETHER):
        some = patterns[start : start + _TOGETHER]
        if len(some) == 1 and _COUNT not in some[0]:
            yield matcher("title", Op.EQUAL, exact[some[0]])
        else:
            yield matcher("title", Op.MATCHES, "|".join(some))


def _pattern(alert: Alert) -> str:
    """Return an expression for the title, with any number in place of what a label says is a count."""
    counts = {value for name, value in alert.labels.items() if name.endswith("count") and value.isdecimal()}
    words = [
        _COUNT if word in counts else _SPECIAL.sub(r"\\\g<0>", word)
        for word in itertools.chain.from_iterable(_words(alert.title))
    ]
    return "".join(words)


def _words(title: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a title with the spaces between them."""
    for number, word in enumerate(title.split(" ")):
        yield (" ", word) if number else (word,)
