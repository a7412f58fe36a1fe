"""Where HTTP connections are made, and nowhere else: one pool for each way of reaching the other side."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

from bellwire import __version__

if TYPE_CHECKING:
    from bellwire.config.schema import HttpConfig, TlsConfig

USER_AGENT = f"Bellwire/{__version__}"


def ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    """Return what verifies the other side as ``tls`` says; OSError or ssl.SSLError if its files cannot be used."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


class HttpPool:
    """Keeps one aiohttp session for each (proxy, TLS) in use; connections are shared, cookies and credentials never.

    The number of connections is bounded by the callers, not here. Time-outs are the caller's, request by request.
    """

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, TlsConfig], aiohttp.ClientSession] = {}

    def session(self, http: HttpConfig) -> aiohttp.ClientSession:
        """Return the session for these settings. Call it with the event loop running."""
        proxy = http.proxy_url.get_secret_value() if http.proxy_url else ""
        key = (proxy, http.tls_config)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl_context(http.tls_config), limit=0, ttl_dns_cache=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                proxy=proxy or None,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return session

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()
