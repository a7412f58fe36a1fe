"""Intake over a real ledger: what becomes of a notification before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bellwire.intake import CatchUp, Intake, Mailbox, Rulebook, clean
from bellwire.ledger import reading
from bellwire.metrics import Metrics
from bellwire.model import MarkPolicy, Notification, Severity, Via
from bellwire.routing.inhibition import InhibitRule
from bellwire.routing.matchers import matcher
from bellwire.routing.rules import Rules
from bellwire.routing.tree import Route
from makers import OPS, PAGER, VISION, a_policy

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Alert
    from fakes import FakeClock


RULEBOOK = Rulebook(
    rules=Rules(
        root=Route(
            path="route",
            receiver="ops",
            children=(
                Route(path="route.routes[0]", matchers=(matcher("severity", ">=", "error"),), receiver="pager"),
                Route(path="route.routes[1]", matchers=(matcher("type", "=", "noise"),), receiver=None),
            ),
        )
    ),
    channels={"ops": (OPS,), "pager": (PAGER,)},
)


def an_intake(ledger: Ledger, clock: FakeClock, metrics: Metrics | None = None, **mailbox: Any) -> Intake:
    return Intake(ledger, clock, metrics or Metrics(), RULEBOOK, {VISION: Mailbox(api="visual_layer", **mailbox)})


def found(number: int = 1, **values: Any) -> Notification:
    every: dict[str, Any] = {"upstream_id": f"n{number}", "type": "alert", "severity": Severity.ERROR, "title": "T"}
    return Notification(**every | values)


async def stories(ledger: Ledger) -> list[dict[str, Any]]:
    return await ledger.ask(lambda connection: reading.recent_alerts(connection, 100))


async def test_a_notification_becomes_an_alert_with_the_labels_that_every_alert_has(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock, labels={"team": "vision"})
    assert await intake.receive(VISION, [found(labels={"view_name": "Doors"})], Via.STREAM, {"late": "true"}) == 1
    (claim,) = (await ledger.claim(a_policy(PAGER), 1)).claims
    (alert,) = claim.message.alerts
    assert alert.labels == {
        "account": "vision",
        "api": "visual_layer",
        "type": "alert",
        "severity": "error",
        "team": "vision",
        "view_name": "Doors",
        "late": "true",
    }
    assert alert.created_at == clock.now()  # the vendor gave none


async def test_a_vendors_keys_take_the_place_of_none_of_the_labels_that_every_alert_has(
    ledger: Ledger, clock: FakeClock
) -> None:
    vendors = dict.fromkeys(("account", "api", "type", "severity", "team", "late", "title"), "theirs")
    intake = an_intake(ledger, clock, labels={"team": "vision"})
    assert await intake.receive(VISION, [found(labels=vendors)], Via.STREAM, {"late": "true"}) == 1
    (claim,) = (await ledger.claim(a_policy(PAGER), 1)).claims
    (alert,) = claim.message.alerts
    assert alert.labels == {
        "account": "vision",
        "api": "visual_layer",
        "type": "alert",
        "severity": "error",
        "team": "vision",
        "late": "true",
        "title": "theirs",  # kept; rules read the alert's own
    }


async def test_what_is_known_is_not_taken_again(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock)
    assert await intake.receive(VISION, [found(1), found(2)], Via.STREAM) == 2
    for via in Via:
        assert await intake.receive(VISION, [found(1), found(2)], via) == 0


async def test_what_a_rule_drops_is_recorded_and_counted_as_dropped(ledger: Ledger, clock: FakeClock) -> None:
    metrics = Metrics()
    intake = an_intake(ledger, clock, metrics)
    await intake.receive(VISION, [found(type="noise", severity=Severity.INFO)], Via.STREAM)
    (story,) = await stories(ledger)
    assert (story["state"], story["suppressed"], story["obligations"]) == ("suppressed", "dropped", [])
    assert metrics.registry.get_sample_value("bellwire_suppressed_total", {"reason": "dropped"}) == 1


@pytest.mark.parametrize(
    ("first_start", "catch_up", "reason"),
    [
        (True, CatchUp(first_start="none"), "before_first_start"),
        (False, CatchUp(policy="none"), "catch_up"),
        (False, CatchUp(policy="all", max_age=timedelta(hours=1)), "catch_up"),
    ],
)
async def test_what_the_catch_up_policy_leaves_out_is_suppressed_with_its_reason(
    ledger: Ledger, clock: FakeClock, *, first_start: bool, catch_up: CatchUp, reason: str
) -> None:
    intake = an_intake(ledger, clock, catch_up=catch_up)
    old = found(created_at=clock.now() - timedelta(hours=2))
    await intake.receive(VISION, [old], Via.CATCH_UP, first_start=first_start)
    (story,) = await stories(ledger)
    assert (story["state"], story["suppressed"]) == ("suppressed", reason)


async def test_the_catch_up_policy_is_for_catch_ups_alone(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock, catch_up=CatchUp(policy="none", first_start="none"))
    await intake.receive(VISION, [found()], Via.STREAM)
    (story,) = await stories(ledger)
    assert story["state"] == "in_flight"


async def test_a_rule_of_inhibition_that_raises_holds_up_nothing_and_is_told(ledger: Ledger, clock: FakeClock) -> None:
    def explode(_: Alert) -> str:
        raise RuntimeError

    bomb = (replace(matcher("type", "=", "a"), read=explode),)
    rule = InhibitRule(path="inhibit_rules[0]", source=bomb, target=bomb)
    rulebook = replace(RULEBOOK, rules=replace(RULEBOOK.rules, inhibit_rules=(rule,)))
    metrics = Metrics()
    intake = Intake(ledger, clock, metrics, rulebook, {VISION: Mailbox(api="visual_layer")})
    with capture_logs() as logs:
        assert await intake.receive(VISION, [found()], Via.STREAM) == 1
    assert [log["errors"] for log in logs if log["event"] == "rule_failed"] == [
        ("inhibit_rules[0] raised RuntimeError",)
    ]
    assert metrics.registry.get_sample_value("bellwire_rule_errors_total") == 1
    assert len((await ledger.claim(a_policy(PAGER), 10)).claims) == 1


async def test_a_first_start_is_told_in_one_digest_once_it_has_read_everything(
    ledger: Ledger, clock: FakeClock
) -> None:
    intake = an_intake(ledger, clock)
    await intake.receive(VISION, [found(1), found(2)], Via.CATCH_UP, first_start=True)
    await intake.receive(VISION, [found(3)], Via.CATCH_UP, first_start=True)
    assert (await ledger.claim(a_policy(PAGER), 10)).claims == ()
    await intake.caught_up(VISION)
    (claim,) = (await ledger.claim(a_policy(PAGER), 10)).claims
    assert [alert.upstream_id for alert in claim.message.alerts] == ["n1", "n2", "n3"]


async def test_an_item_without_an_id_of_its_own_is_delivered_but_never_marked(ledger: Ledger, clock: FakeClock) -> None:
    intake = an_intake(ledger, clock, mark=MarkPolicy.HANDLED)
    await intake.receive(VISION, [found(type="noise", severity=Severity.INFO, markable=False)], Via.POLL)
    assert (await ledger.due_marks(VISION, 10)).marks == ()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("plain", "plain"), ("ü\0ü", "ü\ufffdü"), ("a\0", "a\ufffd"), ("\ud83d", "?"), ("\U0001f525", "\U0001f525")],
)
def test_text_that_no_database_can_hold_is_replaced(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
