"""Buttons in Slack, over a real socket: what is pressed is done, answered, and shown with who it was."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from bellwire.buttons.apps import SlackApps
from bellwire.channels import channels_of
from bellwire.channels.slack_buttons import Button
from bellwire.config.schema import Config
from bellwire.demo.receivers import Reply, SlackApi, WebhookReceiver
from bellwire.http import HttpPool
from bellwire.ledger.acting import read_actions
from bellwire.metrics import Metrics
from bellwire.model import Envelope, MarkPolicy
from bellwire.serving import Means
from harness import eventually
from ledger_moves import begin, due, outcome_of, states, story, take
from makers import OPS, a_policy, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from bellwire.demo.receivers import SlackMessage
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Alert
    from fakes import FakeClock

SLACK = a_policy(OPS)
PAGE = "https://bellwire.example.com"


class Office:
    """A ledger with one Slack channel and its buttons; `apps` are the connections."""

    def __init__(self, ledger: Ledger, slack: SlackApi, pool: HttpPool, tasks: asyncio.TaskGroup) -> None:
        self.ledger, self.slack, self.pool = ledger, slack, pool
        self._tasks = tasks
        means = Means(clock=ledger.clock, metrics=Metrics(), chance=random.Random(1), spawn=self._spawn)
        self.apps = SlackApps(ledger, pool, means)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        return self._tasks.create_task(work, name=name)

    def config(self, *receivers: str, **settings: Any) -> Config:
        token = {"token": self.slack.token, "app_token": self.slack.app_token, "base_url": self.slack.url}
        configs = [
            {"name": name, "slack_configs": [token | {"channel": "#ops"} | settings]} for name in receivers or ("ops",)
        ]
        return Config.model_validate(
            {"route": {"receiver": "ops"}, "receivers": configs, "web": {"external_url": PAGE}}
        )

    def connect(self, *receivers: str, **settings: Any) -> None:
        self.apps.change(self.config(*receivers, **settings))

    async def sent(self, *alerts: Alert) -> tuple[SlackMessage, list[str]]:
        """Have alerts sent to Slack in one message."""
        destination = {"group_key": "g", "group_labels": {}, "interval": 0}
        arrivals = [
            an_arrival(OPS, alert=alert, destination=destination, mark=MarkPolicy.NEVER)
            for alert in alerts or (an_alert(),)
        ]
        alert_ids = ids(await self.ledger.record(arrivals))
        channel = channels_of(self.config().receivers[0], self.pool)[OPS]
        (claim,) = await take(self.ledger, SLACK)
        body = channel.render(claim.message)
        await begin(self.ledger, [claim], body, SLACK)
        envelope = Envelope(
            delivery_id=claim.message.delivery_id, attempt=1, body=body, sent_at=self.ledger.clock.wall(), group=""
        )
        receipt = await channel.send(envelope)
        await self.ledger.settle(SLACK, [outcome_of(claim, detail=receipt.detail, remote=receipt.remote)])
        return self.slack.messages[-1], alert_ids

    async def press(self, message: SlackMessage, button: str, **changes: Any) -> str:
        """Press a button; return what whoever pressed is told."""
        before = len(self.slack.told.messages)
        await self.slack.socket.press(self.slack.press(message, button, **changes))
        return str((await self.slack.told.wait_for(before + 1))[before]["text"])

    async def shown(self, message: SlackMessage, edits: int = 1) -> str:
        """Return the line below the message's buttons once it has been edited so often."""
        await self.slack.wait_until(lambda _: message.edits >= edits)
        return str(message.content["attachments"][-1]["blocks"][-1]["elements"][0]["text"])


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as api:
        yield api


@pytest.fixture
async def office(ledger: Ledger, slack: SlackApi) -> AsyncIterator[Office]:
    pool = HttpPool()
    try:
        async with asyncio.TaskGroup() as tasks:
            office = Office(ledger, slack, pool, tasks)
            yield office
            office.apps.stop()
    finally:
        await pool.close()


# --- what buttons do -------------------------------------------------------------------------------------------------


