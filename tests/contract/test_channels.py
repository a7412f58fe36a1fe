"""What every channel promises, tried on each that is registered, against a real receiver."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import logging
import traceback
from typing import TYPE_CHECKING

import pytest
import structlog

from bellwire.channels import CHANNELS
from bellwire.errors import Verdict
from bellwire.model import DeliveryKind, Severity
from channel_rigs import DELIVERY, RIGS, Rig, a_channel, a_message, an_alert, envelope, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bellwire.model import Message

# Apprise loads a service that imports a module which Python 3.13 no longer has
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(params=list(CHANNELS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with RIGS[kind]() as made:
        yield made


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, by whichever library, at debug."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    yield stream
    structlog.reset_defaults()
    root.setLevel(level)
    root.removeHandler(handler)


def test_every_channel_has_a_rig() -> None:
    assert set(RIGS) == set(CHANNELS)


async def test_what_it_renders_it_sends(rig: Rig) -> None:
    receipt = await rig.channel.send(envelope(rig.channel))

    await rig.arrived(1)
    assert rig.ids() == [DELIVERY]
    assert receipt.detail


async def test_rendering_twice_gives_the_same_bytes(rig: Rig) -> None:
    assert rig.channel.render(a_message()) == rig.channel.render(a_message())


async def test_every_attempt_sends_the_same_body_under_the_same_id(rig: Rig) -> None:
    first = envelope(rig.channel)

    await rig.channel.send(first)
    await rig.channel.send(dataclasses.replace(first, attempt=2))

    await rig.arrived(2)
    assert rig.ids() == [DELIVERY, DELIVERY]
    assert len(set(rig.bodies())) == 1


async def test_refused_credentials_are_the_channels_fault_and_mended_ones_work_again(rig: Rig) -> None:
    rig.refuse_credentials()

    error = await failure_of(rig.channel, envelope(rig.channel))

    assert error.verdict is rig.credentials_refused


async def test_an_answer_that_is_lost_leaves_the_delivery_in_doubt(rig: Rig) -> None:
    rig.drop()

    error = await failure_of(rig.channel, envelope(rig.channel))

    assert error.verdict is Verdict.IN_DOUBT
    assert len(rig.ids()) == 1


async def test_an_answer_that_never_comes_leaves_the_delivery_in_doubt(kind: str) -> None:
    async with RIGS[kind](timeout="500ms") as rig:
        if kind == "apprise":  # loading its services takes longer than that the first time
            async with RIGS[kind]() as warm:
                await warm.channel.send(envelope(warm.channel))
        rig.hang()

        error = await failure_of(rig.channel, envelope(rig.channel))

        assert (error.verdict, error.reason) == (Verdict.IN_DOUBT, "timeout")


async def test_cancelling_a_send_goes_through_and_leaves_the_channel_working(rig: Rig) -> None:
    rig.hang()
    sending = asyncio.create_task(rig.channel.send(envelope(rig.channel)))
    await rig.arrived(1)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    await rig.channel.send(envelope(rig.channel))
    assert len(rig.ids()) == 2


async def test_a_receiver_that_cannot_be_reached_is_tried_again(kind: str) -> None:
    async with RIGS[kind]() as rig:
        channel = rig.channel
        await channel.send(envelope(channel))
        port_was_open = len(rig.ids()) == 1
        settings = rig.settings
    assert port_was_open

    # the receiver is gone now, its port closed
    async with a_channel(kind, **settings) as again:
        error = await failure_of(again, envelope(again))

    assert error.verdict is Verdict.RETRY


@pytest.mark.parametrize("trouble", ["refuse_credentials", "drop"])
async def test_no_secret_is_in_an_error_a_log_line_or_a_repr(rig: Rig, trouble: str, written: io.StringIO) -> None:
    getattr(rig, trouble)()

    error = await failure_of(rig.channel, envelope(rig.channel))

    told = "".join(traceback.format_exception(error)) + repr(error) + error.reason + written.getvalue()
    told += repr(rig.channel) + str(rig.channel)
    assert not [secret for secret in rig.secrets if secret in told]
    assert error.__context__ is None, "a foreign error comes along, whose text may hold the address"


async def test_no_secret_is_told_when_nobody_listens(kind: str, written: io.StringIO) -> None:
    async with RIGS[kind]() as rig:
        settings, secrets = rig.settings, rig.secrets

    async with a_channel(kind, **settings) as channel:
        error = await failure_of(channel, envelope(channel))

    told = "".join(traceback.format_exception(error)) + repr(error) + written.getvalue()
    assert not [secret for secret in secrets if secret in told]


HOSTILE = {
    "ten megabytes": an_alert(message="<x>&" * 2_500_000),
    "an endless title": an_alert(title="T" * 100_000),
    "control characters": an_alert(title="a\x00b\x1b[31mc\x7f\x9b\r\nBcc: all@example.com", message="\x00\x08\ud800"),
    "markup": an_alert(
        title="<!channel> <script>alert(1)</script> *b*",
        message="<https://evil.example|click> </td></table> & {{ 7*7 }}",
    ),
    "reversed text": an_alert(title="\u202egpj.exe\u2066", message="\u202e" * 1000),
    "an address that does something": an_alert(url="javascript:alert(1)"),
    "an address that ends early": an_alert(url="https://e.example/>|<!channel>'\""),
    "nothing at all": an_alert(title="", message="", url=None, labels={}, payload=None),
    "a thousand labels": an_alert(labels={f"label_{n}<b>": "v\n<!here>" * 500 for n in range(1000)}),
    "a number beyond 64 bits": an_alert(payload={"n": 2**80}),
}


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_text_arrives_as_text(rig: Rig, hostile: str) -> None:
    sent = envelope(rig.channel, a_message(HOSTILE[hostile]))

    await rig.channel.send(sent)

    await rig.arrived(1)
    assert rig.ids() == [DELIVERY]


def _messages() -> Iterator[Message]:
    alerts = tuple(
        an_alert(id=f"01JALERT{n:018d}", title=f"Alert number {n}", message="m" * 5000, severity=Severity(n % 4 + 1))
        for n in range(40)
    )
    for kind in DeliveryKind:
        yield a_message(kind=kind)
        yield a_message(
            *alerts,
            kind=kind,
            group_labels={"view": "v" * 500},
            part=2,
            parts=3,
            suppressed=7,
            origin="01J",
            errors=("bad",),
        )
    yield a_message(kind=DeliveryKind.META, alerts=(), errors=("a breaker opened",))
    yield a_message(kind=DeliveryKind.TEST, alerts=())


@pytest.mark.parametrize("message", list(_messages()), ids=lambda message: f"{message.kind}-{len(message.alerts)}")
async def test_every_kind_of_message_is_taken(rig: Rig, message: Message) -> None:
    await rig.channel.send(envelope(rig.channel, message))

    await rig.arrived(1)
    body = rig.channel.render(message)
    assert body
