"""Checks of single values that types do not cover. Each returns what is wrong and what to do, or None; no value in it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

WHSEC = "whsec_"

_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]+@[^@\s<>,;:\"()\[\]\\\x00-\x1f\x7f]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/@\[\]]*):(?P<port>[0-9]{1,5})", re.ASCII)
_MAX_PORT = 65_535


def is_whole(text: str) -> bool:
    """Return whether a text can be written down: one with half of a character (a lone surrogate) cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def http_url(text: str, *, bare: bool = False) -> str | None:
    """Check the address of an HTTP server; ``bare``: without user, query and fragment, for paths are added to it."""
    try:
        url = urlsplit(text)
        problem = _url_problem(url, text)
    except ValueError:  # a port or an IPv6 address that is none
        return "is no URL: write https://HOST or https://HOST:PORT"
    if problem is None and bare:
        if "@" in url.netloc:
            return "must not hold a user or password: use authorization"
        if url.query or url.fragment or text.endswith(("?", "#")):
            return "must end with its path: remove all from ? or # on"
    return problem


def _url_problem(url: SplitResult, text: str) -> str | None:
    if url.scheme not in {"http", "https"}:
        return "must begin with https:// or http://"
    if not url.hostname or (url.port is not None and not 0 < url.port <= _MAX_PORT):
        return "names no host: write https://HOST or https://HOST:PORT"
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return "must not hold blanks: write them as %20"
    return None


def host_port(text: str, *, lowest: int = 1) -> tuple[str, int] | None:
    """Return host (without brackets) and port, or None if ``text`` is no ``HOST:PORT``."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or not lowest <= int(match["port"]) <= _MAX_PORT:
        return None
    return match["host"].strip("[]"), int(match["port"])


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def mail_address(text: str) -> str | None:
    """Check that ``text`` is the bare address of a mailbox."""
    return None if _ADDRESS.fullmatch(text) else "is no e-mail address: write name@example.com, without a display name"


def header_name(text: str) -> str | None:
    """Check the name of an HTTP header."""
    return None if _TOKEN.fullmatch(text) else "is no name of a header: use letters, digits and hyphens"


def header_value(text: str) -> str | None:
    """Check the value of an HTTP header."""
    return "holds a line break or control character: write it in one line" if _CONTROL.search(text) else None


def bearer(text: str) -> str | None:
    """Check a token that is sent in a header."""
    if not text:
        return "is empty: give it a value, or remove it"
    if not text.isascii() or re.search(r"[\s\x00-\x1f\x7f]", text):
        return "holds a blank, a line break or a character beyond ASCII, as no token does: copy it again"
    return None


def signing_secret(text: str) -> str | None:
    """Check a secret of Standard Webhooks: base64, with or without ``whsec_`` before it."""
    try:
        key = base64.b64decode(text.strip().removeprefix(WHSEC), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    return None if key else f"must be base64, with or without {WHSEC} before it: copy it again, whole"
