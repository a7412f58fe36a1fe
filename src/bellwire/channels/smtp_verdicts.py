"""What an SMTP server's reply, or the lack of one, means for a delivery: pure.

Reply codes are those of https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3; of AUTH, those of
https://www.rfc-editor.org/rfc/rfc4954#section-6.
"""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING

import aiosmtplib

from bellwire.channels.secrets import hide, secrets_of
from bellwire.channels.text import one_line
from bellwire.errors import DeliveryError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bellwire.config.schema import EmailConfig

_TRANSIENT = 400  # from here on a reply says no, for now
_PERMANENT = 500  # and from here on for good
_TOO_LARGE = 552  # RFC 1870: said to MAIL, but of the message
_SHOWN = 200  # characters of a reply that go into an error

# RFC 3463: 5.1.7 and 5.1.8 are the sender's address. For the rest there is no code of its own but 5.7.1.
_NOT_THE_RECIPIENT = re.compile(
    r"\b5\.1\.[78]\b|(?:sender address|client host|helo command) rejected|relay access denied|authentication required",
    re.IGNORECASE,
)
_SHORT = 6  # shorter names are words


class Stage:
    """How far a conversation came: it decides whether the mail may have arrived."""

    now = "setup"  # connect, envelope, data


def secrets_of_mail(settings: EmailConfig) -> list[str]:
    """Return what a reply may echo of the login: as it is, and as it is sent (PLAIN of RFC 4616, and LOGIN)."""
    password = settings.auth_password.get_secret_value() if settings.auth_password else ""
    user = settings.auth_username or ""
    sent = [f"\0{user}\0{password}", user, password] if user else []
    encoded = [b64encode(each.encode()).decode() for each in sent if each]
    return [*secrets_of(settings), *encoded, *([user] if len(user) >= _SHORT else [])]


def of_exception(exc: Exception, stage: Stage, secrets: Iterable[str]) -> DeliveryError:
    """Return the error that an exception of the library stands for, with what the server said, but for ``secrets``.

    The library's own text is left out.
    """
    if isinstance(exc, aiosmtplib.SMTPResponseException) and exc.code >= _TRANSIENT:
        said = one_line(hide(exc.message, secrets), _SHOWN)
        text = f"SMTP {exc.code}: {said}" if said else f"SMTP {exc.code}"
        return _error(text, _verdict_of(exc), f"smtp_{exc.code}")
    if stage.now == "setup":
        return _error("the TLS files cannot be used", Verdict.CHANNEL_FAULT, "tls_files")
    if stage.now == "data":
        return _error("no answer to the data", Verdict.IN_DOUBT, _reason(exc))
    if _is_not_offered(exc):
        text = "the server does not offer what the settings ask for"
        return _error(text, Verdict.CHANNEL_FAULT, "smtp_not_supported")
    return _error(f"not sent: {_reason(exc)}", Verdict.RETRY, _reason(exc))


def _verdict_of(exc: aiosmtplib.SMTPResponseException) -> Verdict:
    if exc.code < _PERMANENT or isinstance(exc, aiosmtplib.SMTPConnectResponseError):
        return Verdict.RETRY
    if isinstance(exc, aiosmtplib.SMTPRecipientRefused) and _NOT_THE_RECIPIENT.search(exc.message):
        return Verdict.CHANNEL_FAULT  # servers tell only now of what they would have refused before
    if isinstance(exc, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError) or exc.code == _TOO_LARGE:
        return Verdict.MESSAGE_FAULT
    return Verdict.CHANNEL_FAULT  # HELO, STARTTLS, AUTH or MAIL: every other message would be refused alike


def _is_not_offered(exc: Exception) -> bool:
    # the library's root class alone says that there is no STARTTLS or no AUTH
    return isinstance(exc, aiosmtplib.SMTPNotSupported) or type(exc) is aiosmtplib.SMTPException


def _reason(exc: Exception) -> str:
    causes = (exc, exc.__cause__)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls_error"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "dns_error"
    if isinstance(exc, TimeoutError):
        return "timeout"
    return "connect_error" if isinstance(exc, aiosmtplib.SMTPConnectError) else "connection_lost"


def _error(message: str, verdict: Verdict, reason: str) -> DeliveryError:
    return DeliveryError(message, verdict=verdict, reason=reason)
