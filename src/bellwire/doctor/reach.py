"""Whether a server can be reached: a connection is made and closed, and nothing is said on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bellwire.doctor.diagnosis import Diagnosis, failed, ok, warning
from bellwire.http import ssl_context

if TYPE_CHECKING:
    from bellwire.config.schema import HttpConfig
    from bellwire.doctor.diagnosis import Patient

_PORTS = {"http": 80, "https": 443}
_SOON = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    """Where to connect; ``tls`` None: in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None


async def reach(patient: Patient, url: str, http: HttpConfig) -> Diagnosis:
    """Return whether the server of ``url`` (or the proxy before it) takes connections, and by which certificate."""
    through = http.proxy_url.get_secret_value() if http.proxy_url else ""
    what = "the proxy" if through else "the server"
    try:
        target = _target(through or url, http)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or type(error).__name__
        return failed(f"the TLS files cannot be used ({why})", "see http_config.tls_config")
    try:
        ends = await _connect(target)
    except OSError as error:
        return _unreachable(error, what)
    if ends is not None and ends - patient.clock.wall() < _SOON:
        return warning(f"{what} is reached, but its certificate ends on {ends:%Y-%m-%d}", "have it renewed")
    if through:
        return ok("the proxy is reached; what is behind it was not tried")
    return ok("reached" if target.tls is None else "reached by TLS")


def _unreachable(error: OSError, what: str) -> Diagnosis:
    """Say why there is no connection, without the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"{what} shows a certificate that is not accepted: {error.verify_message}"
        return failed(text, "set http_config.tls_config.ca_file if it is of an authority of your own")
    if isinstance(error, ssl.SSLError):
        return failed(f"{what} speaks no TLS that we speak", "see whether the port is one for https")
    if isinstance(error, socket.gaierror):
        return failed("the host's name cannot be resolved", "see the URL for a slip, and this machine's DNS")
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
    remedy = "see the URL's port, and whether a firewall lets this machine out"
    return failed(f"{what} cannot be reached: {why}", remedy)


def _target(url: str, http: HttpConfig) -> _Target:
    parts = urlsplit(url)
    tls = ssl_context(http.tls_config) if parts.scheme == "https" else None
    return _Target(host=parts.hostname or "", port=parts.port or _PORTS.get(parts.scheme, 80), tls=tls)


async def _connect(target: _Target) -> datetime | None:
    """Connect and hang up; return when the other side's certificate ends, if it showed one that was looked at."""
    _, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
    try:
        shown = writer.get_extra_info("peercert") or {}
        ends = shown.get("notAfter")
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
