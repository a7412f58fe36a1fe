from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.channels.slack_blocks import payload
from bellwire.channels.slack_mentions import Mentions
from bellwire.config.schema import MentionConfig
from bellwire.model import DeliveryKind, Severity
from channel_rigs import DELIVERY, a_message, an_alert


def _texts(body: dict[str, Any]) -> list[str]:
    blocks = [*body["blocks"], *(block for attachment in body["attachments"] for block in attachment["blocks"])]
    blocks = [block for block in blocks if block["type"] != "actions"]
    return [text["text"] for block in blocks for text in block.get("elements", [block.get("text")])]


def test_an_alert_shows_its_title_as_a_link_its_text_its_labels_and_where_it_comes_from() -> None:
    body = payload(a_message())

    title, text, labels, source = _texts(body)
    assert title == "🟡 *<https://vendor.example/views/7?tab=1&amp;x=2|Scratches: 12 new results in line-4>*"
    assert text == "The monitor found 12 new results."
    assert labels == "result_count: *12*"
    assert source.startswith("vision · visual_layer · alert · warning · <!date^")
    assert body["text"] == "🟡 Scratches: 12 new results in line-4"
    assert body["metadata"]["event_payload"] == {"delivery_id": DELIVERY, "alerts": 1, "severity": 2}


def test_each_severity_has_a_colour_of_its_own() -> None:
    bodies = [payload(a_message(an_alert(severity=severity))) for severity in Severity]

    assert len({body["attachments"][0]["color"] for body in bodies}) == len(Severity)


def test_a_group_of_forty_names_every_alert_by_its_title_within_slacks_limits() -> None:
    alerts = [an_alert(title=f"Alert <{n}> " + "&" * 400, message="m&" * 5000) for n in range(40)]

    body = payload(a_message(*alerts, kind=DeliveryKind.DIGEST, errors=("e",) * 50, suppressed=3))

    texts = _texts(body)
    assert len(texts) <= 50
    assert sum(map(len, texts)) < 40_000
    for n in range(40):
        assert any(f"Alert &lt;{n}&gt;" in text for text in texts)


def test_the_largest_message_has_room_for_buttons_a_count_and_who_pressed() -> None:
    alerts = [an_alert(title=f"Alert {n}") for n in range(40)]
    body = payload(a_message(*alerts, kind=DeliveryKind.GROUP, errors=("e",) * 50, suppressed=3), buttons=True)

    blocks = [*body["blocks"], *(block for attachment in body["attachments"] for block in attachment["blocks"])]
    assert len(blocks) + 2 <= 50  # the count, and the line that tells who pressed
    assert [block["type"] for block in blocks].count("actions") == 1


@given(st.text(max_size=5000), st.text(max_size=5000))
def test_nothing_that_a_vendor_writes_is_markup(title: str, text: str) -> None:
    body = payload(a_message(an_alert(title="<!channel>" + title, message="<@U1>" + text, url=None)))

    for shown in (body["text"], *_texts(body)):
        inner = shown.replace("<!date^", "", 1) if "<!date^" in shown else shown
        assert "<" not in inner
        assert len(shown) <= 3000


def test_mentions_stand_before_the_title_each_once_where_their_matchers_fit() -> None:
    mentions = Mentions(
        [
            MentionConfig(matchers=['severity >= "error"'], text="<!subteam^S123>"),
            MentionConfig(matchers=['severity = "critical"', 'api = "elan"'], text="<!here>"),
        ]
    )
    quiet, loud = an_alert(), an_alert(labels={**an_alert().labels, "severity": "critical"})

    assert mentions.of([quiet]) == ""
    assert mentions.of([quiet, loud, loud]) == "<!subteam^S123>"
    assert _texts(payload(a_message(loud), mentions.of([loud])))[0].startswith("<!subteam^S123> ")


@pytest.mark.parametrize("length", range(2985, 3015))
def test_a_cut_never_splits_an_escaped_character(length: int) -> None:
    body = payload(a_message(an_alert(message="x" * (length - 2990) + "&" * 3000)))

    text = _texts(body)[1]
    assert text.replace("&amp;", "").count("&") == 0
