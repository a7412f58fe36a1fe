"""What a vendor's answers, and the lack of one, mean: the one seam between HTTP and `SourceError`.

No error made here bears an address, a header or a body: any of them may hold a secret.
"""

from __future__ import annotations

import math
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp

from bellwire.apis.reading import loads
from bellwire.errors import (
    RateLimitedError,
    RejectedError,
    SourceError,
    StreamRefusedError,
    UnauthorizedError,
)
from bellwire.wire import BrokenOffError, UnreachedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bellwire.apis.dialect import Call
    from bellwire.model import Json

BODY_LIMIT = 32 * 1024 * 1024
"""The most bytes that one answer may have."""

# what is said of a connection that could not be made, and the reason that is given
_UNREACHED = {
    "tls_error": ("no secure connection: the certificate or the protocol is not accepted", "tls"),
    "dns_error": ("the host's name cannot be resolved", "dns"),
    "connect_error": ("cannot connect", "connect"),
    "connect_timeout": ("no answer in time", "timeout"),
}
_TRANSIENT = frozenset({407, 408, 421, 425})  # 4xx that say nothing about the request itself


@contextmanager
def translated(call: Call, *, late: str = "timeout") -> Iterator[None]:
    """Turn what HTTP raises into `SourceError`; ``late`` is the reason given where time ran out."""
    try:
        yield
    except TimeoutError:
        word = "silent for too long" if late == "stalled" else "no answer in time"
        raise _error(call, word, late) from None
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch):
        raise _error(call, *_UNREACHED["tls_error"]) from None
    except aiohttp.ClientConnectorDNSError:
        raise _error(call, *_UNREACHED["dns_error"]) from None
    except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError):
        raise _error(call, "the proxy does not let us through", "proxy") from None
    except UnreachedError as error:
        raise _error(call, *_UNREACHED[error.reason]) from None
    except aiohttp.ClientConnectorError:
        raise _error(call, *_UNREACHED["connect_error"]) from None
    except (aiohttp.ClientError, OSError, ValueError, BrokenOffError) as error:
        # ValueError: an address or a header that cannot be sent
        raise _error(call, f"the connection broke ({type(error).__name__})", "connection") from None


def _error(call: Call, what: str, reason: str) -> SourceError:
    return SourceError(f"{call}: {what}", reason=reason)


def refusal(call: Call, status: int, headers: Mapping[str, str], wall: datetime) -> SourceError | None:
    """Return what an answer with this status is to be raised as, None if it is a success."""
    if 200 <= status < 300:  # noqa: PLR2004  # the successes of HTTP
        return None
    said = f"{call}: answered {status}"
    reason = f"http_{status}"
    wish = retry_after(headers, wall)
    if status in {401, 403}:
        return UnauthorizedError(f"{said}: the credentials are refused", reason=reason)
    if status == 429 or (status == 503 and wish is not None):  # noqa: PLR2004  # as the statuses are known
        return RateLimitedError(f"{said}: a pause is asked for", reason=reason, retry_after=wish)
    if 300 <= status < 400:  # noqa: PLR2004  # redirects
        return SourceError(f"{said}: a redirect, which is never followed", reason="redirect")
    if 400 <= status < 500 and status not in _TRANSIENT:  # noqa: PLR2004  # the request's own fault
        return RejectedError(said, reason=reason, status=status)
    return SourceError(said, reason=reason)


def web_page(call: Call, headers: Mapping[str, str], body: bytes) -> SourceError | None:
    """Return an error if a success is a page for people: then some portal or login answered in the vendor's stead."""
    kind = headers.get("Content-Type", "").lower()
    if "html" in kind and body.lstrip()[:1] == b"<":
        return _error(call, "answered by a web page", "web_page")
    return None


def stream_refusal(call: Call, status: int, headers: Mapping[str, str], wall: datetime) -> SourceError | None:
    """Return what an answer to opening a stream is to be raised as, None if it is a stream."""
    error = refusal(call, status, headers, wall)
    if isinstance(error, RejectedError) or (error is not None and error.reason == "redirect"):
        return StreamRefusedError(str(error), reason=error.reason)
    if error is not None:
        return error
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if status != 200 or kind != "text/event-stream":  # noqa: PLR2004  # the one success that a stream has
        return StreamRefusedError(f"{call}: answered {status}, but with no event stream", reason="no_event_stream")
    return None


def retry_after(headers: Mapping[str, str], wall: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, None if it cannot be read.

    A date is taken against the vendor's own ``Date``, so that clocks which differ do no harm.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        until = _http_date(value)
        seconds = math.nan if until is None else (until - (_http_date(headers.get("Date", "")) or wall)).total_seconds()
    return None if math.isnan(seconds) else max(0.0, seconds)


def _http_date(value: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


async def read_body(call: Call, response: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end, but no further than the limit."""
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) > BODY_LIMIT:
            raise too_long(call)
    return bytes(pieces)


def too_long(call: Call) -> SourceError:
    """Return what an answer is raised as that goes on beyond the limit."""
    return _error(call, f"the answer has more than {BODY_LIMIT} bytes", "oversized_answer")


def unpacked(call: Call, body: bytes, packing: str) -> bytes:
    """Return a body as it was before its packing; SourceError for one that cannot be unpacked, or is too long then."""
    if packing.strip().lower() in {"", "identity"} or not body:
        return body
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    try:
        found = unpacker.decompress(body, BODY_LIMIT)
    except zlib.error:
        raise _error(call, "the answer is packed, and cannot be unpacked", "bad_answer") from None
    if unpacker.unconsumed_tail:
        raise too_long(call)
    return found


def read_json(call: Call, body: bytes) -> Json:
    """Return what the answer says; an answer that is no JSON is an error, never an empty inbox."""
    try:
        return loads(body)
    except ValueError:
        raise _error(call, "the answer is no JSON", "bad_answer") from None
