"""Buttons under a message in Slack: what they look like, what a press of one says, and what it silences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.buttons.likeness import likenesses
from bellwire.channels.slack_blocks import payload
from bellwire.channels.slack_buttons import Button, read_press, with_presses
from bellwire.demo.receivers.slack_socket import a_press
from bellwire.model import DeliveryKind
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import all_match, check_silence
from channel_rigs import a_message, an_alert

DELIVERY = "01JDELIVERY000000000000001"

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def posted(*alerts: Any, **changes: Any) -> dict[str, Any]:
    """Return a message with buttons, as it stands in a conversation."""
    body = payload(a_message(*alerts, **({"delivery_id": DELIVERY} | changes)), buttons=True)
    return body | {"channel": "C0000001", "ts": "1764000000.000100"}


def buttons(body: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [block for attachment in body["attachments"] for block in attachment["blocks"]]
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def test_each_message_about_alerts_has_three_buttons_that_name_its_delivery() -> None:
    found = buttons(posted())

    assert [each["action_id"] for each in found] == [button.value for button in Button]
    assert [each["text"]["text"] for each in found] == ["Mark read", "Silence 1 h", "Explain"]
    assert {each["value"] for each in found} == {DELIVERY}


def test_the_buttons_of_many_alerts_say_how_many_they_are_for() -> None:
    found = buttons(posted(*(an_alert(title=f"Alert {n}") for n in range(40)), kind=DeliveryKind.DIGEST))

    assert [each["text"]["text"] for each in found] == ["Mark 40 read", "Silence 40 for 1 h", "Explain"]


@pytest.mark.parametrize("kind", [DeliveryKind.META, DeliveryKind.TEST])
def test_what_is_about_no_alert_has_none(kind: DeliveryKind) -> None:
    assert buttons(posted(kind=kind)) == []


def test_a_press_says_who_pressed_what() -> None:
    press = read_press(a_press(posted(), Button.SILENCE))

    assert press is not None
    assert (press.button, press.delivery_id, press.user_id) == (Button.SILENCE, DELIVERY, "U0123ABCD")
    assert (press.channel, press.ts) == ("C0000001", "1764000000.000100")
    assert press.who == "dana (U0123ABCD) in Slack"


@pytest.mark.parametrize(
    "changes",
    [
        {"user": {"id": "<!channel>"}},
        {"user": None},
        {"type": "view_submission"},
        {"channel": None, "container": {}, "response_url": 5},
    ],
)
def test_what_cannot_be_answered_is_no_press(changes: dict[str, Any]) -> None:
    assert read_press(a_press(posted(), Button.EXPLAIN) | changes) is None


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"action_id": ["bellwire_explain"], "value": DELIVERY},
        {"action_id": "bellwire_format_disk", "value": DELIVERY},
        {"action_id": "bellwire_explain", "value": "' OR 1=1 --"},
        {"action_id": "bellwire_explain", "value": "A" * 100_000},
        {"action_id": "bellwire_explain", "value": {"a": 1}},
    ],
)
def test_a_strange_button_is_still_a_press_that_can_be_answered(action: dict[str, Any]) -> None:
    press = read_press(a_press(posted(), Button.EXPLAIN, actions=[action]))

    assert press is not None
    assert press.button is None or press.delivery_id == ""


@given(
    st.dictionaries(st.sampled_from(["type", "user", "channel", "container", "message", "actions"]), ANYTHING), ANYTHING
)
def test_nothing_that_arrives_raises(changes: dict[str, Any], whole: Any) -> None:
    read_press(whole)
    press = read_press(a_press(posted(), Button.MARK_READ) | changes)
    if press is not None:
        with_presses(press.shown, ["x"])


def test_who_pressed_stands_below_the_buttons_in_one_block_whatever_was_there_before() -> None:
    once = with_presses(posted(), ["<@U1> did this"])
    assert once is not None
    twice = with_presses(once, ["<@U1> did this", "<@U2> did that"])
    assert twice is not None

    last = twice["attachments"][-1]["blocks"]
    assert [block["type"] for block in last] == ["actions", "context"]
    assert last[-1]["elements"][0]["text"] == "<@U1> did this\n<@U2> did that"
    assert twice["attachments"][:-1] == posted()["attachments"][:-1]
    assert with_presses({"attachments": []}, ["x"]) is None


# --- what is silenced ------------------------------------------------------------------------------------------------


def labelled(**values: Any) -> Any:
    """Return an alert with the labels that every alert has."""
    alert = an_alert(**values)
    return an_alert(**values | {"labels": {**alert.labels, "account": alert.account, "type": alert.type}})


def silences(alert: Any, matchers: tuple[str, ...]) -> bool:
    return all_match([one for text in matchers for one in parse_matchers(text)], alert)


def test_like_an_alert_is_what_has_its_account_type_and_title_whatever_it_counts() -> None:
    (matchers,) = likenesses([labelled()])

    assert silences(labelled(), matchers)
    assert silences(labelled(title="Scratches: 3 new results in line-4"), matchers)
    assert not silences(labelled(title="Scratches: 12 new results in line-5"), matchers)
    assert not silences(labelled(title="Dents: 12 new results in line-4"), matchers)
    assert not silences(labelled(account="other"), matchers)
    assert not silences(labelled(type="notification"), matchers)


def test_a_title_that_counts_nothing_is_silenced_as_it_is() -> None:
    (matchers,) = likenesses([labelled(title='Job 17 "a.b" failed', labels={})])

    assert matchers[-1] == 'title="Job 17 \\"a.b\\" failed"'


def test_the_alerts_of_a_digest_share_silences_by_account_and_type() -> None:
    alerts = [labelled(title=f"Job {n} failed (a|b)", labels={}) for n in range(30)]
    found = likenesses([*alerts, *alerts, labelled(account="other")])

    assert len(found) == 3
    for alert in alerts:
        assert any(silences(alert, matchers) for matchers in found)
    assert not any(silences(labelled(title="Job 30 failed (a|b)", labels={}), matchers) for matchers in found)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), min_size=1, max_size=5))
def test_whatever_a_title_holds_its_silence_meets_it(titles: list[str]) -> None:
    alerts = [labelled(title=title) for title in titles]
    found = likenesses(alerts)

    for matchers in found:
        check_silence([one for text in matchers for one in parse_matchers(text)])
    for alert in alerts:
        assert any(silences(alert, matchers) for matchers in found)
