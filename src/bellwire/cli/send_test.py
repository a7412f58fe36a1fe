"""``bellwire send-test``: one message of kind test through each channel of a receiver, straight from here.

It needs neither the daemon nor the ledger, and leaves no trace in them.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import configured
from bellwire.cli.printing import ask_options, fail, plain, print_json, say, state

if TYPE_CHECKING:
    from bellwire.config.schema import Config, ReceiverConfig
    from bellwire.errors import DeliveryError
    from bellwire.model import ChannelKey, Message
    from bellwire.ports import Channel

Result = dict[str, Any]

_MARGIN = 10.0  # seconds beyond the channel's own time-out

_REMEDIES = {
    "retry": "the other side could not be reached or has no time now: see whether it is up, then try again",
    "in_doubt": "it may have arrived: look there, then try again",
    "message_fault": "the other side refuses this message, so look at what it says: the channel's templates, the address",
    "channel_fault": "nothing will be taken until someone mends this: look at credentials, address and permissions",
}


@click.command("send-test")
@click.argument("receiver", metavar="RECEIVER")
@ask_options
def send_test(receiver: str, option: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Send one test message through every channel of RECEIVER.

    Says for each channel what came of it. Exits 0 if all took it, 1 if one did not, 2 if there is no such receiver.
    """
    config, _ = configured(option)
    results = asyncio.run(_send(config, _named(config, receiver)))
    if as_json:
        print_json(results)
    else:
        for result in results:
            _print(result)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def _named(config: Config, name: str) -> ReceiverConfig:
    from bellwire.config.nearest import suggestion  # noqa: PLC0415 - the command line must start fast

    for receiver in config.receivers:
        if receiver.name == name:
            return receiver
    message = f"there is no receiver {name!r}: {suggestion(name, [each.name for each in config.receivers])}"
    raise click.UsageError(message)


async def _send(config: Config, receiver: ReceiverConfig) -> list[Result]:
    """Send through all channels at once; return what came of each, in the order of the configuration."""
    from bellwire.assembly import stationery_of  # noqa: PLC0415 - see _named
    from bellwire.channels import channels_of, settings_of  # noqa: PLC0415
    from bellwire.errors import BellwireError  # noqa: PLC0415
    from bellwire.http import HttpPool  # noqa: PLC0415

    pool = HttpPool()
    try:
        channels = channels_of(receiver, pool, stationery_of(config))
        limits = {key: settings.send_timeout + _MARGIN for key, settings in settings_of(receiver).items()}
        sends = (_through(key, channel, _message(config, receiver), limits[key]) for key, channel in channels.items())
        return await asyncio.gather(*sends)
    except BellwireError as error:  # settings that no message can be sent with
        fail(str(error))
    finally:
        await pool.close()


async def _through(key: ChannelKey, channel: Channel, message: Message, seconds: float) -> Result:
    from bellwire.clock import SystemClock  # noqa: PLC0415 - see _named
    from bellwire.errors import DeliveryError, TemplateError, Verdict  # noqa: PLC0415
    from bellwire.model import Envelope  # noqa: PLC0415

    try:
        body = channel.render(message)
        envelope = Envelope(
            delivery_id=message.delivery_id, attempt=1, body=body, sent_at=SystemClock().wall(), doubtful=False
        )
        async with asyncio.timeout(seconds):
            receipt = await channel.send(envelope)
    except DeliveryError as error:
        return _result(key, message, error)
    except TemplateError as error:
        told = f"a template {error}"
        return _result(key, message, DeliveryError(told, verdict=Verdict.MESSAGE_FAULT, reason="render_failed"))
    except TimeoutError:
        told = "no answer in time"
        return _result(key, message, DeliveryError(told, verdict=Verdict.IN_DOUBT, reason="timeout"))
    return {**_result(key, message, None), "detail": receipt.detail}


def _result(key: ChannelKey, message: Message, error: DeliveryError | None) -> Result:
    verdict = error.verdict.value if error else None
    return {
        "receiver": key.receiver,
        "channel": key.kind,
        "name": key.name,
        "delivery_id": message.delivery_id,
        "ok": error is None,
        "detail": str(error) if error else "",
        "verdict": verdict,
        "reason": error.reason if error else None,
        "remedy": _REMEDIES[verdict] if verdict else None,
    }


def _message(config: Config, receiver: ReceiverConfig) -> Message:
    """Return the test message: the sample of the first account's API, saying of itself that it is a test."""
    from dataclasses import replace  # noqa: PLC0415 - see _named

    from bellwire.clock import SystemClock  # noqa: PLC0415
    from bellwire.config.samples import sample_of, samples_of  # noqa: PLC0415
    from bellwire.ledger.ids import Ids  # noqa: PLC0415
    from bellwire.model import DeliveryKind, Message, Severity  # noqa: PLC0415

    now, ids = SystemClock().wall(), Ids()
    account = next(iter(config.accounts), None)
    sample = sample_of(account.api, account) if account else next(iter(samples_of(config).values()))
    alert = replace(
        sample,
        id=ids.next(now),
        severity=Severity.INFO,
        title=f"A test of receiver {receiver.name}",
        message=f"Sent by `bellwire send-test {receiver.name}`. If you read this, this channel works.",
        url=None,
        created_at=now,
        received_at=now,
        labels={**sample.labels, "severity": Severity.INFO.text},
    )
    return Message(
        delivery_id=ids.next(now), kind=DeliveryKind.TEST, receiver=receiver.name, alerts=(alert,), group_labels={}
    )


def _print(result: Result) -> None:
    name = "/".join(part for part in (result["receiver"], result["channel"], result["name"]) if part)
    if result["ok"]:
        say(f"{plain(name)}: {state('sent', 'ok')}: {plain(result['detail'])}")
        return
    say(f"{plain(name)}: {state(result['verdict'])}: {plain(result['detail'])} ({result['reason']})")
    say(f"  {result['remedy']}")
