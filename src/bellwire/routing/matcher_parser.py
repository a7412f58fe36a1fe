r"""The text form of matchers, as Alertmanager reads it by default: ``severity >= "error"``, ``{a="b", c=~"d.*"}``.

Alertmanager has two grammars. The classic one takes values that nobody quoted (``view_name=night shift``, and ``view_name=``
for the empty text) and keeps a backslash that escapes nothing (``message=~"\d+"``); the UTF-8 one takes quoted names and
Go's escapes (``"my label"="\u00e9"``). A text that both can read means what it always meant, the classic; hence this
order: classic if it can be read so, else UTF-8, whose faults are the ones reported.

Ours beyond both: the operators ``< <= > >=``, which need a value. Stricter than both, because what follows matches
something that nobody meant: a brace without its partner, single quotes and backticks at the start of a value, where they
would be part of it, and an unquoted value that begins with an operator (``a == b``, ``a => b``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bellwire.errors import MatcherError
from bellwire.routing.go_strings import unquote
from bellwire.routing.matchers import RESERVED, SPACES, Matcher, check_name, matcher

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read any number of matchers; ``""`` and ``{}`` hold none. Raises `MatcherError` with the offset in ``text``."""
    parts = _read_classic(text, *_inside(text))
    return tuple(_build(part) for part in (_read_utf8(text) if parts is None else parts))


def parse_to_the_letter(text: str) -> tuple[Matcher, ...]:
    """Read matchers in the classic grammar alone, without being stricter than it: for what Alertmanager runs with.

    Raises `MatcherError`, with no offset, for what is none there either.
    """
    body = text.removeprefix("{").removesuffix("}")
    parts = _read_classic(body, 0, len(body), strict=False)
    if parts is None or not all(part.op in _THEIR_OPS for part in parts):
        msg = "it is no matcher"
        raise MatcherError(msg)
    return tuple(_build(part) for part in parts)


class _Part(NamedTuple):
    """One matcher as read: ``value_at`` is where its value starts, ``plain`` is True if it stands there as it is."""

    name: str
    name_at: int
    op: str
    value: str
    value_at: int
    plain: bool


def _build(part: _Part) -> Matcher:
    try:
        check_name(part.name)
    except MatcherError as fault:
        raise MatcherError(str(fault), part.name_at) from None
    try:
        return matcher(part.name, part.op, part.value)
    except MatcherError as fault:
        raise MatcherError(str(fault), part.value_at + (fault.offset if part.plain else 0)) from None


# --- the classic grammar -------------------------------------------------------------------------------------------

_UNRESERVED = f"[^{re.escape(''.join(RESERVED))}]+"
_OP = "=~|!=|!~|<=|>=|=|<|>"
_CLASSIC = re.compile(rf"\s*({_UNRESERVED})\s*({_OP})\s*(.*?)\s*", re.DOTALL | re.ASCII)
_THEIR_OPS = frozenset({"=", "!=", "=~", "!~"})
_WRONG_STARTS = ("=", "!", "<", ">", "'", "`")


def _read_classic(text: str, start: int, end: int, *, strict: bool = True) -> list[_Part] | None:
    """Return the matchers between the two, None if this grammar cannot read them."""
    parts = []
    for at, until in _split(text, start, end):
        if not text[at:until].strip(SPACES) and until == end:
            break  # a comma may stand at the end
        part = _read_classic_one(text, at, until, strict=strict)
        if part is None:
            return None
        parts.append(part)
    return parts


