"""Every channel can tell of a trouble: what it renders names it, and says that it comes from Bellwire itself."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import orjson
import pytest

from bellwire.channels import CHANNELS, channels_of
from bellwire.config.schema import ReceiverConfig
from bellwire.http import HttpPool
from bellwire.ledger.telling import About, message_of
from bellwire.meta.wording import beginning
from bellwire.model import TroubleKind

if TYPE_CHECKING:
    from bellwire.model import Message

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)

RECEIVER = ReceiverConfig.model_validate(
    {
        "name": "ops",
        "slack_configs": [{"token": "xoxb-1", "channel": "#ops"}],
        "webhook_configs": [{"url": "http://127.0.0.1:9/hook"}],
        "email_configs": [{"to": ["a@example.com"], "from": "b@example.com", "smarthost": "127.0.0.1:25"}],
        "apprise_configs": [{"url": "json://127.0.0.1:9"}],
    }
)


def a_message() -> Message:
    kind = TroubleKind.CHANNEL_BROKEN
    telling = beginning(kind, "pager/webhook", "http_503: 503 Service Unavailable")
    about = About(id="01TROUBLE", kind=kind, subject="pager/webhook", began_at=TEN)
    return message_of("01MESSAGE", "ops", about, telling)


@pytest.mark.parametrize("kind", CHANNELS)
async def test_every_channel_can_tell_of_a_trouble(kind: str) -> None:
    pool = HttpPool()
    (channel,) = [channel for key, channel in channels_of(RECEIVER, pool).items() if key.kind == kind]
    body = channel.render(a_message())
    if kind == "email":
        mail = message_from_bytes(body, policy=policy.default)
        part = mail.get_body(("plain",))
        text = str(mail["Subject"]) + (part.get_content() if part else "")
    else:
        text = orjson.dumps(orjson.loads(body)).decode()
    assert "pager/webhook does not get through" in text
    assert "503 Service Unavailable" in text
    assert "bellwire" in text.lower()
    await pool.close()
