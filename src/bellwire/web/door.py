"""Who may come in: tokens, and the cookie that stands for one in a browser. No I/O; the HTTP of it is in `visitors`."""

from __future__ import annotations

import enum
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pydantic import SecretStr

SESSION_SECONDS = 7 * 86_400


class Role(enum.StrEnum):
    """What a visitor may do."""

    OPERATOR = "operator"  # everything
    READER = "reader"  # look


class Door:
    """Knows the tokens. With neither, everyone is an operator (the configuration allows that on loopback alone).

    A cookie is ``role.expiry.mac``: it needs no memory, ends by itself, and dies with the token that opened it.
    """

    def __init__(self, token: SecretStr | None, read_token: SecretStr | None, wall: Callable[[], datetime]) -> None:
        self._wall = wall
        given = {Role.OPERATOR: token, Role.READER: read_token}
        self._secrets = {role: secret.get_secret_value().encode() for role, secret in given.items() if secret}

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

    def cookie(self, role: Role) -> str:
        """Return a cookie that is good for `SESSION_SECONDS` from now."""
        expiry = int(self._wall().timestamp()) + SESSION_SECONDS
        return f"{role}.{expiry}.{self._mac(role, expiry)}"

    def role_of_cookie(self, cookie: str) -> Role | None:
        """Return the role that a cookie of ours gives, None if it is none or has ended."""
        name, _, rest = cookie.partition(".")
        expiry, _, mac = rest.partition(".")
        if name not in self._secrets or not (expiry.isascii() and expiry.isdigit() and len(expiry) < 16):  # noqa: PLR2004 - digits
            return None
        role = Role(name)
        genuine = hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(role, int(expiry)).encode())
        return role if genuine and self._wall().timestamp() < int(expiry) else None

    def _mac(self, role: Role, expiry: int) -> str:
        return hmac.new(self._secrets[role], f"bellwire session {role} {expiry}".encode(), hashlib.sha256).hexdigest()
