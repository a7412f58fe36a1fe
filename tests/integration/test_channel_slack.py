from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from bellwire.demo.receivers import Reply, SlackApi, WebhookReceiver
from bellwire.errors import BellwireError, Verdict
from channel_rigs import DELIVERY, a_channel, a_message, an_alert, envelope, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from bellwire.ports import Channel


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as api:
        yield api


def web_api(slack: SlackApi, **settings: Any) -> AbstractAsyncContextManager[Channel]:
    return a_channel("slack", **({"token": slack.token, "channel": "#ops", "base_url": slack.url} | settings))


async def test_a_message_is_posted_with_its_delivery_id_and_the_conversations_id_is_kept(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        receipt = await channel.send(envelope(channel))

    assert slack.messages[0].delivery_id == DELIVERY
    assert receipt.remote == slack.channel_id("#ops")
    assert slack.messages[0].content["unfurl_links"] is False


async def test_what_may_have_arrived_is_looked_up_and_not_posted_again(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        known = await channel.send(envelope(channel, a_message(delivery_id="01JEARLIER")))
        slack.then("chat.postMessage", Reply(drop=True))
        error = await failure_of(channel, envelope(channel, remote=known.remote))

        receipt = await channel.send(envelope(channel, attempt=2, doubtful=True, remote=known.remote))

    assert error.verdict is Verdict.IN_DOUBT
    assert [message.delivery_id for message in slack.messages] == ["01JEARLIER", DELIVERY]
    assert receipt.remote == known.remote
    assert "found" in receipt.detail


async def test_what_has_not_arrived_is_posted(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        known = await channel.send(envelope(channel, a_message(delivery_id="01JEARLIER")))

        await channel.send(envelope(channel, attempt=2, doubtful=True, remote=known.remote))

    assert [message.delivery_id for message in slack.messages] == ["01JEARLIER", DELIVERY]
    assert slack.calls["conversations.history"] == 1


async def test_the_lookup_reads_on_through_a_busy_conversation(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        known = await channel.send(envelope(channel))
        for n in range(450):
            await channel.send(envelope(channel, a_message(delivery_id=f"01JLATER{n:018d}")))

        await channel.send(envelope(channel, attempt=2, doubtful=True, remote=known.remote))

    assert [message.delivery_id for message in slack.messages].count(DELIVERY) == 1
    assert slack.calls["conversations.history"] == 3


@pytest.mark.parametrize("said", ["no such token: SECRET_token", "SECRET_token", "no_SECRET_token", "<html>", "", "é"])
async def test_an_error_that_is_no_code_is_not_told(slack: SlackApi, said: str) -> None:
    async with web_api(slack, token="SECRET_token") as channel:
        slack.fail("chat.postMessage", said)
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason, str(error)) == (
        Verdict.RETRY,
        "slack_unreadable_error",
        "Slack: unreadable_error",
    )


@pytest.mark.parametrize("error", ["missing_scope", "not_in_channel", "channel_not_found"])
async def test_where_slack_may_not_be_asked_it_is_posted_again_and_the_log_says_so(slack: SlackApi, error: str) -> None:
    async with web_api(slack, channel="C0123ABCD") as channel:
        slack.fail("conversations.history", error)

        with structlog.testing.capture_logs() as logs:
            await channel.send(envelope(channel, attempt=2, doubtful=True))

    assert [message.delivery_id for message in slack.messages] == [DELIVERY]
    assert [(log["event"], log["reason"]) for log in logs] == [("slack_lookup_unavailable", f"slack_{error}")]


async def test_where_the_conversation_is_unknown_it_is_posted_again_and_the_log_says_so(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        with structlog.testing.capture_logs() as logs:
            await channel.send(envelope(channel, attempt=2, doubtful=True))

    assert len(slack.messages) == 1
    assert logs[0]["reason"] == "conversation_unknown"


async def test_the_first_message_of_all_is_looked_up_by_the_channels_name(slack: SlackApi) -> None:
    for n in range(1200):
        slack.channel_id(f"#other-{n}")
    async with web_api(slack) as channel:
        slack.then("chat.postMessage", Reply(drop=True))
        await failure_of(channel, envelope(channel))

        receipt = await channel.send(envelope(channel, attempt=2, doubtful=True))

    assert [message.delivery_id for message in slack.messages] == [DELIVERY]
    assert receipt.remote == slack.channel_id("#ops")
    assert slack.calls["conversations.list"] == 2


async def test_where_conversations_may_not_be_listed_the_first_message_is_posted_again(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        slack.then("chat.postMessage", Reply(drop=True))
        await failure_of(channel, envelope(channel))
        slack.fail("conversations.list", "missing_scope")

        receipt = await channel.send(envelope(channel, attempt=2, doubtful=True))

    assert [message.delivery_id for message in slack.messages] == [DELIVERY, DELIVERY]
    assert "channels:read" in receipt.detail


async def test_while_conversations_are_not_listed_the_doubt_remains(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        slack.fail("conversations.list", "ratelimited", status=429, retry_after=9)

        error = await failure_of(channel, envelope(channel, attempt=2, doubtful=True))

    assert (error.verdict, error.retry_after) == (Verdict.IN_DOUBT, 9.0)
    assert not slack.messages


async def test_while_the_lookup_fails_the_doubt_remains_and_nothing_is_posted(slack: SlackApi) -> None:
    async with web_api(slack, channel="C0123ABCD") as channel:
        slack.fail("conversations.history", "ratelimited", status=429, retry_after=9)

        error = await failure_of(channel, envelope(channel, attempt=2, doubtful=True))

    assert (error.verdict, error.reason, error.retry_after) == (Verdict.IN_DOUBT, "slack_ratelimited", 9.0)
    assert not slack.messages


async def test_a_rate_limit_names_its_pause(slack: SlackApi) -> None:
    slack.fail("chat.postMessage", "ratelimited", status=429, retry_after=30)
    async with web_api(slack) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason, error.retry_after) == (Verdict.RETRY, "slack_ratelimited", 30.0)
    assert slack.calls["chat.postMessage"] == 1


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}), Verdict.RETRY),
        (Reply(status=200, body=b"<html>login</html>", headers={"Content-Type": "text/html"}), Verdict.IN_DOUBT),
        (Reply(status=200, body=b"ok", headers={"Content-Type": "text/plain"}), Verdict.IN_DOUBT),
        (Reply(status=200, body=b"{half", headers={"Content-Type": "application/json"}), Verdict.IN_DOUBT),
        (Reply(status=200, body=b"[1]", headers={"Content-Type": "application/json"}), Verdict.IN_DOUBT),
        (Reply(status=200, body=b"x", headers={"Content-Type": "application/gzip"}), Verdict.IN_DOUBT),
        (Reply(status=403, body=b"", headers={"Content-Type": "application/json"}), Verdict.CHANNEL_FAULT),
    ],
)
async def test_an_answer_that_is_not_slacks_own_has_a_verdict(slack: SlackApi, reply: Reply, verdict: Verdict) -> None:
    slack.answer("chat.postMessage", reply)
    async with web_api(slack) as channel:
        error = await failure_of(channel, envelope(channel))

    assert error.verdict is verdict


