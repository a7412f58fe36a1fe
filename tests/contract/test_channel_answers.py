"""One table of answers and verdicts, section 6 of the contract, tried on every channel that is registered."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.channels import CHANNELS
from bellwire.demo.receivers import Reply, SlackApi, SmtpInbox, WebhookReceiver
from bellwire.errors import DeliveryError, Verdict
from channel_rigs import a_channel, envelope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bellwire.ports import Channel

# Apprise loads a service that imports a module which Python 3.13 no longer has
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SENT = None

HTTP: dict[int, Verdict | None] = {
    **dict.fromkeys((200, 201, 202, 204, 226), SENT),
    **dict.fromkeys((408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 520, 599), Verdict.RETRY),
    **dict.fromkeys((300, 301, 302, 303, 304, 307, 308), Verdict.CHANNEL_FAULT),
    **dict.fromkeys((401, 403, 404, 410), Verdict.CHANNEL_FAULT),
    **dict.fromkeys((400, 402, 405, 406, 409, 411, 412, 413, 414, 415, 416, 417), Verdict.MESSAGE_FAULT),
    **dict.fromkeys((418, 421, 422, 423, 424, 426, 428, 431, 451, 499), Verdict.MESSAGE_FAULT),
}
"""What a status means, whoever says it."""

TAKEN = 250
SMTP: dict[int, Verdict | None] = {
    TAKEN: SENT,
    **dict.fromkeys((421, 450, 451, 452), Verdict.RETRY),
    **dict.fromkeys((550, 551, 552, 553, 554), Verdict.MESSAGE_FAULT),
}
"""What a reply to a recipient, or to the whole mail, means."""


def as_it_is(verdict: Verdict | None) -> Verdict | None:
    return verdict


@dataclass(frozen=True, kw_only=True)
class Face:
    """A channel, how the other side is told to answer, and what it makes of a verdict that it cannot tell."""

    channel: Channel
    answer: Callable[[int, dict[str, str]], None]
    tells: Callable[[Verdict | None], Verdict | None] = as_it_is


@contextlib.asynccontextmanager
async def webhook() -> AsyncIterator[Face]:
    async with WebhookReceiver() as hook, a_channel("webhook", url=hook.url) as channel:
        yield Face(channel=channel, answer=lambda code, headers: hook.answer(Reply(status=code, headers=headers)))


@contextlib.asynccontextmanager
async def incoming_webhook() -> AsyncIterator[Face]:
    async with WebhookReceiver() as hook, a_channel("slack", api_url=hook.url) as channel:
        yield Face(
            channel=channel,
            answer=lambda code, headers: hook.answer(Reply(status=code, headers=headers, body=b"said so")),
        )


@contextlib.asynccontextmanager
async def web_api() -> AsyncIterator[Face]:
    """A page of whatever stands before Slack: what Slack says itself has codes of its own (see the unit tests)."""
    async with SlackApi(token="xoxb-1") as slack:
        settings = {"token": "xoxb-1", "channel": "#ops", "base_url": slack.url}
        async with a_channel("slack", **settings) as channel:
            yield Face(
                channel=channel,
                answer=lambda code, headers: slack.answer("chat.postMessage", Reply(status=code, headers=headers)),
                tells=lambda verdict: (
                    Verdict.IN_DOUBT if verdict is SENT else verdict
                ),  # it said nothing of the message
            )


@contextlib.asynccontextmanager
async def apprise() -> AsyncIterator[Face]:
    """Apprise tells no more than that it failed: so it is tried again until it is too old."""
    async with WebhookReceiver() as hook, a_channel("apprise", url=f"json://127.0.0.1:{hook.port}/") as channel:
        yield Face(
            channel=channel,
            answer=lambda code, headers: hook.answer(Reply(status=code, headers=headers)),
            tells=lambda verdict: None if verdict is SENT else Verdict.RETRY,
        )


OVER_HTTP = {
    "webhook": webhook,
    "slack, by its Web API": web_api,
    "slack, by an incoming webhook": incoming_webhook,
    "apprise": apprise,
}
NOT_OVER_HTTP = {"email"}


async def verdict_of(channel: Channel) -> tuple[Verdict | None, DeliveryError | None]:
    try:
        await channel.send(envelope(channel))
    except DeliveryError as error:
        return error.verdict, error
    return SENT, None


def test_every_channel_is_held_to_a_table() -> None:
    assert {name.partition(",")[0] for name in OVER_HTTP} | NOT_OVER_HTTP == set(CHANNELS)


@pytest.mark.parametrize("name", OVER_HTTP)
async def test_every_status_means_what_the_contract_says(name: str) -> None:
    told: dict[int, Any] = {}
    async with OVER_HTTP[name]() as face, asyncio.timeout(60):
        for status in HTTP:
            face.answer(status, {"Location": "http://127.0.0.1:1/elsewhere"})
            told[status] = (await verdict_of(face.channel))[0]
        expected = {status: face.tells(verdict) for status, verdict in HTTP.items()}
    if name == "apprise":  # it counts what it knows as success: these are the codes of its JSON service
        del told[226], expected[226]
    assert told == expected


@pytest.mark.parametrize("name", [name for name in OVER_HTTP if name != "apprise"])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "Sun, 22 Nov 2026 10:01:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 90.0),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_that_is_asked_for_is_handed_on_to_the_second(
    name: str, status: int, asked: dict[str, str], seconds: float | None
) -> None:
    async with OVER_HTTP[name]() as face:
        face.answer(status, asked)
        verdict, error = await verdict_of(face.channel)
    assert error is not None
    assert (verdict, error.retry_after) == (Verdict.RETRY, seconds)


@pytest.mark.parametrize(
    ("stage", "code"), [("data", code) for code in SMTP] + [("recipient", code) for code in SMTP if code != TAKEN]
)
async def test_every_reply_of_a_mail_server_means_what_the_contract_says(stage: str, code: int) -> None:
    async with SmtpInbox() as inbox:
        settings = {"to": ["a@example.com"], "from": "b@example.com", "smarthost": inbox.smarthost, "tls": "none"}
        if stage == "recipient":
            inbox.recipient_replies["a@example.com"] = [f"{code} so it is"]
        else:
            inbox.data_replies.append(f"{code} so it is")
        async with a_channel("email", **settings) as channel:
            verdict, _ = await verdict_of(channel)
    assert verdict is SMTP[code]
