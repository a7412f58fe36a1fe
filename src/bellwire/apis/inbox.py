"""The one client of all vendors' APIs: makes a dialect's calls over HTTP, and waits where the vendor wants it to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from yarl import URL

from bellwire.apis.answers import read_body, read_json, refusal, translated, web_page
from bellwire.apis.gate import Gate
from bellwire.apis.marking import GONE, Marking
from bellwire.apis.precedence import Precedence
from bellwire.apis.ration import Rations
from bellwire.apis.reading import lenient
from bellwire.apis.short_way import ShortWay
from bellwire.apis.streaming import HEADERS, HttpStream, Opening, open_directly, open_over_session
from bellwire.errors import RejectedError, StreamRefusedError, UnauthorizedError
from bellwire.wire import HeldError, address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import aiohttp

    from bellwire.apis.dialect import Call, Dialect
    from bellwire.apis.ration import Ration
    from bellwire.apis.streaming import Bytes
    from bellwire.config.schema import AccountConfig
    from bellwire.http import HttpPool
    from bellwire.model import MarkResult, Page
    from bellwire.ports import Clock
    from bellwire.wire import Wire

_PACKED = {"Accept-Encoding": "gzip, deflate"}
_PLACE_UNKNOWN = frozenset({"http_400", "http_410", "http_412", "http_422", "http_431"})  # it may be the last id


class HttpInbox:
    """`bellwire.ports.Inbox` over HTTP. Answers are bounded in time and size; redirects are never followed.

    ``rations`` are shared by the inboxes of a process; without them this one has its own.
    """

    __slots__ = (
        "_account",
        "_clock",
        "_dialect",
        "_gate",
        "_http",
        "_precedence",
        "_ration",
        "_refused",
        "_short_way",
        "_stall_timeout",
        "_stream_turns",
        "_timeout",
        "_turns",
        "unread",
    )

    def __init__(
        self,
        dialect: Dialect,
        account: AccountConfig,
        http: HttpPool,
        clock: Clock,
        rations: Rations | None = None,
    ) -> None:
        self._dialect = dialect
        self._account = account
        self._http = http
        self._clock = clock
        shared = rations or Rations(clock)
        self._gate = Gate(clock, shared.pause_of(account))
        self._ration = shared.of(account, dialect.POLLS_PER_MINUTE)
        self._refused: Callable[[], None] = self._gate.admitted  # nobody, yet
        self._precedence = Precedence(clock)
        self.unread: int | None = None
        """How many the vendor last said are unread; None if it never did."""
        self._timeout = account.http_config.timeout.total_seconds()
        self._short_way = ShortWay(account.base_url, self._timeout)
        self._turns = http.turns(account.base_url)
        self._stream_turns = http.turns(account.base_url, "stream")
        self._stall_timeout = account.stream.stall_timeout.total_seconds()

    @property
    def hindrance(self) -> str | None:
        """Why the vendor lets no calls be made now."""
        return self._gate.hindrance

    async def ready(self) -> None:
        """Wait until the vendor lets calls be made."""
        await self._gate.open()

    def line_up(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` once the list may be read: not everybody's at once."""
        self._turns.line_up(begin)

    async def page(self, cursor: str | None = None) -> Page:
        """Fetch a page of unread notifications."""
        call = self._dialect.list_page(cursor)
        page = self._dialect.read_page(cursor, read_json(call, await self._ask(call, self._ration)))
        if page.total is not None:
            self.unread = page.total
        return page

    async def unread_count(self) -> int | None:
        """Ask for the number of unread notifications."""
        call = self._dialect.count()
        if call is None:
            return None
        self.unread = self._dialect.read_count(read_json(call, await self._ask(call, self._ration)))
        return self.unread

    def listing(self) -> AbstractContextManager[None]:
        """Let read marks wait while this is entered, for a while: they would move the rows from page to page."""
        return self._precedence.listing()

    async def listable(self) -> int | None:
        """Ask for the number of unread notifications, if it counts what the list names."""
        return await self.unread_count() if self._dialect.counts_what_it_lists() else None

    async def is_unread(self, upstream_id: str) -> bool | None:
        """Ask for one notification; what the vendor does not know, or not any more, is not unread."""
        call = self._dialect.one(upstream_id)
        if call is None:
            return None
        try:
            answer = read_json(call, await self._ask(call, self._ration))
        except RejectedError as error:
            if error.status in GONE:
                return False
            raise
        return self._dialect.read_one(answer)

    def stream(self, last_event_id: str | None) -> Opening:
        """Open the stream; it is closed on the way out."""
        return Opening(partial(self._stream, last_event_id))

    async def _stream(self, last_event_id: str | None) -> HttpStream:
        call = self._dialect.stream(last_event_id)
        if call is None:
            message = "this API has no stream"
            raise StreamRefusedError(message, reason="no_stream")
        while True:
            with suppress(HeldError):
                async with self._gate.passage(turn=self._stream_turns):
                    opened = await self._resume(call, self._dialect.stream(None))
                return HttpStream(call, opened, self._dialect, last_event_id)

    async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        """Mark these as read, several calls at a time; after a refusal of the account the rest is left for later."""
        await self._precedence.marking()
        results = await Marking(self._dialect, self._ask, self.page).run(upstream_ids)
        if self._gate.refuses:
            self._refused()
        return results

    def on_refusal(self, refused: Callable[[], None], admitted: Callable[[], None]) -> None:
        """Tell of refusals that read marks meet, and of their end."""
        self._refused, self._gate.admitted = refused, admitted

    async def _ask(self, call: Call, ration: Ration | None = None) -> bytes:
        while True:
            with suppress(HeldError):  # a pause was asked for while a connection was made: it begins again at the gate
                return await self._ask_once(call, ration)

    async def _ask_once(self, call: Call, ration: Ration | None) -> bytes:
        async with self._gate.passage(ration, self._turns if call.method == "GET" else None):
            with translated(call):
                status, headers, body = await self._answer(call)
            error = refusal(call, status, headers, self._clock.wall()) or web_page(call, headers, body)
            if isinstance(error, UnauthorizedError) and not self._dialect.refuses_account(status, lenient(body)):
                error = RejectedError(str(error), reason=error.reason, status=status)
            if error is not None:
                raise error
            return body

    async def _answer(self, call: Call) -> tuple[int, Mapping[str, str], bytes]:
        wire = self._http.wire(self._account.http_config)
        return await (self._over_session(call) if wire is None else self._over_wire(wire, call))

    async def _over_wire(self, wire: Wire, call: Call) -> tuple[int, Mapping[str, str], bytes]:
        return await self._short_way.ask(
            wire,
            call,
            _with_query(call),
            self._headers(call, _PACKED if call.method == "GET" else {}),
            self._gate.is_closed,
        )

    async def _over_session(self, call: Call) -> tuple[int, Mapping[str, str], bytes]:
        async with asyncio.timeout(self._timeout), self._request(call) as response:
            return response.status, response.headers, await read_body(call, response)

    async def _resume(self, call: Call, anew: Call | None) -> Bytes:
        """Open the stream where it was left, or anew where the vendor does not know that place any more."""
        try:
            return await self._open(call)
        except StreamRefusedError as error:
            if anew is None or anew == call or error.reason not in _PLACE_UNKNOWN:
                raise
        return await self._open(anew)

    async def _open(self, call: Call) -> Bytes:
        url, headers, wall = self._url(call), self._headers(call, HEADERS), self._clock.wall()
        wire = self._http.wire(self._account.http_config)
        with translated(call):
            async with asyncio.timeout(self._timeout):
                if wire is None:
                    session = self._http.session(self._account.http_config)
                    return await open_over_session(session, call, url, headers, self._stall_timeout, wall)
                address, listener = address_of(url, encoded=True), self._http.listener(wire)
                listening = await listener.listen(address.origin, self._timeout, self._stall_timeout)
                if self._gate.is_closed():
                    listening.close()
                    raise HeldError
                return await open_directly(listening, call, address, headers, wall)

    def _url(self, call: Call) -> str:
        return self._account.base_url.rstrip("/") + _with_query(call)

    def _request(self, call: Call) -> aiohttp.client._RequestContextManager:
        options: dict[str, Any] = {}
        if call.body is not None:
            options["data"] = orjson.dumps(call.body)
        else:
            options["skip_auto_headers"] = ("Content-Type",)
        return self._http.session(self._account.http_config).request(
            call.method,
            URL(self._url(call), encoded=True),
            headers=self._headers(call, {}),
            allow_redirects=False,
            **options,
        )

    def _headers(self, call: Call, more: Mapping[str, str]) -> dict[str, str]:
        own = {name: value.get_secret_value() for name, value in self._account.headers.items()}
        every = {"Accept": "application/json", **more, **own, **dict(call.headers)}
        if call.body is not None:
            every["Content-Type"] = "application/json"
        return every | dict(self._dialect.headers(self._clock.wall()))


def _with_query(call: Call) -> str:
    return f"{call.path}?{urlencode(call.query)}" if call.query else call.path
