"""E-mail by SMTP, one channel for each recipient: what one server refuses for one address holds up no other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import aiosmtplib

from bellwire.channels.email_message import address_of, mail
from bellwire.channels.smtp_verdicts import Stage, of_exception, secrets_of_mail
from bellwire.errors import BellwireError
from bellwire.http import ssl_context
from bellwire.model import Envelope, Message, Receipt

if TYPE_CHECKING:
    import ssl

    from bellwire.channels.wording import Wording
    from bellwire.config.schema import EmailConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


class EmailChannel:
    """Sends to the one recipient of its settings, over a connection of its own each time."""

    def __init__(self, settings: EmailConfig, words: Wording) -> None:
        self._settings = settings
        self._words = words
        _smarthost(settings)  # which raises if there is none
        self._sender, self._recipient = _bare(settings.from_), _bare(settings.to[0])
        self._secrets = secrets_of_mail(settings)
        self._tls: ssl.SSLContext | None = None

    def render(self, message: Message) -> bytes:
        """Return the whole mail, headers and all."""
        return mail(message, self._settings.from_, self._settings.to[0], self._words)

    async def send(self, envelope: Envelope) -> Receipt:
        """Hand the mail to the smarthost; it is sent when that has said 250 after the data."""
        stage = Stage()
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                reply = await self._converse(envelope.body, stage)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as exc:
            failure = of_exception(exc, stage, self._secrets)
        else:
            return Receipt(detail=f"SMTP {reply.code}")
        raise failure  # outside of the handler: no library's text comes along as context

    async def _converse(self, body: bytes, stage: Stage) -> aiosmtplib.SMTPResponse:
        utf8 = not (self._sender.isascii() and self._recipient.isascii())
        encoding, options = ("utf-8", ["SMTPUTF8", "BODY=8BITMIME"]) if utf8 else ("ascii", [])
        client = connection(self._settings, self._context())
        try:
            stage.now = "connect"
            await client.connect()
            stage.now = "envelope"
            await client.mail(self._sender, options=options, encoding=encoding)
            await client.rcpt(self._recipient, encoding=encoding)
            stage.now = "data"
            reply = await client.data(body)
            # the mail is theirs now: no answer to QUIT is waited for that could put this in doubt
            if client.protocol:
                client.protocol.write(b"QUIT\r\n")
            return reply
        finally:
            client.close()

    def _context(self) -> ssl.SSLContext | None:
        if self._tls is None:
            self._tls = tls_of(self._settings)
        return self._tls


def connection(settings: EmailConfig, tls: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    """Return a connection that is not made yet; connecting logs in."""
    host, port = _smarthost(settings)
    password = settings.auth_password
    return aiosmtplib.SMTP(
        hostname=host,
        port=port,
        username=settings.auth_username,
        password=password.get_secret_value() if password else None,
        timeout=None,  # one time-out for the whole of a send
        local_hostname=_own_name(),
        use_tls=settings.tls == "implicit",
        start_tls=settings.tls == "starttls",
        tls_context=tls,
    )


def tls_of(settings: EmailConfig) -> ssl.SSLContext | None:
    """Return what verifies the server, None where nothing does; OSError if the TLS files cannot be used."""
    return None if settings.tls == "none" else ssl_context(settings.http_config.tls_config)


def _bare(text: str) -> str:
    with contextlib.suppress(ValueError):
        return address_of(text).addr_spec
    message = f"not an e-mail address: {text!r}"
    raise BellwireError(message)


def _smarthost(settings: EmailConfig) -> tuple[str, int]:
    host, colon, port = settings.smarthost.rpartition(":")
    if not colon or settings.smarthost.endswith("]"):
        host, port = settings.smarthost, str(_PORTS[settings.tls])
    if not host or not port.isdigit():
        message = f"smarthost is host:port, not {settings.smarthost!r}"
        raise BellwireError(message)
    return host.strip("[]"), int(port)


def _own_name() -> str:
    """Return what we call ourselves: not looked up in the DNS, which could hang."""
    name = socket.gethostname()
    return name if name.isascii() and name.isprintable() and name and " " not in name else "localhost"


def build(settings: EmailConfig, pool: HttpPool, words: Wording) -> Channel:  # noqa: ARG001 - mail goes over no HTTP connection
    """Return the channel of the settings' first recipient."""
    return EmailChannel(settings, words)