async def test_a_redirect_of_the_web_api_is_never_followed(slack: SlackApi) -> None:
    async with WebhookReceiver() as elsewhere, web_api(slack) as channel:
        slack.answer("chat.postMessage", Reply(status=307, headers={"Location": elsewhere.url}))

        error = await failure_of(channel, envelope(channel))

        assert error.verdict is Verdict.CHANNEL_FAULT
        assert not elsewhere.messages


async def test_a_proxy_of_the_environment_is_not_used(slack: SlackApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with web_api(slack) as channel:
        await channel.send(envelope(channel))

    assert len(slack.messages) == 1


async def test_mentions_are_those_of_the_configuration(slack: SlackApi) -> None:
    mention = [{"matchers": ['result_count >= "10"'], "text": "<!here>"}]
    async with web_api(slack, mention=mention) as channel:
        await channel.send(envelope(channel))
        await channel.send(envelope(channel, a_message(an_alert(labels={}))))

    assert [message.content["text"].startswith("<!here> ") for message in slack.messages] == [True, False]


async def test_an_incoming_webhook_gets_the_same_blocks_without_metadata(slack: SlackApi) -> None:
    async with web_api(slack) as web, a_channel("slack", api_url=slack.webhook_url) as incoming:
        expected = orjson.loads(web.render(a_message()))
        receipt = await incoming.send(envelope(incoming, attempt=2, doubtful=True))

    del expected["metadata"]
    assert slack.messages[0].content == expected
    assert (receipt.detail, receipt.remote) == ("HTTP 200", "")


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (400, b"invalid_payload", Verdict.MESSAGE_FAULT),
        (403, b"invalid_token", Verdict.CHANNEL_FAULT),
        (404, b"no_service", Verdict.CHANNEL_FAULT),
        (410, b"channel_is_archived", Verdict.CHANNEL_FAULT),
        (429, b"", Verdict.RETRY),
        (500, b"rollup_error", Verdict.RETRY),
    ],
)
async def test_an_incoming_webhooks_answers_have_verdicts(
    slack: SlackApi, status: int, said: bytes, verdict: Verdict
) -> None:
    slack.answer("incoming", Reply(status=status, body=said))
    async with a_channel("slack", api_url=slack.webhook_url) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (verdict, f"http_{status}")
    assert said.decode() in str(error)
    assert "B000" not in str(error)


async def test_a_web_page_in_the_stead_of_an_incoming_webhooks_ok_is_no_success(slack: SlackApi) -> None:
    slack.answer(
        "incoming",
        Reply(status=200, body=b" <html>Sign in to the guest network", headers={"Content-Type": "text/html"}),
    )
    async with a_channel("slack", api_url=slack.webhook_url) as channel:
        error = await failure_of(channel, envelope(channel))
    assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "slack_unreadable")


async def test_an_incoming_webhook_that_does_not_answer_is_in_doubt(slack: SlackApi) -> None:
    slack.then("incoming", Reply(until=asyncio.Event()))
    async with a_channel("slack", api_url=slack.webhook_url, timeout="300ms") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "timeout")


async def test_a_channel_without_token_or_address_is_refused() -> None:
    with pytest.raises(BellwireError):
        async with a_channel("slack", channel="#ops"):
            pass
