"""Where HTTP connections are made, and nowhere else: one pool for each way of reaching the other side.

What is sent for each alert, and what each account asks its vendor, goes over a `bellwire.wire.Wire`, which takes a fifth
of the time; a stream over a `bellwire.listening.Listener`, which takes a fifth of the memory. The rest, and all that has
a proxy in its way, goes through aiohttp's sessions.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

from bellwire.listening import Listener
from bellwire.turns import Turns
from bellwire.wire import USER_AGENT, Wire

if TYPE_CHECKING:
    from bellwire.config.schema import HttpConfig, TlsConfig

_AT_ONCE = 64  # questions to one vendor


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
        self._wires: dict[TlsConfig, Wire] = {}
        self._listeners: dict[Wire, Listener] = {}
        self._turns: dict[tuple[str, str], Turns] = {}
        self._contexts: dict[TlsConfig, ssl.SSLContext] = {}  # each takes a tenth of a second to make

    def session(self, http: HttpConfig) -> aiohttp.ClientSession:
        """Return the session for these settings. Call it with the event loop running."""
        proxy = http.proxy_url.get_secret_value() if http.proxy_url else ""
        key = (proxy, http.tls_config)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context(http.tls_config), limit=0, ttl_dns_cache=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                proxy=proxy or None,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return session

    def wire(self, http: HttpConfig) -> Wire | None:
        """Return the short way for these settings, None where a proxy stands in it."""
        if http.proxy_url:
            return None
        wire = self._wires.get(http.tls_config)
        if wire is None:
            wire = self._wires[http.tls_config] = Wire(self._context(http.tls_config))
        return wire

    def listener(self, wire: Wire) -> Listener:
        """Return what opens streams the short way."""
        listener = self._listeners.get(wire)
        if listener is None:
            listener = self._listeners[wire] = Listener(wire.dialer)
        return listener

    def turns(self, base_url: str, kind: str = "list") -> Turns:
        """Return what is held while something of a kind is asked there: thousands must not ask all at once.

        Streams have turns of their own: where none comes to be opened, the lists that stand in for them must not wait.
        """
        turns = self._turns.get((base_url, kind))
        if turns is None:
            turns = self._turns[base_url, kind] = Turns(_AT_ONCE)
        return turns

    def _context(self, tls: TlsConfig) -> ssl.SSLContext:
        if tls not in self._contexts:
            self._contexts[tls] = ssl_context(tls)
        return self._contexts[tls]

    async def close(self) -> None:
        """Close every connection."""
        wires, self._wires = list(self._wires.values()), {}
        for wire in wires:
            wire.close()
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()
