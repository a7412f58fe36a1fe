from __future__ import annotations

import asyncio
import dataclasses
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from standardwebhooks import Webhook

from bellwire.demo.receivers import Reply, WebhookReceiver
from bellwire.errors import BellwireError, Verdict
from bellwire.model import DeliveryKind
from channel_rigs import DELIVERY, a_channel, a_message, a_server, an_alert, envelope, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OLD, NEW = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0", "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0"


@pytest.fixture
async def hook() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def test_the_body_is_the_contracts_key_for_key(hook: WebhookReceiver) -> None:
    at = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    message = a_message(
        an_alert(created_at=at), an_alert(created_at=at + timedelta(milliseconds=250)), kind=DeliveryKind.GROUP
    )
    async with a_channel("webhook", url=hook.url) as channel:
        await channel.send(envelope(channel, message))

    body = hook.messages[0].json
    assert list(body) == [
        *("version", "delivery_id", "kind", "receiver", "group_key", "group_labels", "part", "parts", "origin"),
        *("suppressed", "alerts"),
    ]
    assert list(body["alerts"][0]) == [
        *("id", "account", "api", "upstream_id", "type", "severity", "title", "message", "url", "created_at"),
        *("labels", "payload"),
    ]
    assert [alert["created_at"] for alert in body["alerts"]] == ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.250000Z"]
    assert (body["kind"], body["origin"], body["suppressed"]) == ("group", None, 0)


async def test_a_large_alert_arrives_whole(hook: WebhookReceiver) -> None:
    text = "x" * 5_000_000
    async with a_channel("webhook", url=hook.url) as channel:
        await channel.send(envelope(channel, a_message(an_alert(message=text))))

    assert hook.messages[0].json["alerts"][0]["message"] == text


async def test_every_attempt_is_signed_by_every_secret(hook: WebhookReceiver) -> None:
    async with a_channel("webhook", url=hook.url, signing_secrets=[NEW, OLD]) as channel:
        await channel.send(envelope(channel, attempt=3))

    request = hook.messages[0]
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.body, dict(request.headers)) == orjson.loads(request.body)
    assert request.headers["webhook-id"] == DELIVERY
    assert request.headers["bellwire-attempt"] == "3"
    assert request.headers["Content-Type"] == "application/json"


async def test_a_receiver_that_checks_takes_the_right_secret_only() -> None:
    async with WebhookReceiver(secrets=[NEW]) as hook:
        async with a_channel("webhook", url=hook.url, signing_secret=NEW) as channel:
            await channel.send(envelope(channel))
        async with a_channel("webhook", url=hook.url, signing_secret=OLD) as channel:
            error = await failure_of(channel, envelope(channel))

    assert [request.verified for request in hook.messages] == [True, False]
    assert error.verdict is Verdict.CHANNEL_FAULT


async def test_the_address_is_asked_for_as_it_is_written(hook: WebhookReceiver) -> None:
    address = "/hook/%7Ea?sig=a%2Bb%2F%3D&y=%27%3B%40"
    async with a_channel("webhook", url=f"http://127.0.0.1:{hook.port}{address}") as channel:
        await channel.send(envelope(channel))
    async with a_channel("webhook", url=f"http://127.0.0.1:{hook.port}/hook/ä b") as channel:
        await channel.send(envelope(channel))
    assert [message.path for message in hook.messages] == [address, "/hook/%C3%A4%20b"]


async def test_custom_headers_and_the_method_are_used(hook: WebhookReceiver) -> None:
    async with a_channel("webhook", url=hook.url, method="PUT", headers={"X-Team": "vision"}) as channel:
        await channel.send(envelope(channel))

    assert hook.messages[0].method == "PUT"
    assert hook.messages[0].headers["X-Team"] == "vision"


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"Webhook-Id": "forged"}},
        {"headers": {"webhook-SIGNATURE": "v1,forged"}},
        {"headers": {"Content-Length": "0"}},
        {"headers": {"X-Bad": "a\r\nX-Other: MARKED"}},
        {"headers": {"X Bad": "MARKED"}},
        {"signing_secret": "MARKED not base64!"},
        {"signing_secret": "whsec_"},
        {"signing_secret": ""},
        {"signing_secrets": [""]},
    ],
)
async def test_settings_that_cannot_be_used_are_refused_without_telling_secrets(settings: dict[str, object]) -> None:
    with pytest.raises(BellwireError) as caught:
        async with a_channel("webhook", url="http://127.0.0.1:1/", **settings):
            pass
    assert "MARKED" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(hook: WebhookReceiver, status: int) -> None:
    async with WebhookReceiver() as elsewhere, a_channel("webhook", url=hook.url) as channel:
        hook.answer(Reply(status=status, headers={"Location": elsewhere.url}))

        error = await failure_of(channel, envelope(channel))

        assert (error.verdict, error.reason) == (Verdict.CHANNEL_FAULT, f"http_{status}")
        assert not elsewhere.messages


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_success_is_sent(hook: WebhookReceiver, status: int) -> None:
    hook.answer(status)
    async with a_channel("webhook", url=hook.url) as channel:
        assert (await channel.send(envelope(channel))).detail == f"HTTP {status}"


async def test_retry_after_is_handed_on(hook: WebhookReceiver) -> None:
    hook.answer(Reply(status=503, headers={"Retry-After": "17"}))
    async with a_channel("webhook", url=hook.url) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason, error.retry_after) == (Verdict.RETRY, "http_503", 17.0)


