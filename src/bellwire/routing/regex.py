"""Regular expressions of rules: RE2's language and its linear time, anchored at both ends.

Most expressions that people write are words, alternatives of words, or these with ``.*`` around them; those are answered
by plain text operations with the same result, at a tenth of the price.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import re2

from bellwire.errors import MatcherError

if TYPE_CHECKING:
    from collections.abc import Callable

    Test: TypeAlias = Callable[[str], bool]

_META = r"\\.+*?()\[\]{}^$"
_WORDS = re.compile(rf"[^{_META}]*")  # "|" alone keeps a meaning
_ALTERNATIVES = re.compile(rf"(?P<open>\((?:\?:)?)?(?P<words>[^{_META}]*)(?(open)\))")
_AROUND = re.compile(
    rf"(?P<fold>\(\?i\))?(?P<before>\.\*)?(?P<open>\((?:\?:)?)?(?P<words>[^{_META}\n]+)(?(open)\))(?P<after>\.\*)?"
)


def full_match(pattern: str) -> Test:
    """Return the test whether ``pattern`` matches the whole of a text; ``.`` matches no line end.

    Raises `MatcherError` with the offset in ``pattern`` of what is wrong.
    """
    automaton = _compile(pattern)  # even where it is not used: what is wrong is wrong in every form
    if _WORDS.fullmatch(pattern):
        return frozenset(pattern.split("|")).__contains__
    slow = _automaton_test(automaton)
    around = _AROUND.fullmatch(pattern)
    if around is None:
        return slow
    before, after, words = bool(around["before"]), bool(around["after"]), around["words"]
    if "|" in words and not around["open"] and (before or after):
        return slow  # here ".*" belongs to the first or the last alternative alone
    if not around["fold"]:
        return _around_test(words, before=before, after=after)
    if not words.isascii():
        return slow
    quick = _around_test(words.lower(), before=before, after=after)
    # beyond ASCII, folding is RE2's affair: a long s equals s
    return lambda text: quick(text.lower()) if text.isascii() else slow(text)


def words_of(pattern: str) -> frozenset[str] | None:
    """Return all texts that ``pattern`` matches, if it is words between bars and nothing else; else None."""
    found = _ALTERNATIVES.fullmatch(pattern)
    return frozenset(found["words"].split("|")) if found else None


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False  # it would write to standard error
    options.never_capture = True  # nobody asks for groups, and without them no slower engine is needed
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason, offset = _explain(pattern, error.args[0])
    msg = f"bad regular expression: {reason}"
    raise MatcherError(msg, offset)


def _explain(pattern: str, error: bytes | str) -> tuple[str, int]:
    """Return RE2's own words and where in the pattern the piece stands that they end with."""
    reason = error.decode(errors="replace") if isinstance(error, bytes) else error
    _, found, piece = reason.partition(": ")
    return reason, max(pattern.rfind(piece), 0) if found else 0


def _automaton_test(automaton: re2._Regexp) -> Test:
    full = automaton.fullmatch
    # bytes: for texts the library counts characters again after each match
    return lambda text: full(encode(text)) is not None


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8, with U+FFFD for what no text may hold (half a surrogate pair)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _around_test(alternatives: str, *, before: bool, after: bool) -> Test:
    words = tuple(alternatives.split("|"))
    if before and after:
        if len(words) == 1:
            return lambda text: alternatives in text and "\n" not in text
        return lambda text: any(word in text for word in words) and "\n" not in text
    if after:
        return lambda text: text.startswith(words) and "\n" not in text
    if before:
        return lambda text: text.endswith(words) and "\n" not in text
    return frozenset(words).__contains__
