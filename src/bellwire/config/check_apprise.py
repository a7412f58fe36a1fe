"""The check of Apprise URLs. Apprise takes a quarter of a second to import: only who uses it pays for it."""

from __future__ import annotations

import re
import warnings
from urllib.parse import parse_qsl, urlsplit

_SCHEME = re.compile(r"\s*[a-z0-9+.-]{1,32}://", re.IGNORECASE)
_CANNOT = "is no URL that Apprise can use: see its service's page at https://appriseit.com/services/"
_FORBIDDEN = {
    "optional": "must not hold optional=: it hides that a message was not delivered",
    "retry": "must not hold retry=: Bellwire repeats what failed, by the receiver's `retry`",
    "attach": "must not hold attach=: Bellwire sends no attachments",
}


def check_apprise_url(url: str) -> str | None:
    """Return what is wrong with ``url`` and what to do, or None. The URL, which is a secret, is not in it."""
    try:
        query = urlsplit(url).query
    except ValueError:
        query = url.partition("?")[2]
    for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True):
        problem = _FORBIDDEN.get(name.strip().lower())
        if problem:
            return problem
    return None if _SCHEME.match(url) and _is_usable(url) else _CANNOT


def _is_usable(url: str) -> bool:
    import apprise  # noqa: PLC0415  see the module's text

    # its log would show parts of the URL; what it says there is our answer
    was, apprise.logger.disabled = apprise.logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the modules that its plugins import
            return apprise.Apprise.instantiate(url) is not None
    finally:
        apprise.logger.disabled = was
