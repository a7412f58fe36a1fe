"""A Slack whose answer is lost, and a mail server that greylists, refuses one of two, and hangs up after the data."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from bellwire.demo.receivers import Reply, SlackApi, SmtpInbox
from fault_scene import QUICK, playing
from harness import eventually, unread

if TYPE_CHECKING:
    from pathlib import Path

CONVERSATION = "C00000001"
BOTH = ["a@example.com", "b@example.com"]
FAST = {"rate_limit": {"per_second": 1000, "burst": 100}}


def with_slack(slack: SlackApi) -> dict[str, Any]:
    channel = {"token": "xoxb-demo", "channel": CONVERSATION, "base_url": slack.url, "timeout": "30s"}
    return {"name": "ops", "slack_configs": [channel], **QUICK, **FAST}


def with_mail(mailbox: SmtpInbox) -> dict[str, Any]:
    channel = {
        "to": BOTH,
        "from": "bellwire@example.com",
        "smarthost": mailbox.smarthost,
        "tls": "none",
        "timeout": "30s",
    }
    return {"name": "ops", "email_configs": [channel], **QUICK}


def to(receiver: dict[str, Any]) -> dict[str, Any]:
    drop = {"matchers": ['type = "notification"'], "receiver": None}
    return {"receivers": [receiver], "route": {"receiver": receiver["name"], "routes": [drop]}}


async def test_a_slack_that_says_ok_to_nobody_has_every_message_once(tmp_path: Path) -> None:
    async with SlackApi() as slack:
        slack.channel_id(CONVERSATION)
        slack.then("chat.postMessage", *[Reply(drop=True)] * 15)
        async with playing(tmp_path, **to(with_slack(slack))) as scene:
            scene.oracle.receivers, scene.oracle.slack = {}, slack
            scene.oracle.emit(40)
            await scene.oracle.settled(scene.daemon)
            assert slack.calls["conversations.history"] >= 1


async def test_kill_9_between_slacks_ok_and_its_record_posts_nothing_twice(tmp_path: Path) -> None:
    async with SlackApi() as slack:
        slack.channel_id(CONVERSATION)
        async with playing(tmp_path, **to(with_slack(slack))) as scene:
            scene.oracle.receivers, scene.oracle.slack = {}, slack
            for _ in range(5):
                seen = len(slack.messages)
                scene.oracle.emit(20)
                await slack.wait_for(seen + 2)
                await scene.kill()
                await scene.daemon.start()
                await scene.daemon.streaming()
            await scene.oracle.settled(scene.daemon)


async def test_a_mail_server_that_greylists_gets_each_mail_once_and_later(tmp_path: Path) -> None:
    async with SmtpInbox() as mailbox:
        mailbox.recipient_replies = {each: ["451 4.7.1 Greylisted, come back"] * 5 for each in BOTH}
        async with playing(tmp_path, **to(with_mail(mailbox))) as scene:
            scene.oracle.receivers = {}
            scene.oracle.emit(11)
            await scene.oracle.settled(scene.daemon)
            assert Counter(mail.recipients for mail in mailbox.messages) == {(each,): 9 for each in BOTH}
            assert set(Counter(mail.delivery_id for mail in mailbox.messages).values()) == {1}


async def test_a_mail_whose_answer_is_lost_comes_again_with_the_same_ids(tmp_path: Path) -> None:
    async with SmtpInbox() as mailbox:
        mailbox.data_replies = ["drop"] * 3
        async with playing(tmp_path, **to(with_mail(mailbox))) as scene:
            scene.oracle.receivers = {}
            scene.oracle.emit(11)
            await scene.oracle.settled(scene.daemon)
            ids = Counter((mail.delivery_id, str(mail.parsed["Message-ID"])) for mail in mailbox.messages)
            assert len(ids) == len({delivery for delivery, _ in ids}) == 18
            assert ids.total() == 18 + 3


async def test_one_of_two_whom_the_server_refuses_costs_the_other_nothing(tmp_path: Path) -> None:
    async with SmtpInbox() as mailbox:
        refused, taken = BOTH
        mailbox.recipient_replies = {refused: ["550 5.1.1 No such user"] * 100}
        async with playing(tmp_path, **to(with_mail(mailbox))) as scene:
            scene.oracle.emit(11)
            await mailbox.wait_for(9)
            await scene.told(event="delivery_dead")
            await eventually(lambda: len(mailbox.messages) == 9)
            while (states := await audited(scene.daemon))["in_flight"]:
                pass
            assert states == {"in_flight": 0, "delivered": 0, "suppressed": 2, "dead": 9}
            assert {mail.recipients for mail in mailbox.messages} == {(taken,)}
            assert len(unread(scene.server)) == 11  # what is dead is not marked
            # The address is mended, and what died is sent again: to the one alone who had not got it.
            mailbox.recipient_replies = {}
            code, _, err = await scene.daemon.command("replay", "--dead")
            assert (code, err) == (0, "")
            await mailbox.wait_for(18)
            assert Counter(mail.recipients for mail in mailbox.messages) == {(each,): 9 for each in BOTH}
            scene.oracle.receivers = {}
            await scene.oracle.settled(scene.daemon)


async def audited(daemon: Any) -> dict[str, int]:
    (balance,) = json.loads((await daemon.command("audit", "--json", "--ledger-only"))[1])
    assert balance["unaccounted"] == 0
    states: dict[str, int] = balance["states"]
    return states
