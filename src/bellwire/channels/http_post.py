"""One request to a receiver: whole within its time-out, never redirected, with as much of the answer as is of use."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from bellwire.channels.http_verdicts import NO_ANSWER, of_exception, of_status
from bellwire.channels.text import hide, one_line
from bellwire.errors import DeliveryError, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.config.schema import ChannelConfig
    from bellwire.http import HttpPool

_ANSWER_BYTES = 4096
_IN_ONE_PIECE = 1024 * 1024
_SHOWN = 200  # characters of an answer that go into an error


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is sent. ``secrets`` are blotted out of whatever the other side answers."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    sent_at: datetime
    secrets: Sequence[str] = ()


def time_limits(seconds: float) -> aiohttp.ClientTimeout:
    """Return limits under which a whole request ends; connecting ends first, so that it is told from a missing answer."""
    return aiohttp.ClientTimeout(total=seconds, connect=min(10.0, 0.8 * seconds))


def session_of(pool: HttpPool, settings: ChannelConfig) -> aiohttp.ClientSession:
    """Return the channel's session; `DeliveryError` if its TLS files cannot be used."""
    try:
        return pool.session(settings.http_config)
    except OSError as exc:  # ssl.SSLError is one
        message = f"the TLS files cannot be used: {exc.strerror or type(exc).__name__}"
        raise DeliveryError(message, verdict=Verdict.CHANNEL_FAULT, reason="tls_files") from None


async def post(pool: HttpPool, settings: ChannelConfig, request: Request) -> int:
    """Send the request; return its status if that means success, else raise `DeliveryError`."""
    session = session_of(pool, settings)
    try:
        async with session.request(
            request.method,
            request.url,
            data=_payload(request.body),
            headers=request.headers,
            allow_redirects=False,
            timeout=time_limits(settings.send_timeout),
        ) as response:
            status, headers = response.status, response.headers
            said = await _read(response)
    except NO_ANSWER as exc:
        failure: DeliveryError | None = of_exception(exc)
    else:
        failure = of_status(status, headers, request.sent_at, one_line(hide(said, request.secrets), _SHOWN))
    # raised here, outside of the handler: the library's exception holds the address, and would come along as context
    if failure is not None:
        raise failure
    return status


def _payload(body: bytes) -> bytes | io.BytesIO:
    # aiohttp writes a large body in pieces only if it is a file
    return body if len(body) <= _IN_ONE_PIECE else io.BytesIO(body)


async def _read(response: aiohttp.ClientResponse) -> str:
    # the status has been given and stands, whatever becomes of the rest
    with contextlib.suppress(*NO_ANSWER):
        return (await response.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
    return ""
