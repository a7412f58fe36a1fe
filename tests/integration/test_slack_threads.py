"""A group in Slack: its follow-ups are replies to its first message, which shows how many there were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from bellwire.demo.receivers import Reply, SlackApi
from bellwire.errors import Verdict
from bellwire.model import DeliveryKind, Severity
from channel_rigs import a_channel, a_message, an_alert, envelope, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from bellwire.demo.receivers import SlackMessage
    from bellwire.model import Message, Receipt
    from bellwire.ports import Channel


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as api:
        yield api


def web_api(slack: SlackApi, **settings: Any) -> AbstractAsyncContextManager[Channel]:
    return a_channel("slack", **({"token": slack.token, "channel": "#ops", "base_url": slack.url} | settings))


def group_of(number: int, *severities: Severity) -> Message:
    """Return the group's message of this number."""
    alerts = [an_alert(title=f"Alert {number}.{at}", severity=each) for at, each in enumerate(severities)]
    return a_message(*alerts, delivery_id=f"01JDELIVERY{number:015d}", kind=DeliveryKind.GROUP, group_key="g")


async def send(channel: Channel, message: Message, after: Receipt | None = None, **changes: Any) -> Receipt:
    """Send a message of a group, and do what follows once its outcome is written."""
    given = {"group": after.group if after else "", "remote": after.remote if after else ""}
    receipt = await channel.send(envelope(channel, message, **(given | changes)))
    if receipt.afterwards is not None:
        await receipt.afterwards()
    return receipt


def text_of(message: SlackMessage) -> str:
    return orjson.dumps(message.content["blocks"]).decode()