async def test_mark_read_owes_the_mark_answers_and_shows_who_it_was(office: Office, ledger: Ledger) -> None:
    office.connect()
    message, (alert_id,) = await office.sent()

    told = await office.press(message, Button.MARK_READ)

    assert told == "1 alert will be marked as read at `vision`."
    assert len(await due(ledger)) == 1
    assert (await office.shown(message)).startswith("<@U0123ABCD> had this marked as read · ")
    (event,) = (await story(ledger, alert_id))["events"]
    assert event["detail"]["by"] == "dana (U0123ABCD) in Slack"
    assert "Mark read" in str(message.content["attachments"])  # the buttons are still there
    assert message.content["blocks"]


async def test_a_digests_buttons_act_on_all_of_it_and_name_the_number(office: Office, ledger: Ledger) -> None:
    office.connect()
    message, alert_ids = await office.sent(*(an_alert() for _ in range(40)))

    assert await office.press(message, Button.MARK_READ) == "40 alerts will be marked as read at `vision`."
    assert "had 40 alerts marked as read" in await office.shown(message)
    assert "40 alerts are marked as read already." in await office.press(message, Button.MARK_READ)
    assert len(await due(ledger)) == len(alert_ids)


async def test_silence_shows_its_matchers_and_holds_for_an_hour(
    office: Office, ledger: Ledger, clock: FakeClock
) -> None:
    office.connect()
    labels = {"account": "vision", "type": "alert", "result_count": "12"}
    message, _ = await office.sent(an_alert(title="Scratches: 12 new results", labels=labels))

    told = await office.press(message, Button.SILENCE)

    assert 'account="vision", type="alert", title=~"Scratches: [0-9]+ new results"' in told
    assert "bellwire silence expire" in told
    assert f"<{PAGE}/silences|" in told
    assert "silenced what is like this until" in await office.shown(message)
    like = an_alert(title="Scratches: 3 new results", labels=labels)
    await ledger.record([an_arrival(OPS, alert=like)])
    assert await take(ledger, SLACK) == []
    (silence,) = await ledger.silences.every()
    assert silence["author"] == "dana (U0123ABCD) in Slack"
    await clock.advance(3601)
    await ledger.record([an_arrival(OPS, alert=an_alert(title="Scratches: 4 new results", labels=labels))])
    assert len(await take(ledger, SLACK)) == 1


async def test_explain_says_by_which_route_it_came_how_it_was_sent_and_where_all_of_it_is(
    office: Office, ledger: Ledger
) -> None:
    office.connect()
    message, alert_ids = await office.sent(*(an_alert(title=f"<!channel> {n}") for n in range(5)))

    told = await office.press(message, Button.EXPLAIN)

    assert "by `route` to receiver `ops`" in told
    assert "ops/slack: sent, 1 attempt: posted at" in told
    assert f"<{PAGE}/alerts/{alert_ids[0]}|All of it>" in told
    assert "2 alerts more of this message" in told
    assert "<!channel>" not in told
    assert message.edits == 0
    (action,) = await ledger.ask(lambda connection: read_actions(connection, 5))
    assert (action["what"], action["detail"]["alerts"]) == ("alerts_explained", 5)


async def test_all_who_pressed_are_shown_whatever_the_message_looked_like_to_them(office: Office) -> None:
    office.connect()
    message, _ = await office.sent()
    first = office.slack.press(message, Button.SILENCE, user={"id": "U0000EVE1", "username": "eve"})
    await office.press(message, Button.MARK_READ)
    await office.shown(message)

    await office.slack.socket.press(first)

    lines = (await office.shown(message, 2)).split("\n")
    assert [line.split(" ")[0] for line in lines] == ["<@U0123ABCD>", "<@U0000EVE1>"]