async def test_what_the_receiver_says_is_told_with_our_secrets_blotted_out(hook: WebhookReceiver) -> None:
    said = b"<p>no route</p> /hook/s3cret-path with key K-s3cret-key\x1b[2J" + b"!" * 100_000
    hook.answer(Reply(status=400, body=said))
    async with a_channel("webhook", url=f"{hook.url}/s3cret-path", headers={"X-Key": "K-s3cret-key"}) as channel:
        error = await failure_of(channel, envelope(channel))

    assert error.verdict is Verdict.MESSAGE_FAULT
    assert str(error).startswith("HTTP 400: <p>no route</p> ********** with key **********[2J!!!")
    assert len(str(error)) < 250


async def test_what_the_receiver_says_of_no_secret_of_ours_is_told_as_it_is(hook: WebhookReceiver) -> None:
    hook.answer(Reply(status=415, body=b"application/json is not supported: 1 bad message, a pity"))
    async with a_channel("webhook", url=hook.url, headers={"X-V": "1", "X-E": "a"}) as channel:
        error = await failure_of(channel, envelope(channel))

    assert str(error) == "HTTP 415: application/json is not supported: 1 bad message, a pity"


async def test_pieces_of_headers_and_of_the_proxys_login_are_blotted_out() -> None:
    login = b64encode(b"puser:PLANTED-proxy").decode()
    said = f"token SECRET-bearer is revoked; sid SECRET-cookie ended; {login} is PLANTED-proxy"
    settings = {
        "url": "http://receiver.invalid/hook",
        "headers": {"Authorization": "Bearer SECRET-bearer", "Cookie": "sid=SECRET-cookie; a=b"},
    }
    async with WebhookReceiver() as proxy:
        proxy.answer(Reply(status=401, body=said.encode()))
        http = {"proxy_url": f"http://puser:PLANTED-proxy@127.0.0.1:{proxy.port}"}
        async with a_channel("webhook", **settings, http_config=http) as channel:
            error = await failure_of(channel, envelope(channel))

    hidden = "*" * 10
    assert str(error) == f"HTTP 401: token {hidden} is revoked; sid {hidden} ended; {hidden} is {hidden}"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n", b"", b"Transfer-Encoding: chunked\r\n"], ids=["length", "none", "chunks"]
)
@pytest.mark.parametrize("proxied", [False, True])
async def test_of_an_answer_that_breaks_off_within_a_secret_its_beginning_is_not_told(
    framing: bytes, *, proxied: bool
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nConnection: close\r\n" + framing + b"\r\n")
        for piece in (b"no hook ", b"/hook/SECRETTO"):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if b"chunked" in framing else piece)
            await writer.drain()

    async with a_server(serve) as port:
        proxy = {"http_config": {"proxy_url": f"http://127.0.0.1:{port}"}} if proxied else {}
        address = "receiver.invalid" if proxied else f"127.0.0.1:{port}"
        async with a_channel("webhook", url=f"http://{address}/hook/SECRETTOKEN-0123456789", **proxy) as channel:
            error = await failure_of(channel, envelope(channel))
    assert str(error) in {"HTTP 500: no hook", "HTTP 500: no hook /hook", "HTTP 500"}


async def test_half_an_answer_after_a_success_is_a_success() -> None:
    """The status has been given: whatever becomes of the rest, it was taken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    async with a_server(serve) as port, a_channel("webhook", url=f"http://127.0.0.1:{port}/") as channel:
        assert (await channel.send(envelope(channel))).detail == "HTTP 200"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_broken_answer_leaves_the_delivery_in_doubt(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with a_server(serve) as port, a_channel("webhook", url=f"http://127.0.0.1:{port}/") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "connection_lost")


@pytest.mark.parametrize(
    ("url", "verdict", "reason"),
    [
        ("http://nobody.invalid/x", Verdict.RETRY, "dns_error"),
        ("http://127.0.0.1:1/x", Verdict.RETRY, "connect_error"),
        ("nonsense", Verdict.CHANNEL_FAULT, "invalid_url"),
        ("ftp://127.0.0.1/x", Verdict.CHANNEL_FAULT, "invalid_url"),
    ],
)
async def test_an_address_that_leads_nowhere_has_a_reason(url: str, verdict: Verdict, reason: str) -> None:
    async with a_channel("webhook", url=url) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (verdict, reason)


async def test_a_proxy_that_is_not_there_is_tried_again(hook: WebhookReceiver) -> None:
    async with a_channel("webhook", url=hook.url, http_config={"proxy_url": "http://u:pw@127.0.0.1:1"}) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.RETRY, "proxy_error")
    assert not hook.messages


async def test_requests_go_through_the_proxy() -> None:
    async with WebhookReceiver() as proxy:
        settings = {
            "url": "http://receiver.invalid/hook",
            "http_config": {"proxy_url": f"http://127.0.0.1:{proxy.port}"},
        }
        async with a_channel("webhook", **settings) as channel:
            await channel.send(envelope(channel))

    assert proxy.messages[0].headers["Host"] == "receiver.invalid"


async def test_a_hundred_at_once_all_arrive(hook: WebhookReceiver) -> None:
    async with a_channel("webhook", url=hook.url) as channel:
        first = envelope(channel)
        sent = [dataclasses.replace(first, delivery_id=f"01J{n:023d}") for n in range(100)]

        await asyncio.gather(*(channel.send(one) for one in sent))

    assert {request.id for request in hook.messages} == {one.delivery_id for one in sent}
