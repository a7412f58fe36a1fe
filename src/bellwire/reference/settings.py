"""What the reference server is told before it starts, checked as a whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bellwire.reference.traps import USUAL, Trap

if TYPE_CHECKING:
    from bellwire.reference.faults import AnyFault

MEMORY = "memory"
_FILE_SCHEME = "sqlite:///"
_NAME = re.compile(r"[A-Za-z0-9_.-]+")  # user names are path segments of the control API


class SetupError(Exception):
    """The server cannot start as it was told to. The text is for people and bears no secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One person with an inbox at every vendor, and the credentials that say it is them.

    ``keys`` are pairs of API key and API secret.
    """

    name: str
    tokens: tuple[str, ...] = field(default=(), repr=False)
    keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceSettings:
    """How the server runs.

    ``store`` is ``memory`` or ``sqlite:///PATH``. Without ``auth`` every call is made as the first user, who is called
    ``default`` if nobody is named. ``keep_alive`` is the pause in seconds before a silent stream says that it lives;
    ``log_size`` is how many requests the log remembers; ``traps`` are those that are on from the start.
    ``faults`` are in force from the start, each for as long as it says. ``atp_polls_per_minute`` is what ATP allows a
    user, None for no limit.
    """

    users: tuple[User, ...] = ()
    store: str = MEMORY
    auth: bool = True
    keep_alive: float = 15.0
    log_size: int = 10_000
    atp_polls_per_minute: int | None = 60
    traps: frozenset[Trap] = USUAL
    faults: tuple[AnyFault, ...] = ()

    def __post_init__(self) -> None:
        if not self.users and not self.auth:
            object.__setattr__(self, "users", (User(name="default"),))
        _check_users(self.users)
        if not self.keep_alive > 0:
            message = "the keep-alive interval must be more than 0 seconds"
            raise SetupError(message)
        _ = self.store_path

    @property
    def store_path(self) -> str | None:
        """The store's file, or None for memory."""
        if self.store == MEMORY:
            return None
        path = self.store.removeprefix(_FILE_SCHEME)
        if path in {"", self.store}:
            message = f"the store is neither memory nor sqlite:///PATH: {self.store}"
            raise SetupError(message)
        return path


def _check_users(users: tuple[User, ...]) -> None:
    if not users:
        message = "nobody could log in: name a user with a token or a key, or switch authorization off"
        raise SetupError(message)
    for user in users:
        if not _NAME.fullmatch(user.name):
            message = f"a user's name may have letters, digits and _ . - only: {user.name!r}"
            raise SetupError(message)
        if not all(user.tokens) or not all(key and secret for key, secret in user.keys):
            message = f"a credential of user {user.name} is empty"
            raise SetupError(message)
    _check_unique("users", [user.name for user in users])
    _check_unique("tokens", [token for user in users for token in user.tokens])
    _check_unique("API keys", [key for user in users for key, _ in user.keys])


def _check_unique(what: str, values: list[str]) -> None:
    # The value itself stays out of the message: it may be a secret.
    if any(count > 1 for count in Counter(values).values()):
        message = f"two {what} are the same"
        raise SetupError(message)