# --- what buttons must not do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({"action_id": "bellwire_mark_read", "value": "01JNOSUCHDELIVERY000000000"}, "is of no use any more"),
        ({"action_id": "bellwire_mark_read", "value": "'; DROP TABLE alerts; --"}, "is of no use any more"),
        ({"action_id": "bellwire_mark_read", "value": None}, "is of no use any more"),
        ({"action_id": "bellwire_mark_read"}, "is of no use any more"),
        ({"action_id": "bellwire_launch", "value": "x" * 100_000}, "does not know this button"),
        ({"action_id": {"a": []}}, "does not know this button"),
    ],
)
async def test_a_bad_or_old_button_is_answered_and_changes_nothing(
    office: Office, ledger: Ledger, action: dict[str, Any], told: str
) -> None:
    office.connect()
    message, _ = await office.sent()

    assert told in await office.press(message, Button.EXPLAIN, actions=[action])
    assert await due(ledger) == []
    assert await ledger.silences.every() == []


async def test_a_button_of_another_apps_message_is_refused(office: Office, ledger: Ledger) -> None:
    message, _ = await office.sent()
    office.connect("other")

    assert "may not act on" in await office.press(message, Button.MARK_READ)
    assert await due(ledger) == []


@pytest.mark.parametrize(
    "payload", [None, [], "x", {}, {"type": "block_actions"}, {"type": "block_actions", "user": {"id": "U1"}}]
)
async def test_what_nobody_can_be_answered_for_is_logged_and_ends_nothing(office: Office, payload: Any) -> None:
    office.connect()
    message, _ = await office.sent()
    with structlog.testing.capture_logs() as logs:
        await office.slack.socket.press(payload)
        assert "vision" in await office.press(message, Button.MARK_READ)

    assert "slack_press_unreadable" in [log["event"] for log in logs]


async def test_what_is_no_press_is_acknowledged_and_left_alone(office: Office) -> None:
    office.connect()
    message, _ = await office.sent()
    await office.slack.socket.press({"command": "/x"}, "slash_commands")
    await office.slack.socket.send("{half")
    await office.slack.socket.send("[]")

    assert await office.press(message, Button.MARK_READ)
    assert len(office.slack.socket.connected) == 1


async def test_an_answer_goes_to_slack_alone_wherever_a_press_wants_it(office: Office) -> None:
    office.connect()
    message, _ = await office.sent()
    async with WebhookReceiver() as elsewhere:
        told = await office.press(message, Button.MARK_READ, response_url=f"{elsewhere.url}?slack.com")

        assert told.startswith("1 alert will be marked")
        assert office.slack.calls["chat.postEphemeral"] == 1
        assert elsewhere.messages == []


async def test_where_the_address_for_answers_fails_slack_is_asked_to_show_it(office: Office) -> None:
    office.connect()
    message, _ = await office.sent()
    office.slack.answer("response_url", Reply(status=404, body=b"expired_url"))

    assert (await office.press(message, Button.MARK_READ)).startswith("1 alert will be marked")