async def test_follow_ups_go_into_the_thread_and_the_first_message_counts_them(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        second = await send(channel, group_of(2, Severity.INFO, Severity.WARNING), first)
        third = await send(channel, group_of(3, Severity.INFO), second)

    parent, *replies = slack.messages
    assert "thread_ts" not in parent.content
    assert [reply.content["thread_ts"] for reply in replies] == [parent.ts, parent.ts]
    assert not any("reply_broadcast" in reply.content for reply in replies)
    assert parent.edits == 2
    assert "… 4 alerts so far, last <!date^" in text_of(parent)
    assert text_of(parent).count("so far") == 1
    assert "Alert 1.0" in text_of(parent)
    assert parent.content["attachments"] == orjson.loads(channel.render(group_of(1, Severity.WARNING)))["attachments"]
    assert parent.delivery_id == "01JDELIVERY000000000000001"
    assert first.remote == second.remote == third.remote == parent.channel
    assert "in the thread" in second.detail


async def test_an_answer_that_does_not_show_the_reply_leaves_it_in_its_thread(slack: SlackApi) -> None:
    terse = Reply(
        body=b'{"ok": true, "channel": "C00000001", "ts": "1.5"}', headers={"Content-Type": "application/json"}
    )
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.then("chat.postMessage", terse)
        second = await send(channel, group_of(2, Severity.WARNING), first)
        await send(channel, group_of(3, Severity.WARNING), second)

    parent, *replies = slack.messages
    assert [reply.content["thread_ts"] for reply in replies] == [parent.ts, parent.ts]
    assert parent.edits == 2


async def test_what_is_worse_than_all_before_is_shown_to_the_channel_too(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        receipt = await send(channel, group_of(1, Severity.WARNING))
        for number, severity in enumerate([Severity.ERROR, Severity.ERROR, Severity.INFO, Severity.CRITICAL], start=2):
            receipt = await send(channel, group_of(number, severity), receipt)

    assert [bool(each.content.get("reply_broadcast")) for each in slack.messages] == [False, True, False, False, True]


async def test_without_thread_every_message_stands_for_itself(slack: SlackApi) -> None:
    async with web_api(slack, thread=False) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        await send(channel, group_of(2, Severity.WARNING), first)

    assert first.group == ""
    assert all("thread_ts" not in message.content and message.edits == 0 for message in slack.messages)


async def test_an_incoming_webhook_posts_every_message_for_itself(slack: SlackApi) -> None:
    async with a_channel("slack", api_url=slack.webhook_url) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        second = await send(channel, group_of(2, Severity.WARNING), first)

    assert (first.group, second.group) == ("", "")
    assert len(slack.messages) == 2


async def test_what_stands_alone_begins_no_thread(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        assert (await send(channel, a_message(), group=None)).group == ""


# --- what may have become of the thread ------------------------------------------------------------------------------


async def test_after_its_first_message_is_deleted_the_group_begins_anew(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.delete(slack.messages[0])
        second = await send(channel, group_of(2, Severity.WARNING), first)
        await send(channel, group_of(3, Severity.WARNING), second)

    _, anew, reply = slack.messages
    assert "thread_ts" not in anew.content
    assert reply.content["thread_ts"] == anew.ts
    assert "2 alerts so far" in text_of(anew)


@pytest.mark.parametrize(
    "error", ["thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked", "not_in_channel"]
)
async def test_a_thread_that_takes_no_reply_gives_way_to_a_new_message(slack: SlackApi, error: str) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.fail("chat.postMessage", error)
        await send(channel, group_of(2, Severity.WARNING), first)

    assert len(slack.messages) == 2
    assert "thread_ts" not in slack.messages[1].content


async def test_an_archived_conversation_gives_way_to_the_one_that_bears_its_name_now(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.archived.add(slack.channel_id("#ops"))
        slack.rename("#ops", "#ops-old")
        second = await send(channel, group_of(2, Severity.WARNING), first)

    assert slack.messages[1].channel == slack.channel_id("#ops") != slack.messages[0].channel
    assert second.remote == slack.messages[1].channel


async def test_an_archived_conversation_that_nothing_replaces_is_the_channels_fault(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.archived.add(slack.channel_id("#ops"))
        error = await failure_of(channel, envelope(channel, group_of(2, Severity.WARNING), group=first.group))

    assert (error.verdict, error.reason) == (Verdict.CHANNEL_FAULT, "slack_is_archived")


async def test_a_renamed_conversation_keeps_its_threads(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.rename("#ops", "#operations")
        await send(channel, group_of(2, Severity.WARNING), first)

    assert slack.messages[1].content["thread_ts"] == slack.messages[0].ts


async def test_another_channel_in_the_configuration_begins_a_thread_there(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
    async with web_api(slack, channel="#pager") as channel:
        await send(channel, group_of(2, Severity.WARNING), first)

    assert slack.messages[1].channel == slack.channel_id("#pager")
    assert "thread_ts" not in slack.messages[1].content


@pytest.mark.parametrize("kept", ["", "{", "[1]", '{"ts": "1.2"}', '{"to": 5}', "null"])
async def test_what_cannot_be_read_of_a_thread_begins_another(slack: SlackApi, kept: str) -> None:
    async with web_api(slack) as channel:
        receipt = await send(channel, group_of(1, Severity.WARNING), group=kept)

    assert len(slack.messages) == 1
    assert slack.messages[0].ts in receipt.group


# --- the count is best effort ----------------------------------------------------------------------------------------


async def test_a_closed_edit_window_is_logged_once_and_tried_no_more(slack: SlackApi) -> None:
    slack.editable = False
    async with web_api(slack) as channel:
        with structlog.testing.capture_logs() as logs:
            receipt = await send(channel, group_of(1, Severity.WARNING))
            for number in range(2, 6):
                receipt = await send(channel, group_of(number, Severity.WARNING), receipt)

    assert len(slack.messages) == 5
    assert [(log["event"], log["reason"]) for log in logs] == [("slack_edit_failed", "slack_edit_window_closed")]
    assert slack.calls["chat.update"] == 1


async def test_an_edit_that_fails_for_now_is_made_up_for_by_the_next_one(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        with structlog.testing.capture_logs() as logs:
            receipt = await send(channel, group_of(1, Severity.WARNING))
            slack.answer("chat.update", Reply(drop=True))
            receipt = await send(channel, group_of(2, Severity.WARNING), receipt)
            assert slack.messages[0].edits == 0
            await send(channel, group_of(3, Severity.WARNING), receipt)

    assert [log["event"] for log in logs] == ["slack_edit_failed"]
    assert "3 alerts so far" in text_of(slack.messages[0])


async def test_an_edit_that_slack_limits_says_for_how_long_and_can_be_made_then(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        receipt = await send(channel, group_of(1, Severity.WARNING))
        second = await channel.send(envelope(channel, group_of(2, Severity.WARNING), group=receipt.group))
        assert second.afterwards is not None
        slack.fail("chat.update", "ratelimited", status=429, retry_after=5)
        assert await second.afterwards() == 5.0
        assert slack.messages[0].edits == 0
        assert await second.afterwards() is None

    assert slack.messages[0].edits == 1
    assert "2 alerts so far" in text_of(slack.messages[0])


async def test_an_edit_that_a_later_one_has_overtaken_is_made_no_more(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        receipt = await send(channel, group_of(1, Severity.WARNING))
        second = await channel.send(envelope(channel, group_of(2, Severity.WARNING), group=receipt.group))
        third = await channel.send(envelope(channel, group_of(3, Severity.WARNING), group=second.group))
        assert second.afterwards is not None
        assert third.afterwards is not None
        assert await second.afterwards() is None
        assert slack.messages[0].edits == 0
        slack.fail("chat.update", "ratelimited", status=429, retry_after=0)
        assert await third.afterwards() == 1.0  # a pause of none would be asked for again at once
        assert await third.afterwards() is None

    assert slack.messages[0].edits == 1
    assert "3 alerts so far" in text_of(slack.messages[0])


# --- in doubt --------------------------------------------------------------------------------------------------------


async def lost(slack: SlackApi, channel: Channel, message: Message, after: Receipt) -> None:
    """Have it posted, and lose the answer."""
    slack.then("chat.postMessage", Reply(drop=True))
    error = await failure_of(channel, envelope(channel, message, group=after.group, remote=after.remote))
    assert error.verdict is Verdict.IN_DOUBT


async def test_a_follow_up_in_doubt_is_looked_for_in_its_thread(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        await lost(slack, channel, group_of(2, Severity.WARNING), first)
        second = await send(channel, group_of(2, Severity.WARNING), first, attempt=2, doubtful=True)

    assert len(slack.messages) == 2
    assert "found" in second.detail
    assert "2 alerts so far" in text_of(slack.messages[0])
    assert slack.calls["conversations.replies"] == 1


async def test_a_follow_up_that_had_to_become_a_new_message_is_looked_for_among_those_too(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.delete(slack.messages[0])
        await lost(slack, channel, group_of(2, Severity.WARNING), first)
        second = await send(channel, group_of(2, Severity.WARNING), first, attempt=2, doubtful=True)
        await send(channel, group_of(3, Severity.WARNING), second)

    assert len(slack.messages) == 3
    assert slack.messages[2].content["thread_ts"] == slack.messages[1].ts


async def test_a_follow_up_that_never_arrived_is_posted_into_the_thread(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        await send(channel, group_of(2, Severity.WARNING), first, attempt=2, doubtful=True)

    assert slack.messages[1].content["thread_ts"] == slack.messages[0].ts


@pytest.mark.parametrize(
    ("error", "remedy"), [("missing_scope", "add channels:history"), ("not_in_channel", "invite the app")]
)
async def test_where_slack_may_not_be_asked_the_attempt_says_so_and_what_would_help(
    slack: SlackApi, error: str, remedy: str
) -> None:
    async with web_api(slack) as channel:
        first = await send(channel, group_of(1, Severity.WARNING))
        slack.fail("conversations.replies", error)
        second = await send(channel, group_of(2, Severity.WARNING), first, attempt=2, doubtful=True)
        blind = channel.lookup.blind  # type: ignore[attr-defined]  # the port knows nothing of Slack
        await send(channel, group_of(3, Severity.WARNING), second, attempt=2, doubtful=True)

        assert channel.lookup.blind == ""  # type: ignore[attr-defined]  # as above

    assert f"could not be asked: {error}" in second.detail
    assert remedy in second.detail
    assert remedy in blind


async def test_a_first_message_in_doubt_that_had_arrived_begins_the_thread(slack: SlackApi) -> None:
    async with web_api(slack) as channel:
        known = await send(channel, a_message(delivery_id="01JEARLIER"), group=None)
        slack.then("chat.postMessage", Reply(drop=True))
        await failure_of(channel, envelope(channel, group_of(1, Severity.WARNING), group="", remote=known.remote))
        first = await send(channel, group_of(1, Severity.WARNING), remote=known.remote, attempt=2, doubtful=True)
        await send(channel, group_of(2, Severity.WARNING), first)

    assert len(slack.messages) == 3
    assert slack.messages[2].content["thread_ts"] == slack.messages[1].ts
