"""The thin part: asks what faults there are for a request, and does to its answer what they say."""

from __future__ import annotations

import asyncio
from email.utils import format_datetime
from typing import TYPE_CHECKING

import jwt

from bellwire.reference.context import SKEW
from bellwire.reference.faults_answers import Asked
from bellwire.reference.faults_bytes import Close, Pause, through
from bellwire.reference.log import ENTRY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bellwire.reference.auth import Credentials
    from bellwire.reference.context import Context
    from bellwire.reference.faults_answers import Instead
    from bellwire.reference.faults_bytes import Step
    from bellwire.reference.faults_standing import Spoiling

_STREAM = "text/event-stream"


class _ClosedError(Exception):
    """The answer is over, though the vendor would go on."""


class ApplyFaults:
    """ASGI middleware over the faces; the control API answers as it should. It also dates every answer."""

    def __init__(self, app: ASGIApp, *, context: Context, faces: Collection[str]) -> None:
        self._app = app
        self._context = context
        self._faces = faces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, as well as the faults in force allow."""
        api = scope["path"].split("/")[1] if scope["type"] == "http" else ""
        if api not in self._faces:
            await self._app(scope, receive, _dated(send, self._context) if scope["type"] == "http" else send)
            return
        faults, asked = self._context.faults, _asked(scope, api, self._context)
        faults.watch(asked)
        skew = SKEW.set(faults.skew(asked.api, asked.user))
        try:
            dated = _dated(send, self._context)
            instead = faults.instead(asked, self._context.now())
            if instead is None:
                await _Answer(self._context, asked, dated).run(self._app, scope, receive)
            else:
                _note(scope, asked)
                await _say(instead, dated)
        finally:
            SKEW.reset(skew)


class _Answer:
    """One answer of a face, spoilt on its way to the client."""

    def __init__(self, context: Context, asked: Asked, send: Send) -> None:
        self._faults = context.faults
        self._asked = asked
        self._send = send
        self._spoiling: list[Spoiling] = []
        self._seen = 0  # the newest fault that was asked for
        self._stream = False
        self._began = self._faults.monotonic()
        self._deadlines: list[asyncio.TimerHandle] = []
        self._limit = asyncio.timeout(None)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Let the face answer, as far as it comes."""
        try:
            async with self._limit:
                await app(scope, receive, self._take)
        except TimeoutError:
            if not self._limit.expired():
                raise
            await self._close(Close.END, scope, receive)
        except _ClosedError as closed:
            await self._close(closed.args[0], scope, receive)
        finally:
            for deadline in self._deadlines:
                deadline.cancel()

    async def _close(self, how: Close, scope: Scope, receive: Receive) -> None:
        if how is Close.END:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        self._faults.reset(tuple(scope["client"]))
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        self._look()
        if not self._spoiling:
            await self._send(message)
            return
        chunk, more = message.get("body", b""), message.get("more_body", False)
        steps = [*self._release(), *through([each.tamper for each in self._spoiling], chunk, self._age())]
        await self._perform(steps if more else [*steps, *self._rest()])
        if not more:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, message: Message) -> None:
        content_types = [value for name, value in message["headers"] if name.lower() == b"content-type"]
        self._stream = any(value.startswith(_STREAM.encode()) for value in content_types)
        self._look()
        steps = through([each.tamper for each in self._spoiling], b"", 0.0)
        if Close.RESET in steps:
            raise _ClosedError(Close.RESET)  # not even the head gets through
        await self._send(message)
        await self._perform(steps)

    def _look(self) -> None:
        """Take in the faults that have come since; a stream meets those of its whole life, other answers the first."""
        if self._seen == self._faults.newest or (self._seen and not self._stream):
            return
        fresh = self._faults.spoiling(self._asked, stream=self._stream, after=self._seen)
        self._seen = self._faults.newest
        self._spoiling += fresh
        loop = asyncio.get_running_loop()
        for each in fresh:
            if self._stream and each.tamper.due is not None:
                wait = max(0.0, each.tamper.due - self._age())
                self._deadlines.append(loop.call_later(wait, self._end, each))

    def _end(self, each: Spoiling) -> None:
        if not self._is_over(each):
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _release(self) -> list[Step]:
        """Let go of what the faults that are over held back."""
        over = [each for each in self._spoiling if self._is_over(each) and not each.tamper.lasting]
        self._spoiling = [each for each in self._spoiling if each not in over]
        return [step for each in over for step in each.tamper.rest()]

    def _rest(self) -> Iterable[Step]:
        return [step for each in self._spoiling for step in each.tamper.rest()]

    def _is_over(self, each: Spoiling) -> bool:
        """Return whether a fault is over for what it has begun: how often it may begin plays no part."""
        return each.standing.removed or self._faults.monotonic() >= each.standing.until

    async def _perform(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Pause):
                await self._wait(step.seconds)
            elif isinstance(step, Close):
                raise _ClosedError(step)
            elif step:
                await self._send({"type": "http.response.body", "body": step, "more_body": True})

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._faults.leaving.wait()
        except TimeoutError:
            return
        raise _ClosedError(Close.RESET)

    def _age(self) -> float:
        return self._faults.monotonic() - self._began


def _asked(scope: Scope, api: str, context: Context) -> Asked:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    user = _user(headers, context.credentials) if context.settings.auth else context.settings.users[0].name
    return Asked(api=api, user=user, method=scope["method"], stream=_STREAM in headers.get("accept", ""))


def _user(headers: dict[str, str], credentials: Credentials) -> str | None:
    """Return who says that it is them, wherever vendors let them say it; whether it is true, the face finds out."""
    cookies = dict(each.strip().partition("=")[::2] for each in headers.get("cookie", "").split(";"))
    token = headers.get("authorization", "").partition(" ")[2] or cookies.get("token", "")
    user = credentials.user_of_token(token)
    if user is not None:
        return user
    try:
        return credentials.user_of_key(jwt.get_unverified_header(token).get("kid", ""))
    except jwt.InvalidTokenError:
        return None


def _dated(send: Send, context: Context) -> Send:
    """Put the vendor's time, which may be off, into the head of an answer."""

    async def date(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = format_datetime(context.now(), usegmt=True).encode()
            message = {**message, "headers": [*message["headers"], (b"date", said)]}
        await send(message)

    return date


def _note(scope: Scope, asked: Asked) -> None:
    entry = scope.get(ENTRY)
    if entry is not None:
        entry.user = asked.user


async def _say(instead: Instead, send: Send) -> None:
    headers = [(b"content-type", instead.content_type), (b"content-length", b"%d" % len(instead.body))]
    if instead.retry_after is not None:
        headers.append((b"retry-after", instead.retry_after))
    await send({"type": "http.response.start", "status": instead.status, "headers": headers})
    await send({"type": "http.response.body", "body": instead.body, "more_body": False})