def _inside(text: str) -> tuple[int, int]:
    """Return where the matchers start and end, without spaces and the outer braces."""
    start, end = len(text) - len(text.lstrip(SPACES)), len(text.rstrip(SPACES))
    if text.startswith("{", start, end) and text.endswith("}", start, end):
        return start + 1, end - 1
    return min(start, end), end


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each piece between commas starts and ends; commas between double quotes separate nothing."""
    quoted = escaped = False
    at = start
    for here in range(start, end):
        char = text[here]
        if char == "," and not quoted:
            yield at, here
            at = here + 1
        elif char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    yield at, end


def _read_classic_one(text: str, at: int, until: int, *, strict: bool) -> _Part | None:
    found = _CLASSIC.fullmatch(text, at, until)
    if found is None:
        return None
    name, op, raw = found.groups()
    value_at = found.start(3)
    if raw.startswith('"'):
        if len(raw) == 1 or not _closes(raw):
            return None
        raw, value_at = raw[1:-1], value_at + 1
    elif strict and _is_surely_wrong(op, raw):
        return None
    value = _unescape_classic(raw)
    return None if value is None else _Part(name, found.start(1), op, value, value_at, value == raw)


def _is_surely_wrong(op: str, raw: str) -> bool:
    """Return whether an unquoted value is one that nobody means."""
    return (not raw and op not in _THEIR_OPS) or raw.startswith(_WRONG_STARTS) or raw.count("{") != raw.count("}")


def _closes(raw: str) -> bool:
    """Return whether ``raw`` ends in a quote that no backslash takes away."""
    body = raw[1:-1]
    return raw.endswith('"') and (len(body) - len(body.rstrip("\\"))) % 2 == 0


_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_ESCAPED = re.compile(r'\\[n"\\]|"')


def _unescape_classic(raw: str) -> str | None:
    """Resolve the three escapes of OpenMetrics; None if a bare quote stands inside."""
    pieces: list[str] = []
    at = 0
    for found in _ESCAPED.finditer(raw):
        if found[0] == '"':
            return None
        pieces += (raw[at : found.start()], _ESCAPES[found[0]])
        at = found.end()
    return "".join([*pieces, raw[at:]])


# --- the UTF-8 grammar ---------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    rf'(?P<text>{_UNRESERVED})|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<op>{_OP})|(?P<open>{{)|(?P<close>}})|(?P<comma>,)',
    re.DOTALL,
)
_BLANK = re.compile(f"[{SPACES}]+")


class _Token(NamedTuple):
    kind: str  # text, quoted, op, open, close, comma; "end" after the last
    raw: str
    at: int


def _read_utf8(text: str) -> list[_Part]:
    """Return the matchers; raises `MatcherError` with the offset of what is wrong."""
    tokens = list(_scan(text))
    braced = tokens[0].kind == "open"
    here = 1 if braced else 0
    parts = []
    while tokens[here].kind not in ("close", "end"):
        parts.append(_read_utf8_one(tokens, here))
        here += 3
        if tokens[here].kind == "comma":
            here += 1
        elif tokens[here].kind not in ("close", "end"):
            raise MatcherError(_expected("a comma", tokens[here]), tokens[here].at)
    if braced and tokens[here].kind == "end":
        raise MatcherError(_expected('a closing "}"', tokens[here]), tokens[here].at)
    if tokens[here].kind == "close":
        if not braced:
            msg = 'this "}" closes nothing'
            raise MatcherError(msg, tokens[here].at)
        here += 1
    if tokens[here].kind != "end":
        raise MatcherError(_expected("the end", tokens[here]), tokens[here].at)
    return parts


def _read_utf8_one(tokens: list[_Token], here: int) -> _Part:
    name = tokens[here]
    if name.kind not in ("text", "quoted"):
        raise MatcherError(_expected("a name", name), name.at)
    op = tokens[here + 1]  # there is an "end" after each token that is none
    if op.kind != "op":
        raise MatcherError(_expected("an operator (= != =~ !~ < <= > >=)", op), op.at)
    value = tokens[here + 2]
    if value.kind not in ("text", "quoted"):
        raise MatcherError(_expected("a value", value), value.at)
    read = _unquoted(value)
    plain = read == value.raw[1:-1] if value.kind == "quoted" else True
    return _Part(_unquoted(name), name.at, op.raw, read, value.at + (value.kind == "quoted"), plain)


def _scan(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at == len(text):
            yield _Token("end", "", at)
            return
        found = _TOKEN.match(text, at)
        if found is None:
            raise MatcherError(_unreadable(text[at]), at)
        assert found.lastgroup is not None
        yield _Token(found.lastgroup, found[0], at)
        at = found.end()


def _unreadable(char: str) -> str:
    if char == '"':
        return "this quote is never closed"
    if char in "'`":
        return f"{char} is no quote here: write double quotes"
    return f'unexpected "{char}": put names and values that hold such characters in double quotes'


def _unquoted(token: _Token) -> str:
    if token.kind == "text":
        return token.raw
    try:
        return unquote(token.raw[1:-1])
    except MatcherError as fault:
        raise MatcherError(str(fault), token.at + 1 + fault.offset) from None


def _expected(what: str, token: _Token) -> str:
    met = "the end" if token.kind == "end" else token.raw if token.kind == "quoted" else f'"{token.raw}"'
    return f"expected {what}, found {met}"
