"""A mailbox behind a real SMTP server that answers as it is told."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.smtp import SMTP, AuthResult

from bellwire.demo.receivers.journal import Journal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from email.message import EmailMessage
    from types import TracebackType

    from aiosmtpd.smtp import Envelope, LoginPassword, Session

logging.getLogger("mail.log").setLevel(logging.ERROR)  # the library logs every command, and warns of itself
_LARGEST = 32 * 1024 * 1024
DROP = "drop"
HANG = "hang"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """What was taken: the envelope, and the mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    login: str | None = None
    encrypted: bool = False

    @property
    def parsed(self) -> EmailMessage:
        """The mail, read."""
        return message_from_bytes(self.raw, policy=default)

    @property
    def delivery_id(self) -> str:
        """The delivery that it came from."""
        return str(self.parsed["X-Bellwire-Delivery"])


class _Session(SMTP):
    """A connection that can be ended, in whatever state it is."""

    forget: Callable[[_Session], None]

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.forget(self)

    async def end(self) -> None:
        # a TLS handshake that failed leaves the library with a connection that it never closes
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        task = self._handler_coroutine
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class SmtpInbox(Journal[Mail]):
    """Takes mail for everybody.

    ``recipient_replies`` by address and ``data_replies``, used up one a mail, are given instead of 250; ``DROP`` loses the
    connection and ``HANG`` never answers, after the mail was kept. ``tls`` offers STARTTLS, or is spoken from the first
    byte if ``implicit``; with ``login`` (name, password) only who logs in may send.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.port = port
        self.recipient_replies: dict[str, list[str]] = {}
        self.data_replies: list[str] = []
        self._tls = tls
        self._implicit = implicit
        self._login = login
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server | None = None

    @property
    def smarthost(self) -> str:
        """Where to send to."""
        return f"127.0.0.1:{self.port}"

    url = smarthost

    def refuse_login(self) -> None:
        """Take nobody's password from now on."""
        self._login = ("", "")

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        tls = self._tls if self._implicit else None
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(session.end() for session in list(self._sessions)))
        await self._server.wait_closed()
        await asyncio.sleep(0)  # the transports tell of their end in the loop's next turn

    def _session(self) -> _Session:
        session = _Session(
            self,
            hostname="localhost",
            ident="Bellwire demo",
            data_size_limit=_LARGEST,
            enable_SMTPUTF8=True,
            tls_context=None if self._implicit else self._tls,
            auth_require_tls=False,
            auth_required=False,  # refused below instead: the library warns of AUTH without TLS, which is the point here
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        session.forget = self._sessions.discard
        return session

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        given: LoginPassword = data
        fits = self._login is not None and (given.login.decode(), given.password.decode()) == self._login
        return AuthResult(success=fits, handled=False, auth_data=given.login.decode())

    async def handle_MAIL(  # noqa: N802 - the library finds it by this name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender."""
        if self._login is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it."""
        replies = self.recipient_replies.get(address)
        if replies:
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail, or refuse it."""
        reply = self.data_replies.pop(0) if self.data_replies else "250 OK"
        if reply.startswith(("250", DROP, HANG)):
            self._keep(session, envelope)
        if reply == DROP and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        if reply in (DROP, HANG):
            await asyncio.Event().wait()  # until the connection is gone: the library then cancels this
        return reply

    def _keep(self, session: Session, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        login = str(session.auth_data) if session.authenticated else None
        mail = Mail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            raw=content,
            login=login,
            encrypted=session.ssl is not None or self._implicit,
        )
        self.add(mail)
