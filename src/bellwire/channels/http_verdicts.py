"""What the other side's answer over HTTP, or the lack of one, means for a delivery: one table, pure."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from bellwire.errors import DeliveryError, Verdict
from bellwire.wire import BrokenOffError, NoAddressError, UnreachedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_PAUSE = 86_400.0  # a day: whoever asks for more has made a mistake

# 2xx is success. The rest by number, else by hundred: https://www.rfc-editor.org/rfc/rfc9110#section-15, and for 429
# https://www.rfc-editor.org/rfc/rfc6585#section-4. What Slack's incoming webhooks answer fits into it:
# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_BY_STATUS: dict[int, Verdict] = {
    401: Verdict.CHANNEL_FAULT,
    403: Verdict.CHANNEL_FAULT,
    404: Verdict.CHANNEL_FAULT,
    407: Verdict.CHANNEL_FAULT,  # said by our proxy: the receiver has not seen the message
    408: Verdict.RETRY,
    410: Verdict.CHANNEL_FAULT,
    425: Verdict.RETRY,
    429: Verdict.RETRY,
}
_BY_HUNDRED: dict[int, Verdict] = {
    3: Verdict.CHANNEL_FAULT,  # never followed: the message would go where nobody configured it
    4: Verdict.MESSAGE_FAULT,
    5: Verdict.RETRY,
}


def verdict_of(status: int) -> Verdict | None:
    """Return what a status means, None for success."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    return _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, Verdict.RETRY)


def of_status(status: int, headers: Mapping[str, str], sent_at: datetime, said: str = "") -> DeliveryError | None:
    """Return the error that an answer stands for, None for success. ``said`` must bear no secret."""
    verdict = verdict_of(status)
    if verdict is None:
        return None
    return DeliveryError(
        f"HTTP {status}: {said}" if said else f"HTTP {status}",
        verdict=verdict,
        reason=f"http_{status}",
        retry_after=retry_after(headers, sent_at) if verdict is Verdict.RETRY else None,
    )


_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?").fullmatch  # a fraction is no standard, and common


def retry_after(headers: Mapping[str, str], sent_at: datetime) -> float | None:
    """Return for how many seconds the other side asks to be left alone, at most a day; None if it does not.

    A date counts from the answer's own ``Date``, so that two clocks that differ do no harm, else from the sending.
    """
    asked = headers.get("Retry-After", "").strip()
    if _SECONDS(asked):
        return min(float(asked), MAX_PAUSE)
    until = _http_date(asked)
    if until is None:
        return None
    now = _http_date(headers.get("Date", "")) or sent_at
    return min(max(0.0, (until - now).total_seconds()), MAX_PAUSE)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else None


# --- no answer -----------------------------------------------------------------------------------------------------

# The connection was never made, so that nothing can have arrived. The first that fits decides.
_UNREACHED: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "connect_timeout"),
    (aiohttp.ClientConnectorDNSError, "dns_error"),
    (aiohttp.ClientSSLError, "tls_error"),
    (aiohttp.ClientProxyConnectionError, "proxy_error"),
    (aiohttp.ClientHttpProxyError, "proxy_error"),
    (aiohttp.ClientConnectorError, "connect_error"),
)
NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, UnreachedError, BrokenOffError, NoAddressError)
"""What a request raises that got no answer."""


def of_exception(exc: Exception) -> DeliveryError:
    """Return the error that a request without an answer stands for.

    The exception's own text is left out: it often holds the whole address.
    """
    if isinstance(exc, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | NoAddressError):
        return DeliveryError("the address is no URL", verdict=Verdict.CHANNEL_FAULT, reason="invalid_url")
    if isinstance(exc, UnreachedError):
        return DeliveryError(f"not reached: {exc}", verdict=Verdict.RETRY, reason=exc.reason)
    for kind, reason in _UNREACHED:
        if isinstance(exc, kind):
            return DeliveryError(f"not reached: {reason}{_cause(exc)}", verdict=Verdict.RETRY, reason=reason)
    reason = "timeout" if isinstance(exc, TimeoutError) else "connection_lost"
    return DeliveryError(f"no answer: {reason}", verdict=Verdict.IN_DOUBT, reason=reason)


def _cause(exc: Exception) -> str:
    os_error = getattr(exc, "os_error", None)
    strerror = getattr(os_error, "strerror", None)
    return f" ({strerror})" if isinstance(strerror, str) and strerror else ""
