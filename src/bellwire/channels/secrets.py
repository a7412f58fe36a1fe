"""What of a channel's settings is never told, in every form in which the other side may echo it. Pure."""

from __future__ import annotations

import html
import json
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

from bellwire.config.schema import Section
from bellwire.config.values import WHSEC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HIDDEN = "**********"

_MIN_SECRET = 6  # shorter pieces are words
_HTTP = frozenset({"http", "https"})
_PUBLIC = frozenset(
    {"accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "prefer", "user-agent"}
)
"""Headers that prove nothing: what they say may be told."""

# https://www.iana.org/assignments/http-authschemes, and what services have made up
_SCHEMES = frozenset({"apikey", "basic", "bearer", "digest", "geniekey", "key", "splunk", "token"})
_BETWEEN = re.compile(r"[\s;,&]+")


def secrets_of(settings: Section) -> list[str]:
    """Return every piece of the settings' secrets that may give one away, in all its forms."""
    pieces = {form for piece in _within("", settings) for form in _forms(piece)}
    return [piece for piece in pieces if len(piece) >= _MIN_SECRET]


def hide(text: str, secrets: Iterable[str], *, cut: bool = False) -> str:
    """Return the text with every secret in it blotted out, the longest first; of one that was ``cut``, what began there."""
    longest_first = sorted(filter(None, secrets), key=len, reverse=True)
    for secret in longest_first:
        text = text.replace(secret, HIDDEN)
    return _without_beginning(text.rstrip("\N{REPLACEMENT CHARACTER}"), longest_first) if cut else text


def _without_beginning(text: str, longest_first: Sequence[str]) -> str:
    """Return the text without its longest end that a secret begins with."""
    most = min(len(text), len(longest_first[0]) - 1) if longest_first else 0
    for size in range(most, 0, -1):
        if any(secret.startswith(text[-size:]) for secret in longest_first):
            return text[:-size]
    return text


def _within(name: str, value: object) -> Iterator[str]:
    """Yield the pieces of all secrets in a value; ``name`` is the key of a mapping that it stands under."""
    if isinstance(value, SecretStr):
        yield from _of_secret(name, value.get_secret_value().strip())
    elif isinstance(value, Section):
        for field in type(value).model_fields:
            yield from _within("", getattr(value, field))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _within(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _within("", item)


def _of_secret(name: str, text: str) -> Iterator[str]:
    if name:  # the mappings of secrets are headers
        yield from _of_header(name, text)
    elif "://" in text:
        yield from _of_url(text)
    else:
        yield text
        yield text.removeprefix(WHSEC)


def _of_header(name: str, value: str) -> Iterator[str]:
    """Yield a header's value, what stands behind its scheme, and each cookie's or parameter's value."""
    if name.lower() in _PUBLIC:
        return
    yield value
    scheme, _, rest = value.partition(" ")
    has_scheme = rest and (name.lower().endswith("authorization") or scheme.lower() in _SCHEMES)
    credentials = rest.strip() if has_scheme else value
    yield credentials
    if scheme.lower() == "basic":
        yield from _of_basic(credentials)
    for part in _BETWEEN.split(credentials):
        _, _, given = part.partition("=")
        told = (given if given.strip("=") else part).strip("\"'")  # else it is base64, and filled up
        yield from (told, told.rstrip("="), *told.split(":"))


def _of_basic(credentials: str) -> Iterator[str]:
    try:
        login = b64decode(credentials + "=" * (-len(credentials) % 4), validate=True).decode()
    except ValueError:
        return
    yield from _of_login(*login.partition(":")[::2])


def _of_login(user: str, password: str) -> Iterator[str]:
    """Yield a login as it is, and as the header that it is sent in."""
    login = f"{user}:{password}"
    yield from (user, password, login)
    for encoding in ("utf-8", "latin-1"):
        encoded = b64encode(login.encode(encoding, "replace")).decode()
        yield from (encoded, encoded.rstrip("="))


def _of_url(url: str) -> Iterator[str]:
    """Yield the pieces of an address; where it is no web server's, its host's name may be a token, too."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is none
        yield url
        return
    query = f"?{parts.query}" if parts.query else ""
    yield from (url, parts.path + query, parts.path, parts.query, parts.fragment, *parts.path.split("/"))
    if parts.scheme not in _HTTP:
        yield from re.split("[@:]", parts.netloc)
    if parts.username is not None:
        yield from (parts.username, parts.password or "")
        yield from _of_login(unquote(parts.username), unquote(parts.password or ""))
    for name, value in parse_qsl(parts.query):
        yield from _of_header(name.strip(" +-:"), value)


def _forms(piece: str) -> Iterator[str]:
    """Yield a piece as it is, and as an address, a page or JSON has it."""
    for text in {piece, unquote(piece)}:
        written = json.dumps(text)[1:-1]
        yield from (text, quote(text, safe=""), html.escape(text), written, written.replace("/", r"\/"))
        yield json.dumps(text, ensure_ascii=False)[1:-1]
