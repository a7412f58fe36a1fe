"""Who is asking: fixed bearer tokens, and tokens that a client mints from its API key and secret."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import jwt

if TYPE_CHECKING:
    from bellwire.reference.settings import User

_CLAIMS: Final = ("sub", "iat", "exp", "iss")


class RefusedError(Exception):
    """The token proves nothing; the text may be shown to the client."""


class Credentials:
    """Who a credential belongs to. Every user's are good at every vendor."""

    def __init__(self, users: tuple[User, ...]) -> None:
        self.names = frozenset(user.name for user in users)
        self._tokens = {token: user.name for user in users for token in user.tokens}
        self._keys = {key: (user.name, secret) for user in users for key, secret in user.keys}

    def user_of_token(self, token: str) -> str | None:
        """Return whose fixed token this is."""
        return self._tokens.get(token)

    def user_of_key(self, api_key: str) -> str | None:
        """Return whose API key this is."""
        return self._keys[api_key][0] if api_key in self._keys else None

    def user_of_minted(self, token: str, issuer: str) -> str:
        """Return whose API key, named in the header's ``kid``, signed this JWT; RefusedError if none, or no longer."""
        try:
            return self._verify(token, issuer)
        except jwt.ExpiredSignatureError:
            message = "Token has expired"
        except jwt.InvalidTokenError:
            message = "Invalid token"
        raise RefusedError(message)

    def _verify(self, token: str, issuer: str) -> str:
        api_key = jwt.get_unverified_header(token).get("kid", "")
        if api_key not in self._keys:
            raise jwt.InvalidTokenError
        user, secret = self._keys[api_key]
        with warnings.catch_warnings():
            # The length of a secret is the vendor's affair, and here it guards nothing but made-up items.
            warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
            options: jwt.types.Options = {"require": list(_CLAIMS)}
            jwt.decode(token, secret, algorithms=["HS256"], issuer=issuer, subject=api_key, options=options)
        return user
