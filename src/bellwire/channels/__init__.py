"""Ways to deliver: one file a channel, one entry in `CHANNELS` for each."""

from __future__ import annotations

from email.utils import parseaddr
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from bellwire.channels.wording import Wording
from bellwire.model import ChannelKey
from bellwire.templating.stationery import NOTHING
from bellwire.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bellwire.config.schema import (
        AppriseConfig,
        ChannelConfig,
        EmailConfig,
        ReceiverConfig,
        SlackConfig,
        WebhookConfig,
    )
    from bellwire.http import HttpPool
    from bellwire.ports import Channel
    from bellwire.templating.stationery import Stationery

    Build = Callable[[Any, HttpPool, Wording], Channel]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelKind:
    """How channels of one kind are made from a receiver: their names with their settings, and each from its own."""

    named: Callable[[ReceiverConfig], Iterator[tuple[str, ChannelConfig]]]
    build: Build


def _slacks(receiver: ReceiverConfig) -> Iterator[tuple[str, SlackConfig]]:
    return ((settings.name, settings) for settings in receiver.slack_configs)


def _webhooks(receiver: ReceiverConfig) -> Iterator[tuple[str, WebhookConfig]]:
    return ((settings.name, settings) for settings in receiver.webhook_configs)


def _apprises(receiver: ReceiverConfig) -> Iterator[tuple[str, AppriseConfig]]:
    return ((settings.name, settings) for settings in receiver.apprise_configs)


def _emails(receiver: ReceiverConfig) -> Iterator[tuple[str, EmailConfig]]:
    """Yield a channel for each recipient, so that one address that is refused holds up no other."""
    for settings in receiver.email_configs:
        for recipient in settings.to:
            address = parseaddr(recipient)[1] or recipient
            name = f"{settings.name}/{address}" if settings.name else address
            yield name, settings.model_copy(update={"to": [recipient]})


def _builder(kind: str) -> Build:
    """Return what makes channels of a kind. Its module, with the libraries that it needs, is loaded for the first one."""

    def build(settings: Any, pool: HttpPool, words: Wording) -> Channel:
        module = import_module(f"bellwire.channels.{kind}")
        return cast("Channel", module.build(settings, pool, words))

    return build


CHANNELS: dict[str, ChannelKind] = {
    "slack": ChannelKind(named=_slacks, build=_builder("slack")),
    "email": ChannelKind(named=_emails, build=_builder("email")),
    "webhook": ChannelKind(named=_webhooks, build=_builder("webhook")),
    "apprise": ChannelKind(named=_apprises, build=_builder("apprise")),
}


def settings_of(receiver: ReceiverConfig) -> dict[ChannelKey, ChannelConfig]:
    """Return the settings of each of the receiver's channels, in the order of `CHANNELS` and of the file."""
    return {
        ChannelKey(receiver=receiver.name, kind=kind, name=name): settings
        for kind, entry in CHANNELS.items()
        for name, settings in entry.named(receiver)
    }


def complaints_of(built: Mapping[ChannelKey, Channel]) -> list[str]:
    """Return a sentence about each channel that works, but not as well as it could."""
    slacks = {key: channel for key, channel in built.items() if key.kind == "slack"}
    if not slacks:
        return []
    from bellwire.channels.slack import SlackWebApi  # noqa: PLC0415 - loaded with the channel

    return [
        f"{key} {channel.lookup.blind}"
        for key, channel in slacks.items()
        if isinstance(channel, SlackWebApi) and channel.lookup.blind
    ]


def channels_of(
    receiver: ReceiverConfig, pool: HttpPool, stationery: Stationery = NOTHING
) -> dict[ChannelKey, Channel]:
    """Return the receiver's channels. Raises `BellwireError` for settings that no message could be sent with."""
    return {
        key: CHANNELS[key.kind].build(settings, pool, Wording(key.kind, settings, stationery))
        for key, settings in settings_of(receiver).items()
    }
