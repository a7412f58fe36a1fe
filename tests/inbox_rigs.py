"""Every API's vendor and an account's inbox there: what the contract of inboxes is held against."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.config.schema import AccountConfig
from bellwire.errors import RateLimitedError, SourceError, StreamRefusedError, UnauthorizedError
from bellwire.http import HttpPool
from bellwire.model import Discard
from bellwire.reference.serve import serving as serving_reference
from bellwire.reference.settings import ReferenceSettings, User
from fake_inbox import FakeInbox, item
from front_door import front_door
from renamed import renamed
from vendor_server import VendorServer, serving, status, vl_item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from bellwire.ports import Inbox
    from bellwire.reference.serve import ReferenceServer
    from fakes import FakeClock
    from front_door import FrontDoor


class Vendor(Protocol):
    """A vendor and an account's inbox there. Ids are emitted in order; the list has the newest first."""

    @property
    def inbox(self) -> Inbox: ...
    def emit(self, *upstream_ids: str) -> None: ...
    def discard(self) -> None: ...
    def keep_alive(self) -> None: ...
    def close_streams(self) -> None: ...
    def refuse(self, code: int, retry_after: int | None = None) -> None: ...
    def refuse_streams(self) -> None: ...
    def accept(self) -> None: ...
    @property
    def calls(self) -> int: ...
    @property
    def unread(self) -> list[str]: ...


class Fake:
    def __init__(self, clock: FakeClock) -> None:
        self.inbox = FakeInbox(clock, page_size=100)

    def emit(self, *upstream_ids: str) -> None:
        self.inbox.emit(*(item(each) for each in upstream_ids))

    def discard(self) -> None:
        for stream in self.inbox.streams:
            stream.put([Discard(reason="broken_json")])

    def keep_alive(self) -> None:
        for stream in self.inbox.streams:
            stream.put([])

    def close_streams(self) -> None:
        for stream in self.inbox.streams:
            stream.put(None)

    def refuse(self, code: int, retry_after: int | None = None) -> None:
        errors: dict[int, SourceError] = {
            401: UnauthorizedError("no", reason="http_401"),
            429: RateLimitedError("slower", reason="http_429", retry_after=retry_after),
            500: SourceError("broken", reason="http_500"),
        }
        self.inbox.list_error = self.inbox.stream_error = errors[code]

    def refuse_streams(self) -> None:
        self.inbox.stream_error = StreamRefusedError("no stream", reason="http_404")

    def accept(self) -> None:
        self.inbox.list_error = self.inbox.stream_error = None

    @property
    def calls(self) -> int:
        return len(self.inbox.calls)

    @property
    def unread(self) -> list[str]:
        return [each.upstream_id for each in self.inbox.unread]


class VisualLayerVendor:
    def __init__(self, server: VendorServer, inbox: HttpInbox) -> None:
        self.inbox = inbox
        self._server = server

    def emit(self, *upstream_ids: str) -> None:
        self._server.emit(*(vl_item(each) for each in upstream_ids))

    def discard(self) -> None:
        self._server.send(b"data: {broken\n\n")

    def keep_alive(self) -> None:
        self._server.send(b"data:\n\n")

    def close_streams(self) -> None:
        self._server.send(None)

    def refuse(self, code: int, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._server.always = dict.fromkeys(
            ["notifications", "unread-count", "stream", "read"], status(code, **headers)
        )

    def refuse_streams(self) -> None:
        self._server.always = {"stream": status(404)}

    def accept(self) -> None:
        self._server.always = {}

    @property
    def calls(self) -> int:
        return len(self._server.requests)

    @property
    def unread(self) -> list[str]:
        return [each["id"] for each in self._server.unread]


@asynccontextmanager
async def visual_layer(clock: FakeClock) -> AsyncIterator[Vendor]:
    pool = HttpPool()
    async with serving() as server:
        account = AccountConfig(name="a", api="visual_layer", base_url=server.url)
        try:
            yield VisualLayerVendor(server, HttpInbox(APIS["visual_layer"](account), account, pool, clock))
        finally:
            await pool.close()


@asynccontextmanager
async def fake(clock: FakeClock) -> AsyncIterator[Vendor]:
    yield Fake(clock)


class ReferenceVendor:
    """One face of the reference server, behind a door that can refuse."""

    def __init__(self, face: Face, server: ReferenceServer, door: FrontDoor, inbox: HttpInbox) -> None:
        self.inbox = inbox
        self._face = face
        self._server = server
        self._door = door

    def emit(self, *upstream_ids: str) -> None:
        self._server.emit(self._face.api, "ann", [self._face.item(each) for each in upstream_ids])

    def discard(self) -> None:
        self._door.send(b"event: %b\ndata: {broken\n\n" % self._face.event)

    def keep_alive(self) -> None:
        self._door.send(self._face.keep_alive)

    def close_streams(self) -> None:
        self._server.streams.close()

    def refuse(self, code: int, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._door.answer = status(code, **headers)

    def refuse_streams(self) -> None:
        self._door.stream_answer = status(404)

    def accept(self) -> None:
        self._door.answer = self._door.stream_answer = None

    @property
    def calls(self) -> int:
        return len(self._door.requests)

    @property
    def unread(self) -> list[str]:
        return [each.id for each in self._server.items(self._face.api, "ann") if each.read_at is None]


class Face(NamedTuple):
    """What is special about one face: an item with an id, the events of its stream, and what the account says to it."""

    api: str
    item: Callable[[str], dict[str, Any]]
    event: bytes = b"message"
    keep_alive: bytes = b": there\n\n"
    params: tuple[tuple[str, str], ...] = ()


def reference(face: Face) -> Callable[[FakeClock], AbstractAsyncContextManager[Vendor]]:
    @asynccontextmanager
    async def opened(clock: FakeClock) -> AsyncIterator[Vendor]:
        settings = ReferenceSettings(users=(User(name="ann", tokens=("ann-token",)),))
        pool = HttpPool()
        async with serving_reference(settings) as server, front_door(server.base_url(face.api)) as door:
            account = AccountConfig.model_validate(
                {
                    "name": "a",
                    "api": face.api,
                    "base_url": door.url,
                    "authorization": {"credentials": "ann-token"},
                    "params": dict(face.params),
                }
            )
            try:
                yield ReferenceVendor(face, server, door, HttpInbox(APIS[face.api](account), account, pool, clock))
            finally:
                await pool.close()

    return opened


class Row(NamedTuple):
    """How to open a vendor, whether it streams, and whether it has a call for one notification."""

    opened: Callable[[FakeClock], AbstractAsyncContextManager[Vendor]]
    streams: bool
    tells_one: bool = True


ATP = Face("atp", lambda each: {"id": each}, b"notification", b"event: ping\ndata: {}\n\n")

VENDORS = {
    "fake": Row(fake, streams=True),
    "visual_layer": Row(visual_layer, streams=True, tells_one=False),
    "elan": Row(reference(Face("elan", lambda each: {"notification_id": each})), streams=False),
    "atp": Row(reference(ATP), streams=True),
    "atp in bulk": Row(reference(ATP._replace(params=(("bulk_acknowledge", "true"),))), streams=True),
    "qualytics": Row(
        renamed(reference(Face("qualytics", lambda each: {"id": int(each)})), lambda number: str(42 + number)),
        streams=False,
    ),
    "owlmetry": Row(
        renamed(reference(Face("owlmetry", lambda each: {"id": each})), lambda number: str(UUID(int=number))),
        streams=False,
        tells_one=False,
    ),
}
"""A row for each API and each way to speak it, and one for the stand-in that other tests use."""
