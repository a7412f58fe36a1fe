"""Templates of each channel, as its receiver sees them, and what becomes of a message whose template fails."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import pytest

from bellwire.assembly import channels_of as plans_of
from bellwire.config.schema import Config
from bellwire.dispatch import Dispatch, Lane
from bellwire.errors import TemplateError
from bellwire.metrics import Metrics
from bellwire.model import DeliveryKind
from bellwire.templating.stationery import TemplateFile
from channel_rigs import a_channel, a_message, an_alert, apprise_rig, email_rig, envelope, slack_rig, webhook_rig
from fakes import FakeClock
from makers import PAGER, a_policy, an_arrival

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TITLE = "{{ alert.title }} <!here>"
TEXT = "<b>{{ alert.title }}</b>\n<https://x.example|open>"
ALERT = an_alert(title="A & <B>")


async def test_slack_shows_title_and_text_with_the_authors_markup() -> None:
    async with slack_rig(title=TITLE, text=TEXT) as rig:
        await rig.channel.send(envelope(rig.channel, a_message(ALERT, suppressed=2)))
        content = json.loads(rig.channel.render(a_message(ALERT, suppressed=2)))
        await rig.arrived(1)
    assert content["text"] == "A &amp; &lt;B&gt; <!here>"
    assert content["blocks"][0]["text"]["text"] == "A &amp; &lt;B&gt; <!here>"
    section, remark = content["attachments"][0]["blocks"]
    assert section["text"]["text"] == "<b>A &amp; &lt;B&gt;</b>\n<https://x.example|open>"
    assert remark["elements"][0]["text"] == "2 repeats were left out"


async def test_a_long_text_becomes_several_sections_of_slack_parted_between_lines() -> None:
    async with a_channel("slack", token="t", channel="#x", text="{% for i in range(500) %}line {{ i }} <&>\n{% endfor %}") as channel:  # fmt: skip
        content = json.loads(channel.render(a_message(ALERT)))
    sections = [block["text"]["text"] for block in content["attachments"][0]["blocks"]]
    assert all(len(section) <= 3000 for section in sections)
    assert "\n".join(sections).split("\n") == [f"line {n} <&>" for n in range(500)]


async def test_a_mail_has_the_template_as_html_and_the_same_without_tags_as_text() -> None:
    text = '<p>{{ alert.title }}</p><p><a href="{{ alert.url }}">open</a></p>'
    async with email_rig(title="{{ alert.title }}\r\nBcc: x@example.com", text=text) as rig:
        await rig.channel.send(envelope(rig.channel, a_message(ALERT)))
        await rig.arrived(1)
        raw = rig.bodies()[0].decode()
    assert "Subject: A & <B> Bcc: x@example.com" in raw
    assert "\nBcc:" not in raw
    async with a_channel(
        "email", to=["a@x.example"], **{"from": "b@x.example"}, smarthost="x:25", text=text
    ) as channel:
        from email import message_from_bytes, policy  # noqa: PLC0415 - here alone

        mail = message_from_bytes(channel.render(a_message(ALERT)), policy=policy.default)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().startswith("A & <B>\r\nopen (https://vendor.example/views/7?tab=1&x=2)")
    assert "<div dir='auto'><p>A &amp; &lt;B&gt;</p>" in html.get_content()
    assert "Delivery 01JDELIVERY000000000000001 to ops" in plain.get_content()


async def test_line_ends_of_a_mails_template_without_tags_stay_line_ends() -> None:
    async with a_channel(
        "email", to=["a@x.example"], **{"from": "b@x.example"}, smarthost="x:25", text="a\nb"
    ) as channel:
        body = channel.render(a_message(ALERT))
    assert b"white-space:pre-wrap'>a\r\nb</div>" in body.replace(b"=\r\n", b"").replace(b"=3D", b"=")


async def test_a_webhooks_body_has_title_and_text_beside_the_contracts_keys() -> None:
    async with webhook_rig(title=TITLE, text="{{ kind }}: {{ alert.title }}") as rig:
        await rig.channel.send(envelope(rig.channel, a_message(ALERT)))
        await rig.arrived(1)
        body = json.loads(rig.bodies()[0])
    assert (body.pop("title"), body.pop("text")) == ("A & <B> <!here>", "alert: A & <B>")
    async with webhook_rig() as rig:
        assert body == json.loads(rig.channel.render(a_message(ALERT)))


async def test_apprise_gets_title_and_text_and_below_them_what_bellwire_says() -> None:
    async with apprise_rig(title="@here {{ alert.title }}", text="{{ alerts | length }}") as rig:
        await rig.channel.send(envelope(rig.channel, a_message(an_alert(title="@everyone"), errors=("odd",))))
        await rig.arrived(1)
        body = json.loads(rig.bodies()[0])
    assert body["title"] == "@here @\u200beveryone"
    assert body["message"] == "1\n\nBellwire: odd"


async def test_the_kind_of_a_message_stands_before_its_templated_title() -> None:
    async with webhook_rig(title="{{ alert.title }}") as rig:
        for kind, title in (
            (DeliveryKind.REPLAY, "[replay] x"),
            (DeliveryKind.TEST, "[test] x"),
            (DeliveryKind.GROUP, "x"),
        ):
            assert json.loads(rig.channel.render(a_message(an_alert(title="x"), kind=kind)))["title"] == title


async def test_messages_about_bellwire_itself_and_empty_results_use_the_own_form() -> None:
    async with webhook_rig(title="{{ alert.title }}", text="{% if false %}x{% endif %}") as rig:
        assert "title" not in json.loads(
            rig.channel.render(a_message(alerts=(), kind=DeliveryKind.META, errors=("e",)))
        )
        assert "text" not in json.loads(rig.channel.render(a_message(ALERT)))


async def test_a_template_that_fails_at_run_time_falls_back_to_the_own_form_with_the_error(ledger: Ledger) -> None:
    clock, metrics = FakeClock(ledger.clock.now()), Metrics()
    async with webhook_rig(text="{{ 1 / (alert.title | length - 5) }}") as rig:
        with pytest.raises(TemplateError):
            rig.channel.render(a_message(an_alert(title="five!")))
        lane = Lane(policy=a_policy(), channel=rig.channel, width=1)
        dispatch = Dispatch(lane, ledger, clock, metrics, random.Random(1))
        task = asyncio.create_task(dispatch.run())
        await ledger.record([an_arrival(PAGER, alert=an_alert(id="", title="five!"))])
        await rig.arrived(1)
        dispatch.stop()
        await task
        body = json.loads(rig.bodies()[0])
    assert body["alerts"][0]["title"] == "five!"
    assert body["alerts"][0]["payload"] == {"id": "n-1", "metadata": {"result_count": 12}}  # nothing else is left out
    (error,) = body["errors"]
    assert error.startswith("this is the plain form, for a template failed (line 1): cannot be computed (ZeroDivision")
    failed = {"receiver": "pager", "channel": "webhook"}
    assert metrics.registry.get_sample_value("bellwire_render_errors_total", failed) == 1


def test_a_changed_template_file_changes_the_plans_of_channels_with_templates_alone() -> None:
    receivers = [
        {"name": "with", "webhook_configs": [{"url": "http://x/", "title": "{{ kind }}"}]},
        {"name": "without", "webhook_configs": [{"url": "http://x/"}]},
    ]
    config = Config.model_validate({"route": {"receiver": "with"}, "receivers": receivers})
    first, second = (
        plans_of(config.with_template_files((TemplateFile(name="a.j2", path="/a.j2", source=source),)))
        for source in ("one", "two")
    )
    assert {key.receiver: first[key] == second[key] for key in first} == {"with": False, "without": True}
