"""How accounts prove who they are: tokens, given or minted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_LIFE = 600  # seconds


def bearer(token: str) -> dict[str, str]:
    """Return the header that bears a token; a line end after it, as files have, is no part of it."""
    return {"Authorization": f"Bearer {token.strip()}"}


def minted(api_key: str, api_secret: str, wall: datetime) -> str:
    """Return a token of Visual Layer's form, good for ten minutes from ``wall``."""
    import jwt  # noqa: PLC0415 - it brings a library of 8 MB: only for those who have no token of their own
    from jwt.warnings import InsecureKeyLengthWarning  # noqa: PLC0415

    key, issued = api_key.strip(), int(wall.timestamp())
    claims = {"sub": key, "iat": issued, "exp": issued + _LIFE, "iss": "sdk"}
    with warnings.catch_warnings():
        # The vendor chose how long its secrets are; nobody who reads of it here can change that.
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        return jwt.encode(claims, api_secret.strip(), algorithm="HS256", headers={"kid": key})
