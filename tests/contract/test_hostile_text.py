"""What alerts say is neither executed nor able to break a message, in any channel, in its own form and through templates."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bellwire.channels import CHANNELS, channels_of
from bellwire.config.schema import ReceiverConfig
from bellwire.errors import TemplateError
from bellwire.http import HttpPool
from bellwire.model import DeliveryKind
from bellwire.templating.escaping import clean
from bellwire.templating.stationery import NOTHING, Stationery
from channel_rigs import RIGS, Rig, a_message, an_alert, envelope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.model import Alert, Message
    from bellwire.ports import Channel

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TEMPLATES = {
    "own form": {},
    "templates": {
        "title": "{{ alert.title }} {{ '<b>' ~ alert.title }}",
        "text": "<https://x.example|{{ alert.title }}>\n{% for a in alerts %}{{ a.title }} {{ a.message }} {{ a.labels }}\n{% endfor %}",
    },
}
HOSTILE: dict[str, Alert] = {
    "ten megabytes": an_alert(message="<x>&{{ 7*7 }}" * 800_000),
    "an endless title": an_alert(title="T" * 100_000),
    "an endless title of markup": an_alert(title="<&>" * 33_000, message="<&>" * 33_000),
    "control characters": an_alert(title="a\x00b\x1b[31mc\x7f\x9b\r\nBcc: all@example.com", message="\x00\x08\x1b]0;x\x07"),
    "a header": an_alert(title="x\r\nBcc: v@example.com\r\n\r\nbody\u2028Cc: o@example.com\x0bTo: z@example.com"),
    "lone surrogates": an_alert(title="\ud800x\udfff", message="\udc00" * 100, labels={"a\ud800": "b\udfff"}, payload={"\ud800": "\udc00"}),
    "templates": an_alert(title="{{ 7 * 7 }}{% raw %}", message="{% for i in range(10**9) %}{% endfor %}{{ ''.__class__ }}"),
    "slack": an_alert(title="<!channel> <@U1> <!subteam^S1> <#C1> <https://evil.example|Open>", message="<!everyone> &lt;!here&gt; @here"),
    "html": an_alert(title="</title><script>alert(1)</script>", message="<img src=x onerror=alert(1)></td></table></div>'\""),
    "reversed": an_alert(title="\u202egpj.exe\u2066", message="\u202e\u2067\u200f" * 1000),
    "hidden": an_alert(title="a\u200bb\u2060c\ufeffd\u00ade\U000e0041", message="\U000e0061" * 1000),
    "stacked": an_alert(title="z" + "\u0301" * 10_000, message="z" + "\u0489" * 100_000),
    "an address that does something": an_alert(url="javascript:alert(1)"),
    "an address that ends early": an_alert(url="https://e.example/>|<!channel>'\""),
    "nothing at all": an_alert(title="", message="", url=None, labels={}, payload=None),
    "a thousand labels": an_alert(labels={f"label_{n}<b>": "v\n<!here>" * 500 for n in range(1000)}),
    "what no JSON has": an_alert(payload={"n": 2**80, "x": float("nan"), "y": [float("inf")]}),
}  # fmt: skip

_LINKS = re.compile(r"<(?:https://(?:vendor|x)\.example|!date\^)[^<>]*>")  # what we, or the template's author, wrote
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


@pytest.fixture(params=list(CHANNELS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(TEMPLATES))
def templates(request: pytest.FixtureRequest) -> dict[str, str]:
    return TEMPLATES[request.param]


@pytest.fixture
async def rig(kind: str, templates: dict[str, str]) -> AsyncIterator[Rig]:
    async with RIGS[kind](**templates) as made:
        yield made


SETTINGS: dict[str, dict[str, Any]] = {
    "slack": {"token": "t", "channel": "#ops"},
    "email": {"to": ["a@example.com"], "from": "b@example.com", "smarthost": "localhost:25", "tls": "none"},
    "webhook": {"url": "http://localhost/"},
    "apprise": {"url": "json://localhost/"},
}


def unconnected(kind: str, templates: dict[str, str], stationery: Stationery = NOTHING) -> Channel:
    """Return a channel that is only to render."""
    receiver = ReceiverConfig.model_validate({"name": "ops", f"{kind}_configs": [{**SETTINGS[kind], **templates}]})
    (channel,) = channels_of(receiver, HttpPool(), stationery).values()
    return channel


def texts(found: Any) -> list[str]:
    """Return every text within a JSON value."""
    if isinstance(found, str):
        return [found]
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [text for each in inner for text in texts(each)]


def check_slack(body: bytes) -> list[str]:
    shown = orjson.loads(body)
    blocks = [*shown["blocks"], *(block for attachment in shown["attachments"] for block in attachment["blocks"])]
    assert len(blocks) <= 50
    prose = [text for block in blocks for text in texts(block)] + [shown["text"]]
    for text in prose:
        assert len(text) <= 3000
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
        rest = _LINKS.sub("", text).replace("<b>", "")
        assert "<" not in rest or rest.count("<") == rest.count("<https://x.example|"), rest[:300]
    return prose


def check_email(body: bytes) -> list[str]:
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))
    mail = message_from_bytes(body, policy=policy.default)
    assert (mail.get_all("To"), mail.get_all("Cc"), mail.get_all("Bcc")) == (["a@example.com"], None, None)
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    text, markup = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert markup is not None
    tags = set(re.findall(r"<([a-z0-9]+)", markup.get_content().lower()))
    own = {"html", "head", "meta", "body", "div", "p", "a", "table", "tr", "td", "h2", "b", "https"}
    assert tags <= own, tags - own
    assert "onerror" not in html.unescape("".join(re.findall(r"<[^>]*>", markup.get_content().lower())))
    return [str(mail["Subject"]), text.get_content().replace("\r\n", "\n")]


def check_webhook(body: bytes) -> list[str]:
    shown = json.loads(body.decode())  # UTF-8, without lone surrogates, strictly JSON
    json.dumps(shown, allow_nan=False)
    contract = [
        "version",
        "delivery_id",
        "kind",
        "receiver",
        "group_key",
        "group_labels",
        "part",
        "parts",
        "origin",
        "suppressed",
        "alerts",
    ]
    assert list(shown)[:11] == contract
    return [shown[key] for key in ("title", "text") if key in shown]


def check_apprise(body: bytes) -> list[str]:
    shown = orjson.loads(body)
    assert "\n" not in shown["title"]
    assert not re.search(r"@(everyone|here|channel)\b|<[@!#]", shown["title"] + shown["body"])
    return [shown["title"].replace("\u200b", ""), shown["body"].replace("\u200b", "")]


CHECKS = {"slack": check_slack, "email": check_email, "webhook": check_webhook, "apprise": check_apprise}


def rendered(channel: Channel, message: Message) -> bytes:
    """Render as dispatch does: what is too much for a template goes out in the channel's own form."""
    try:
        return channel.render(message)
    except TemplateError:
        return channel.render(replace(message, own_form=True, errors=("a template failed",)))


