"""What a vendor's face is, and what all of them work with."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bellwire.reference.auth import Credentials
from bellwire.reference.faults_standing import Faults
from bellwire.reference.log import ENTRY, RequestLog
from bellwire.reference.rates import Rates
from bellwire.reference.store import Store
from bellwire.reference.streams import Streams
from bellwire.reference.traps import Traps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import APIRouter
    from starlette.requests import HTTPConnection

    from bellwire.model import Json
    from bellwire.reference.settings import ReferenceSettings
    from bellwire.reference.store import NewItem, StoredItem


SKEW: Final[ContextVar[timedelta]] = ContextVar("skew", default=timedelta())
"""How fast the vendor's clock is for the request that is being answered."""


def _wall() -> datetime:
    return datetime.now(UTC) + SKEW.get()


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One running server. ``now`` is the time that items and read marks are given, aware and in UTC."""

    settings: ReferenceSettings
    store: Store
    streams: Streams
    log: RequestLog
    credentials: Credentials
    traps: Traps
    faults: Faults
    rates: Rates = field(default_factory=Rates)
    now: Callable[[], datetime] = field(default=_wall)

    @classmethod
    def build(cls, settings: ReferenceSettings) -> Context:
        """Open the store and all that goes with it."""
        faults = Faults(settings.faults)
        return cls(
            settings=settings,
            store=Store(settings.store_path, faults),
            faults=faults,
            streams=Streams(),
            log=RequestLog(settings.log_size),
            credentials=Credentials(settings.users),
            traps=Traps(settings.traps),
        )


def context_of(connection: HTTPConnection) -> Context:
    """Return the server that a request or a socket came to."""
    context: Context = connection.app.state.context
    return context


def note_user(connection: HTTPConnection, user: str) -> None:
    """Tell the request log whose request this is."""
    entry = connection.scope.get(ENTRY)
    if entry is not None:
        entry.user = user


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """For whom and when an item is made; ``number`` counts the items of the server and tells them apart."""

    user: str
    number: int
    now: datetime


class Face(Protocol):
    """One vendor's side of the server: the file that speaks its API.

    The router holds the vendor's own paths and answers errors in the vendor's own form (a router's ``route_class`` is
    the place for those that are not FastAPI's). The server puts it under ``/NAME``.
    """

    @property
    def router(self) -> APIRouter:
        """The vendor's API."""
        ...

    def complete(self, given: Mapping[str, Json], occasion: Occasion) -> dict[str, Json]:
        """Return a whole item of the vendor's, with what ``given`` says and something plausible for the rest."""
        ...

    def pack(self, item: Mapping[str, Json], now: datetime) -> NewItem:
        """Return an item in the store's form, whatever it lacks; ``now`` stands in for a time that cannot be read."""
        ...

    def unpack(self, item: StoredItem) -> bytes:
        """Return the vendor's JSON of an item as it stands, read state and all."""
        ...
