"""The client of vendors' APIs against a server that misbehaves: nothing unbounded, nothing secret, nothing followed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import traceback
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bellwire.apis.answers import BODY_LIMIT
from bellwire.apis.inbox import HttpInbox
from bellwire.apis.visual_layer import VisualLayer
from bellwire.clock import SystemClock
from bellwire.config.schema import AccountConfig
from bellwire.dialing import Dialer
from bellwire.errors import RateLimitedError, RejectedError, SourceError, StreamRefusedError, UnauthorizedError
from bellwire.http import HttpPool
from bellwire.model import Discard, MarkOutcome
from fakes import FakeClock
from harness import eventually
from vendor_server import VendorServer, body, serving, status, vl_item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bellwire.ports import Clock
    from vendor_server import Answer

    Open = Callable[..., HttpInbox]

pytestmark = pytest.mark.timeout(20)

SECRETS = {"api_key": "the-key", "api_secret": "the-secret-of-at-least-32-characters"}


@pytest.fixture
async def server() -> AsyncIterator[VendorServer]:
    async with serving() as made:
        yield made


@pytest.fixture
async def open_inbox(server: VendorServer) -> AsyncIterator[Open]:
    pool = HttpPool()

    def make(clock: Clock | None = None, **keys: Any) -> HttpInbox:
        account = AccountConfig.model_validate({"name": "a", "api": "visual_layer", "base_url": server.url, **keys})
        return HttpInbox(VisualLayer(account), account, pool, clock or SystemClock())

    yield make
    await pool.close()


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError(request)


async def stream_of(inbox: HttpInbox) -> list[Any]:
    async with inbox.stream(None) as stream:
        return [item async for batch in stream.batches() for item in batch]


def event_stream(raw: bytes) -> Answer:
    return body(raw, "text/event-stream")


# --- what is sent --------------------------------------------------------------------------------------------------


async def test_extra_headers_go_with_every_call(server: VendorServer, open_inbox: Open) -> None:
    inbox = open_inbox(headers={"X-Org-Id": "org_1"})
    server.emit(vl_item("a"))
    await inbox.page()
    await inbox.unread_count()
    await inbox.mark_read(["a"])
    server.scripted.append(event_stream(b""))
    await stream_of(inbox)
    assert [request.headers["X-Org-Id"] for request in server.requests] == ["org_1"] * 4


async def test_each_request_bears_a_token_and_no_content_type_without_a_body(
    server: VendorServer, open_inbox: Open
) -> None:
    server.emit(vl_item("a"))
    await open_inbox(authorization=SECRETS).mark_read(["a"])
    (request,) = server.requests
    assert request.headers["Authorization"].startswith("Bearer ey")
    assert "Content-Type" not in request.headers
    assert server.bodies == [b""]


async def test_marks_wait_while_the_list_is_read_from_page_to_page_but_not_for_ever(
    server: VendorServer, open_inbox: Open
) -> None:
    clock = FakeClock()
    inbox = open_inbox(clock)
    server.emit(vl_item("a"), vl_item("b"))
    with inbox.listing():
        marking = asyncio.create_task(inbox.mark_read(["a"]))
        await inbox.page()
        assert not marking.done()
    assert [result.outcome for result in await marking] == [MarkOutcome.CONFIRMED]
    with inbox.listing():
        marking = asyncio.create_task(inbox.mark_read(["b"]))
        await clock.advance(9.9)
        assert len(server.requests) == 2
        await clock.advance(0.2)
        assert [result.outcome for result in await marking] == [MarkOutcome.CONFIRMED]


async def test_where_list_follows_list_marks_wait_for_half_of_the_time(server: VendorServer, open_inbox: Open) -> None:
    clock = FakeClock()
    inbox = open_inbox(clock)
    server.emit(vl_item("a"), vl_item("b"), vl_item("c"), vl_item("d"))
    with inbox.listing():
        marking = asyncio.create_task(inbox.mark_read(["a"]))
        await clock.advance(8)
    await marking
    with inbox.listing():
        marking = asyncio.create_task(inbox.mark_read(["b"]))
        await clock.advance(1.9)
        assert len(server.requests) == 1
        await clock.advance(0.2)
        await marking
        await clock.advance(9.8)
        await inbox.mark_read(["c"])  # it need not wait
        await clock.advance(0.2)
        marking = asyncio.create_task(inbox.mark_read(["d"]))
        await clock.advance(9.9)
        assert len(server.requests) == 3
        await clock.advance(0.2)
        assert [result.outcome for result in await marking] == [MarkOutcome.CONFIRMED]


async def test_the_stream_says_what_it_wants(server: VendorServer, open_inbox: Open) -> None:
    server.scripted.append(event_stream(b""))
    await stream_of(open_inbox())
    assert server.requests[0].headers["Accept"] == "text/event-stream"
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


async def test_an_id_of_any_characters_stays_one_part_of_the_path(server: VendorServer, open_inbox: Open) -> None:
    server.emit(vl_item("a/../read-all?x=1#y"))
    await open_inbox().mark_read(["a/../read-all?x=1#y"])
    assert server.requests[0].raw_path == "/api/v1/notifications/a%2F..%2Fread-all%3Fx%3D1%23y/read"


# --- what answers mean ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        (400, RejectedError, "http_400"),
        (401, UnauthorizedError, "http_401"),
        (403, UnauthorizedError, "http_403"),
        (404, RejectedError, "http_404"),
        (408, SourceError, "http_408"),
        (422, RejectedError, "http_422"),
        (429, RateLimitedError, "http_429"),
        (500, SourceError, "http_500"),
        (502, SourceError, "http_502"),
        (503, SourceError, "http_503"),
        (302, SourceError, "redirect"),
    ],
)
async def test_each_status_of_the_list_has_its_error(
    server: VendorServer, open_inbox: Open, code: int, error: type[SourceError], reason: str
) -> None:
    server.scripted.append(status(code, Location="/elsewhere"))
    with pytest.raises(SourceError) as caught:
        await open_inbox().page()
    assert type(caught.value) is error
    assert caught.value.reason == reason
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (204, StreamRefusedError),
        (301, StreamRefusedError),
        (400, StreamRefusedError),
        (401, UnauthorizedError),
        (404, StreamRefusedError),
        (405, StreamRefusedError),
        (406, StreamRefusedError),
        (429, RateLimitedError),
        (500, SourceError),
    ],
)
async def test_each_status_of_the_stream_has_its_error(
    server: VendorServer, open_inbox: Open, code: int, error: type[SourceError]
) -> None:
    server.scripted.append(status(code))
    with pytest.raises(SourceError) as caught:
        await stream_of(open_inbox())
    assert type(caught.value) is error


async def test_html_instead_of_events_is_a_refused_stream(server: VendorServer, open_inbox: Open) -> None:
    server.scripted.append(body("<html>data: {}\n\n</html>", "text/html"))
    with pytest.raises(StreamRefusedError) as caught:
        await stream_of(open_inbox())
    assert caught.value.reason == "no_event_stream"


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b"", b"{", b"[1]", b"\xff\xfe"])
async def test_a_list_that_is_no_list_is_an_error(server: VendorServer, open_inbox: Open, content: bytes) -> None:
    server.scripted.append(body(content))
    with pytest.raises(SourceError) as caught:
        await open_inbox().page()
    assert caught.value.reason == "bad_answer"


async def test_one_broken_character_does_not_hide_a_page(server: VendorServer, open_inbox: Open) -> None:
    broken = (
        b'{"notifications": [{"id": "a", "title": "x\\ud800y"}, {"id": "b", "n": NaN}, {"id": "c\xff"}], "total": 3}'
    )
    server.scripted.append(body(broken))
    page = await open_inbox().page()
    assert [item.upstream_id for item in page.items] == ["a", "b", "c\ufffd"]


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("0", 0), ("1.5", 1.5), ("-3", 0)])
async def test_retry_after_in_seconds(
    server: VendorServer, open_inbox: Open, code: int, value: str, seconds: float
) -> None:
    server.scripted.append(status(code, **{"Retry-After": value}))
    with pytest.raises(RateLimitedError) as caught:
        await open_inbox().page()
    assert caught.value.retry_after == seconds


async def test_retry_after_as_a_date_counts_from_the_vendors_own_clock(server: VendorServer, open_inbox: Open) -> None:
    dates = {"Date": "Sun, 06 Nov 1994 08:49:00 GMT", "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}
    server.scripted.append(status(429, **dates))
    with pytest.raises(RateLimitedError) as caught:
        await open_inbox().page()
    assert caught.value.retry_after == 37


@pytest.mark.parametrize("value", ["soon", "", "nan"])
async def test_a_retry_after_that_cannot_be_read_is_none(server: VendorServer, open_inbox: Open, value: str) -> None:
    server.scripted.append(status(429, **{"Retry-After": value}))
    with pytest.raises(RateLimitedError) as caught:
        await open_inbox().page()
    assert caught.value.retry_after is None


@pytest.mark.parametrize("what", ["list", "stream"])
async def test_a_pause_that_is_asked_for_while_a_connection_is_made_holds_the_call_back(
    server: VendorServer, open_inbox: Open, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    clock = FakeClock()
    inbox = open_inbox(clock)
    connecting, paused = asyncio.Event(), asyncio.Event()
    connect = Dialer.connect

    async def connect_late(*args: Any) -> Any:
        connecting.set()
        await paused.wait()
        return await connect(*args)

    server.scripted += [
        status(429, **{"Retry-After": "5"}),
        body('{"notifications": []}') if what == "list" else event_stream(b""),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(Dialer, "connect", connect_late)
        asked = asyncio.create_task(inbox.page() if what == "list" else stream_of(inbox))
        await connecting.wait()
    assert [result.outcome for result in await inbox.mark_read(["a"])] == [MarkOutcome.RETRY]
    paused.set()
    await eventually(lambda: clock.sleeping == [5])
    assert len(server.requests) == 1
    await clock.advance(5)
    await asked
    assert len(server.requests) == 2


# --- marking -------------------------------------------------------------------------------------------------------


async def test_a_portals_page_confirms_no_mark(server: VendorServer, open_inbox: Open) -> None:
    server.emit(vl_item("a"))
    server.scripted.append(body("\n<!doctype html><title>Log in</title>", "text/html"))
    (result,) = await open_inbox().mark_read(["a"])
    assert result.outcome is MarkOutcome.RETRY
    assert "web page" in result.detail
    assert [each["id"] for each in server.unread] == ["a"]


async def test_a_word_that_is_called_a_page_is_none(server: VendorServer, open_inbox: Open) -> None:
    server.scripted.append(body("OK", "text/html"))
    (result,) = await open_inbox().mark_read(["a"])
    assert result.outcome is MarkOutcome.CONFIRMED


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, MarkOutcome.CONFIRMED),
        (204, MarkOutcome.CONFIRMED),
        (302, MarkOutcome.RETRY),
        (400, MarkOutcome.FAILED),
        (401, MarkOutcome.RETRY),
        (409, MarkOutcome.CONFIRMED),
        (422, MarkOutcome.FAILED),
        (429, MarkOutcome.RETRY),
        (500, MarkOutcome.RETRY),
    ],
)
async def test_each_status_of_a_mark_has_its_outcome(
    server: VendorServer, open_inbox: Open, code: int, outcome: MarkOutcome
) -> None:
    server.emit(vl_item("a"))
    server.scripted.append(status(code))
    (result,) = await open_inbox().mark_read(["a"])
    assert result.outcome is outcome
    assert (result.detail == "") == (code in {200, 204})


async def test_a_mark_that_finds_nothing_is_no_mark_while_the_item_is_listed(
    server: VendorServer, open_inbox: Open
) -> None:
    server.emit(*(vl_item(f"n{number}") for number in range(150)))
    server.always["read"] = status(404)
    listed, gone = await open_inbox().mark_read(["n0", "gone"])
    assert (listed.outcome, gone.outcome) == (MarkOutcome.FAILED, MarkOutcome.CONFIRMED)


async def test_after_refused_credentials_no_further_mark_is_sent(server: VendorServer, open_inbox: Open) -> None:
    server.always["read"] = status(401)
    results = await open_inbox().mark_read([f"n{number}" for number in range(50)])
    assert {result.outcome for result in results} == {MarkOutcome.RETRY}
    assert len(server.requests) <= 8


async def test_no_more_than_eight_marks_are_made_at_once(server: VendorServer, open_inbox: Open) -> None:
    now = most = 0
    eight = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 8:
            eight.set()
        await eight.wait()
        now -= 1
        return web.json_response({"id": request.path})

    server.always["read"] = slowly
    await open_inbox().mark_read([f"n{number}" for number in range(40)])
    assert most == 8


# --- bounds --------------------------------------------------------------------------------------------------------


async def test_an_answer_that_does_not_come_is_a_time_out(server: VendorServer, open_inbox: Open) -> None:
    server.always["notifications"] = never
    with pytest.raises(SourceError) as caught:
        await open_inbox(http_config={"timeout": "50ms"}).page()
    assert caught.value.reason == "timeout"


async def test_an_answer_that_has_no_end_is_given_up(server: VendorServer, open_inbox: Open) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(BODY_LIMIT // 2**20 * 2):
                await response.write(b" " * 2**20)
        return response

    server.always["notifications"] = endless
    with pytest.raises(SourceError) as caught:
        await open_inbox().page()
    assert caught.value.reason == "oversized_answer"


async def test_a_stream_without_bytes_is_stalled(server: VendorServer, open_inbox: Open) -> None:
    server.emit(vl_item("a"))
    with pytest.raises(SourceError) as caught:
        await stream_of(open_inbox(stream={"stall_timeout": "100ms"}))
    assert caught.value.reason == "stalled"


async def test_streams_that_do_not_come_to_be_opened_keep_no_list_waiting(
    server: VendorServer, open_inbox: Open
) -> None:
    server.emit(vl_item("a"))
    server.always["stream"] = never
    inbox = open_inbox()
    opening = [asyncio.create_task(stream_of(inbox)) for _ in range(100)]
    try:
        while len(server.requests) < 64:  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0)
        assert len((await inbox.page()).items) == 1
    finally:
        for each in opening:
            each.cancel()
        await asyncio.wait(opening)


async def test_a_stream_that_breaks_off_is_an_error(server: VendorServer, open_inbox: Open) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"id": "a"}\n\ndata: {"id"')
        assert request.transport is not None
        request.transport.abort()
        return response

    server.scripted.append(half)
    with pytest.raises(SourceError) as caught:
        await stream_of(open_inbox())
    assert caught.value.reason == "connection"


async def test_bad_events_harm_no_other(server: VendorServer, open_inbox: Open) -> None:
    raw = (
        b'data: {"id": "a"}\n\n'
        b"data: {broken\n\n"
        b"data: "
        + b"x" * 1_100_000
        + b"\n\n"
        + b"data: {}\n\n"
        + b'data:\n\nevent: odd\ndata: {"id": 2, "metadata": 7}\n\n'
        + b'data: {"id": "half'
    )
    server.scripted.append(event_stream(raw))
    found = await stream_of(open_inbox())
    assert [item.reason if isinstance(item, Discard) else item.upstream_id for item in found] == [
        "a",
        "broken_json",
        "oversized",
        "no_id",
        "2",
    ]


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_bytes_may_be_split_anywhere(server: VendorServer, open_inbox: Open, size: int) -> None:
    async def split(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        raw = 'data: {"id": "ä🔔"}\r\n\r\n'.encode() * 5
        for start in range(0, len(raw), size):
            await response.write(raw[start : start + size])
        return response

    server.scripted.append(split)
    assert [item.upstream_id for item in await stream_of(open_inbox())] == ["ä🔔"] * 5


async def test_a_cancelled_call_leaves_the_client_usable(server: VendorServer, open_inbox: Open) -> None:
    inbox = open_inbox()
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await never(request)

    server.scripted.append(silent)
    call = asyncio.ensure_future(inbox.page())
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await inbox.page()).items == ()


# --- ways there ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 503])
async def test_nothing_of_what_a_vendor_says_is_told_of_a_refusal(
    server: VendorServer, open_inbox: Open, code: int
) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        words = " ".join(re.split("[ ;=]", " ".join(request.headers.values())))
        return web.json_response({"detail": words, "error": {"code": words}}, status=code)

    told = []
    for ask in (HttpInbox.page, stream_of):
        inbox = open_inbox(headers={"Authorization": "Bearer SECRET-bearer", "Cookie": "sid=SECRET-cookie"})
        server.scripted.append(echo)
        with pytest.raises(SourceError) as caught:
            await ask(inbox)
        told += [repr(caught.value), caught.value.reason]
    assert [request.headers["Cookie"] for request in server.requests] == ["sid=SECRET-cookie"] * 2
    assert "SECRET" not in " ".join(told)


async def test_nobody_there_is_an_error_that_names_no_secret(open_inbox: Open) -> None:
    inbox = open_inbox(
        base_url="http://127.0.0.1:1/?token=hidden",
        headers={"X-Token": "hidden"},
        authorization=SECRETS,
        http_config={"proxy_url": "http://user:hidden@127.0.0.1:1"},
    )
    for call in (inbox.page, lambda: stream_of(inbox)):
        with pytest.raises(SourceError) as caught:
            await call()
        told = "".join(traceback.format_exception(caught.value))
        assert caught.value.reason in {"connect", "proxy"}
        assert not [secret for secret in ("hidden", *SECRETS.values()) if secret in told]


async def test_an_address_that_is_none_is_an_error(open_inbox: Open) -> None:
    with pytest.raises(SourceError):
        await open_inbox(base_url="not an address").page()


async def test_calls_go_through_the_proxy(server: VendorServer, open_inbox: Open) -> None:
    server.emit(vl_item("a"))
    inbox = open_inbox(base_url="http://vendor.invalid/base", http_config={"proxy_url": server.url})
    server.scripted.append(body('{"notifications": [{"id": "proxied"}]}'))
    assert [item.upstream_id for item in (await inbox.page()).items] == ["proxied"]
    assert server.requests[0].headers["Host"] == "vendor.invalid"


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Make a server's certificate, signed by itself, so that it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, str(file)


async def test_a_vendor_with_an_authority_of_its_own_is_reached_only_with_its_file(
    tmp_path: Path, open_inbox: Open
) -> None:
    context, ca_file = certificate(tmp_path)
    async with serving(context) as secure:
        with pytest.raises(SourceError) as caught:
            await open_inbox(base_url=secure.url).page()
        assert caught.value.reason == "tls"
        trusting = open_inbox(base_url=secure.url, http_config={"tls_config": {"ca_file": ca_file}})
        assert (await trusting.page()).items == ()
