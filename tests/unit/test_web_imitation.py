from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.channels.email_message import mail
from bellwire.channels.slack_blocks import payload
from bellwire.channels.webhook_body import webhook_body
from bellwire.model import DeliveryKind, Message
from bellwire.web.imitation import imitate, mail_html, mrkdwn
from bellwire.web.messages import message_of
from makers import an_alert


def a_preview(kind: str, body: bytes | None) -> dict[str, object]:
    return {"receiver": "ops", "channel": kind, "name": "", "body": body, "error": None}


def a_message(title: str) -> Message:
    alert = an_alert(title=title, url="https://vision.example/?a=1&b=2")
    return Message(delivery_id="01J", kind=DeliveryKind.ALERT, receiver="ops", alerts=(alert,))


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("*bold* and _leaning_ `code`", "<b>bold</b> and <i>leaning</i> <code>code</code>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("&lt;b&gt; &amp; co", "&lt;b&gt; &amp; co"),
        (
            "<https://a.example/?x=1&amp;y=2|*here*>",
            '<a href="https://a.example/?x=1&amp;y=2" rel="noreferrer noopener"><b>here</b></a>',
        ),
        ("<!date^1^{date}|10:00>", '<span class="mention">10:00</span>'),
        ("<javascript:alert(1)|click>", '<span class="mention">click</span>'),
        ("<!subteam^S1>", '<span class="mention">!subteam^S1</span>'),
    ],
)
def test_slacks_markup_becomes_html(markup: str, shown: str) -> None:
    assert mrkdwn(markup) == shown


@given(st.text())
def test_whatever_a_vendor_writes_stays_text_in_slacks_imitation(title: str) -> None:
    body = orjson.dumps(payload(a_message(f"<script>{title}".encode("utf-8", "replace").decode())))
    shown = imitate(a_preview("slack", body))
    everything = "".join(str(each["html"]) for each in shown["blocks"])
    assert "<script" not in everything


def test_a_mail_is_taken_apart() -> None:
    body = mail(a_message("Weld <seam>"), "bellwire@example.com", "oncall@example.com")
    shown = imitate(a_preview("email", body))
    assert dict(shown["heads"])["To"] == "oncall@example.com"
    assert "Weld <seam>" in shown["text"]
    assert shown["has_html"]
    html = mail_html(body)
    assert html is not None
    assert "Weld &lt;seam&gt;" in html


def test_programs_get_the_same_messages_without_markup() -> None:
    message = a_message("Weld <seam>")
    slack = message_of(a_preview("slack", orjson.dumps(payload(message))))
    assert "Weld &lt;seam&gt;" in slack["text"]
    assert "vision · visual_layer" in slack["text"]
    assert (slack["title"], slack["body"]) == (payload(message)["text"], payload(message))
    mailed = message_of(a_preview("email", mail(message, "bellwire@example.com", "oncall@example.com")))
    assert "Weld <seam>" in mailed["title"]
    assert "Weld <seam>" in mailed["text"]
    assert "Weld &lt;seam&gt;" in mailed["html"]
    hooked = message_of(a_preview("webhook", webhook_body(message, title="templated")))
    assert (hooked["title"], hooked["text"], hooked["body"]["alerts"][0]["title"]) == ("templated", None, "Weld <seam>")
    assert message_of(a_preview("slack", b'{"blocks": 1}'))["text"] == '{"blocks": 1}'
    assert message_of(a_preview("webhook", b"\xff{"))["text"] == "\N{REPLACEMENT CHARACTER}{"


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    shown = imitate(a_preview("slack", b'{"blocks": [{"type": "section"}]}'))
    assert shown["form"] == "text"
    assert imitate(a_preview("webhook", b"\xff{"))["text"] == "\N{REPLACEMENT CHARACTER}{"
    assert imitate(a_preview("slack", None) | {"error": "gone"})["form"] == "error"


def test_a_block_of_a_later_version_is_left_out_and_the_rest_shown() -> None:
    blocks = [{"type": "image"}, {"type": "section", "text": {"text": "hello"}}]
    shown = imitate(a_preview("slack", orjson.dumps({"blocks": blocks})))
    assert [str(each["html"]) for each in shown["blocks"]] == ["", "hello"]
