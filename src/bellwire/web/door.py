"""Who may come in: tokens, and the cookie that stands for one in a browser. No I/O; the HTTP of it is in `visitors`."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.config.values import host_port, is_loopback
from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pydantic import SecretStr

SESSION_SECONDS = 7 * 86_400


class Role(enum.StrEnum):
    """What a visitor may do."""

    OPERATOR = "operator"  # everything
    READER = "reader"  # look


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What a login opened. ``id`` tells it from others in the log; ``name`` is what was given, and nobody has checked it."""

    role: Role
    id: str  # letters and digits
    name: str = ""


class Door:
    """Knows the tokens. With neither, everyone is an operator: on loopback alone, else `BellwireError`.

    A cookie is ``role.expiry.id.name.mac``: it needs no memory, ends by itself, and dies with the token that opened it.
    """

    def __init__(
        self, token: SecretStr | None, read_token: SecretStr | None, wall: Callable[[], datetime], *, listen: str
    ) -> None:
        self._wall = wall
        given = {Role.OPERATOR: token, Role.READER: read_token}
        self._secrets = {
            role: secret.get_secret_value().encode() for role, secret in given.items() if secret is not None
        }
        _refuse_open_doors(self._secrets, listen)

    @property
    def open(self) -> bool:
        """True if nobody is asked for a token."""
        return not self._secrets

    def role_of_token(self, token: str) -> Role | None:
        """Return whose token this is. Takes the same time whatever it shares with the right one."""
        # hashed first, so that not even lengths show
        given = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        matches = {
            role: hmac.compare_digest(given, hashlib.sha256(secret).digest()) for role, secret in self._secrets.items()
        }
        return next((role for role, matched in matches.items() if matched), None)

    def cookie(self, session: Session) -> str:
        """Return a cookie that is good for `SESSION_SECONDS` from now."""
        expiry = int(self._wall().timestamp()) + SESSION_SECONDS
        name = base64.urlsafe_b64encode(session.name.encode("utf-8", "replace")).decode().rstrip("=")
        told = f"{session.role}.{expiry}.{session.id}.{name}"
        return f"{told}.{self._mac(session.role, told)}"

    def session_of(self, cookie: str) -> Session | None:
        """Return the session of a cookie of ours, None if it is none or has ended."""
        told, _, mac = cookie.rpartition(".")
        role, *rest = told.split(".")
        if role not in self._secrets or not hmac.compare_digest(
            mac.encode("utf-8", "replace"), self._mac(Role(role), told).encode()
        ):
            return None
        expiry, session_id, name = rest  # we have made it ourselves
        session = Session(role=Role(role), id=session_id, name=_decoded(name))
        return session if self._wall().timestamp() < int(expiry) else None

    def _mac(self, role: Role, told: str) -> str:
        message = f"bellwire session {told}".encode("utf-8", "replace")
        return hmac.new(self._secrets[role], message, hashlib.sha256).hexdigest()


def _refuse_open_doors(secrets: Mapping[Role, bytes], listen: str) -> None:
    """Raise where anyone could come in whom nobody meant to; the configuration has been checked for it before."""
    if not all(secrets.values()):
        message = "a token of the web is empty: give it a value, or remove it"
        raise BellwireError(message)
    address = host_port(listen, lowest=0)
    if not secrets and address is not None and not is_loopback(address[0]):
        message = "web.listen can be reached by other machines, and there is no token: set token_file"
        raise BellwireError(message)


def _decoded(name: str) -> str:
    return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode("utf-8", "replace")
