r"""Go's escapes between double quotes, of which the quoted form of a matcher is made."""

from __future__ import annotations

import re

from bellwire.errors import MatcherError

_SIMPLE = {
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
    "\\": b"\\",
    '"': b'"',
}
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)
_PLAIN = re.compile(r"[^\\\n]+")


def unquote(body: str) -> str:
    r"""Return what ``body``, the text between two double quotes, stands for.

    ``\x`` and octal escapes are bytes of UTF-8. Raises `MatcherError` with the offset in ``body``.
    """
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        found = _PLAIN.match(body, at) or _ESCAPE.match(body, at)
        if found is None:
            raise MatcherError(_fault(body, at), at)
        pieces.append(found[0].encode("utf-8", "surrogatepass") if found.re is _PLAIN else _escaped(found))
        at = found.end()
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        msg = "the escapes make no valid UTF-8"
        raise MatcherError(msg) from None


def _escaped(found: re.Match[str]) -> bytes:
    if found["simple"]:
        return _SIMPLE[found["simple"]]
    if found["byte"]:
        return bytes([int(found["byte"], 16)])
    if found["octal"]:
        return bytes([int(found["octal"], 8)])
    code = int(found["short"] or found["long"], 16)
    try:
        return chr(code).encode()
    except (ValueError, OverflowError):  # beyond Unicode, or half a surrogate pair
        msg = f"{found[0]} is no character"
        raise MatcherError(msg, found.start()) from None


def _fault(body: str, at: int) -> str:
    if body[at] == "\n":
        return "a line ends between the quotes: write \\n"
    return f"{body[at : at + 2]} is no escape: write \\\\ for a backslash"