def check(kind: str, channel: Channel, message: Message) -> None:
    prose = CHECKS[kind](rendered(channel, message))
    for text in prose:
        assert not _FORBIDDEN.search(text), repr(_FORBIDDEN.search(text))
        assert len(text) < 1_000_000


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_text_arrives_as_text(rig: Rig, hostile: str) -> None:
    message = a_message(HOSTILE[hostile])

    await rig.channel.send(envelope(rig.channel, replace(message, own_form=True), body=rendered(rig.channel, message)))

    await rig.arrived(1)
    assert len(rig.ids()) == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_breaks_no_message(kind: str, templates: dict[str, str], hostile: str, count: int) -> None:
    message = a_message(
        *[HOSTILE[hostile]] * count,
        kind=DeliveryKind.DIGEST if count > 1 else DeliveryKind.ALERT,
        group_labels={"x": clean(HOSTILE[hostile].title[:1000])},
        errors=(clean(HOSTILE[hostile].title[:1000]),),
    )
    check(kind, unconnected(kind, templates), message)


_ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=300) | st.text(
    alphabet="<>&@!#|{}%'\"\r\n\u202e\u200b\x00 aehnoprsty", max_size=300
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=_ANY, message=_ANY, label=_ANY)
def test_any_text_breaks_no_message(kind: str, templates: dict[str, str], title: str, message: str, label: str) -> None:
    alert = an_alert(title=title, message=message, labels={"x": label}, payload={"a": title})
    check(kind, unconnected(kind, templates), a_message(alert))
    check(kind, unconnected(kind, templates), a_message(alert, alert, kind=DeliveryKind.GROUP))


@pytest.mark.parametrize("kind", ["slack", "email", "apprise"])
@pytest.mark.parametrize(
    "alert",
    [an_alert(message="m" * 1_000_000), an_alert(title="t" * 100_000), an_alert(message="<" * 2_900 + "x" * 160_000)],
    ids=["message", "title", "markup"],
)
def test_what_is_cut_says_so_and_where_the_whole_is(kind: str, alert: Alert) -> None:
    address = "https://bell.example/alerts/01JALERT000000000000000001"
    for stationery, whole in (
        (NOTHING, "`bellwire explain 01JALERT000000000000000001`"),
        (Stationery(external_url="https://bell.example/"), address),
    ):
        for templates in ({}, {"text": "{{ alert.title }}{{ alert.message }}"}):
            shown = "\n".join(CHECKS[kind](unconnected(kind, templates, stationery).render(a_message(alert))))
            assert "cut" in shown
            assert f"whole: {whole}" in shown


@pytest.mark.parametrize("kind", ["slack", "email", "apprise"])
def test_what_is_cut_among_several_says_so_too(kind: str) -> None:
    alerts = [an_alert(id=f"01JALERT{n:018d}", title="t" * 100_000, message="m" * 100_000) for n in range(3)]
    shown = "\n".join(CHECKS[kind](unconnected(kind, {}).render(a_message(*alerts, kind=DeliveryKind.GROUP))))
    for alert in alerts:
        assert f"whole: `bellwire explain {alert.id}`" in shown