async def test_a_ledger_that_cannot_write_is_told_to_whoever_pressed(
    office: Office, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.connect()
    message, _ = await office.sent()

    async def fails(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(ledger.presses, "mark_read", fails)

    assert "did not work, and nothing has changed" in await office.press(message, Button.MARK_READ)
    assert message.edits == 0


# --- the connection --------------------------------------------------------------------------------------------------


async def test_receivers_of_one_app_share_a_connection(office: Office) -> None:
    office.connect("ops", "pager")
    await office.slack.socket.wait_for(1)

    (standing,) = office.apps.standing()
    assert standing["receivers"] == ["ops", "pager"]
    assert office.slack.calls["apps.connections.open"] == 1


async def test_a_connection_that_is_cut_is_made_again(office: Office, clock: FakeClock) -> None:
    office.connect()
    message, _ = await office.sent()
    await office.press(message, Button.EXPLAIN)
    assert office.apps.standing()[0]["connected_at"] is not None
    with structlog.testing.capture_logs() as logs:
        await office.slack.socket.cut()
        await eventually(lambda: office.apps.standing()[0]["connected_at"] is None)
        assert office.apps.standing()[0]["error"]
        await clock.advance(2)
        assert await office.press(message, Button.EXPLAIN)

    assert [log["event"] for log in logs if log["event"].startswith("slack_app")] == [
        "slack_app_disconnected",
        "slack_app_connected",
    ]


async def test_slack_may_ask_for_another_connection_at_any_time(office: Office, clock: FakeClock) -> None:
    office.connect()
    message, _ = await office.sent()
    await office.press(message, Button.EXPLAIN)
    await clock.advance(3600)
    await office.slack.socket.disconnect()
    await office.slack.socket.wait_for(2)

    assert await office.press(message, Button.EXPLAIN)
    assert len(office.slack.socket.connected) == 1


async def test_a_token_that_is_refused_is_told_once_and_tried_again(office: Office, clock: FakeClock) -> None:
    office.slack.fail("apps.connections.open", "invalid_auth", times=3)
    with structlog.testing.capture_logs() as logs:
        office.connect()
        while office.apps.standing()[0]["connected_at"] is None:
            await eventually(lambda: bool(clock.sleeping) or office.apps.standing()[0]["connected_at"] is not None)
            await clock.advance(1)

    told = [(log["event"], log.get("reason")) for log in logs]
    assert office.slack.calls["apps.connections.open"] == 4
    assert told == [("slack_app_disconnected", "slack_invalid_auth"), ("slack_app_connected", None)]
    assert "xapp" not in str(logs)


async def test_a_socket_without_a_hello_is_none(office: Office) -> None:
    office.slack.socket.greets = False
    office.connect()
    await office.slack.socket.wait_for(1)
    await office.slack.socket.send('{"type": "interactive"}')

    await eventually(lambda: office.apps.standing()[0]["error"] == "no_hello")


async def test_the_address_of_a_socket_is_a_secret(office: Office) -> None:
    await office.slack.socket.stop()  # nobody listens there any more
    with structlog.testing.capture_logs() as logs:
        office.connect()
        await eventually(lambda: office.apps.standing()[0]["error"] is not None)

    assert [log["event"] for log in logs] == ["slack_app_disconnected"]
    assert "ticket" not in str(logs) + str(office.apps.standing())


async def test_a_message_without_measure_costs_the_connection_and_nothing_else(
    office: Office, clock: FakeClock
) -> None:
    office.connect()
    message, _ = await office.sent()
    await office.press(message, Button.EXPLAIN)
    await office.slack.socket.send("x" * 3 * 1024 * 1024)
    await eventually(lambda: office.apps.standing()[0]["connected_at"] is None)
    await clock.advance(2)

    assert await office.press(message, Button.EXPLAIN)


async def test_an_address_that_is_no_socket_is_not_followed(office: Office) -> None:
    reply = Reply(body=b'{"ok": true, "url": "http://127.0.0.1:1/"}', headers={"Content-Type": "application/json"})
    office.slack.answer("apps.connections.open", reply)
    office.connect()

    await eventually(lambda: office.apps.standing()[0]["error"] == "no_address")


async def test_a_reload_starts_keeps_and_ends_connections_as_the_configuration_says(office: Office) -> None:
    office.connect()
    await office.slack.socket.wait_for(1)
    message, _ = await office.sent()

    office.connect("ops", "pager")  # the same app
    assert await office.press(message, Button.EXPLAIN)
    assert len(office.slack.socket.messages) == 1
    office.apps.change(office.config(app_token=None))
    await office.slack.socket.wait_until(lambda _: office.slack.socket.connected == [])
    assert office.apps.standing() == []
    office.connect()
    assert await office.press(message, Button.EXPLAIN)


async def test_a_dry_run_connects_to_nothing(office: Office) -> None:
    office.apps.change(office.config(), dry=True)

    assert office.apps.standing() == []


async def test_what_was_pressed_leaves_the_books_in_order(office: Office, ledger: Ledger) -> None:
    office.connect()
    message, _ = await office.sent(*(an_alert() for _ in range(3)))
    for button in (Button.MARK_READ, Button.SILENCE, Button.MARK_READ):
        await office.press(message, button)

    assert await states(ledger) == {"delivered": 3}
