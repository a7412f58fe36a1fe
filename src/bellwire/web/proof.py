"""How the daemon proves that it is the daemon, before a command tells it a token. No I/O: the HTTP of it is in `proving`.

While no daemon runs, any program of this machine may take its port. So a command first sends a challenge that was never
used before, and tells its token only on the very connection that answered with a MAC which takes that token to make.
The MAC covers both ends of the connection: who passes the challenge on to the real daemon gets an answer of no use.
"""

from __future__ import annotations

import hashlib
import hmac

PATH = "/-/proof"
HEADER = "bellwire-challenge"
LONGEST = 128  # characters of a challenge

End = tuple[str, int]
"""An address and a port."""


def proof(token: str, challenge: str, client: End, server: End) -> str:
    """Return what only someone with ``token`` can answer to ``challenge`` on the connection between these two."""
    told = "\n".join(("bellwire proof 1", challenge, _text(client), _text(server)))
    return hmac.new(token.encode(), told.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def is_proof(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def same_machine(client: End, server: End) -> bool:
    """Return whether both ends are at one address, as they are where a program speaks to its own machine."""
    return _address(client) == _address(server)


def _text(end: End) -> str:
    return f"{_address(end)} {end[1]}"


def _address(end: End) -> str:
    # a socket for both protocols shows IPv4 in IPv6's clothes to one side only
    return end[0].lower().removeprefix("::ffff:")
