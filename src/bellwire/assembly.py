"""From the configuration's sections to what the arrows work with: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bellwire.apis import APIS
from bellwire.channels import settings_of
from bellwire.config.rules import compile_rules
from bellwire.intake import CatchUp, Mailbox, Rulebook
from bellwire.model import AccountKey
from bellwire.records import ChannelPolicy, Fallback, RateLimit
from bellwire.templating.stationery import NOTHING, Stationery

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bellwire.config.schema import AccountConfig, ChannelConfig, Config, ReceiverConfig
    from bellwire.model import ChannelKey

_LEASE_MARGIN = 30.0  # seconds of a lease beyond the longest send

WIDTH = {"webhook": 64, "slack": 4, "email": 4, "apprise": 4}
"""How many sends of one channel may be under way at once."""

_DEFAULT_RATE = {"slack": RateLimit(per_second=1.0, burst=1, max_delay=30.0)}
"""What a vendor's own limit asks for, unless the receiver says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelPlan:
    """A channel as the configuration wants it; equal plans need no change."""

    settings: ChannelConfig
    policy: ChannelPolicy
    paused: bool
    stationery: Stationery = NOTHING


def accounts_of(config: Config) -> dict[AccountKey, AccountConfig]:
    """Return the accounts by identity."""
    return {AccountKey(name=account.name, base_url=account.base_url): account for account in config.accounts}


def channels_of(config: Config) -> dict[ChannelKey, ChannelPlan]:
    """Return every channel of every receiver."""
    stand_ins, stationery = stand_ins_of(config), stationery_of(config)
    return {
        key: ChannelPlan(
            settings=settings,
            policy=_policy(key, receiver, settings, stand_ins[receiver.name]),
            paused=receiver.paused,
            # a template file that changes is nothing to a channel without templates
            stationery=stationery if settings.title or settings.text else replace(stationery, files=()),
        )
        for receiver in config.receivers
        for key, settings in settings_of(receiver).items()
    }


def policies_of(config: Config) -> dict[str, tuple[ChannelPolicy, ...]]:
    """Return every receiver by name, with its channels."""
    plans = channels_of(config)
    return {
        receiver.name: tuple(plan.policy for key, plan in plans.items() if key.receiver == receiver.name)
        for receiver in config.receivers
    }


def stand_ins_of(config: Config) -> dict[str, tuple[Fallback, ...]]:
    """Return who stands in for each receiver, by its name."""
    channels = {receiver.name: tuple(settings_of(receiver)) for receiver in config.receivers}
    return {
        receiver.name: tuple(Fallback(receiver=name, channels=channels[name]) for name in receiver.fallback)
        for receiver in config.receivers
    }


def still_there(
    stand_ins: Mapping[str, tuple[Fallback, ...]], channels: Collection[ChannelKey]
) -> dict[str, tuple[Fallback, ...]]:
    """Return those of the stand-ins whose channels are all among these."""
    kept = set(channels)
    return {
        name: tuple(fallback for fallback in fallbacks if kept.issuperset(fallback.channels))
        for name, fallbacks in stand_ins.items()
    }


def stationery_of(config: Config) -> Stationery:
    """Return what all channels' messages are written on."""
    return Stationery(
        external_url=config.web.external_url, timezone=config.global_.timezone, files=config.template_files
    )


def rulebook_of(config: Config) -> Rulebook:
    """Return the rules, compiled, and the channels behind each receiver's name."""
    return Rulebook(
        rules=compile_rules(config),
        channels={receiver.name: tuple(settings_of(receiver)) for receiver in config.receivers},
    )


def mailbox_of(account: AccountConfig) -> Mailbox:
    """Return what intake must know of an account."""
    return Mailbox(
        api=account.api,
        labels=account.labels,
        mark=account.mark_read,
        catch_up=CatchUp(
            policy=account.catch_up.policy,
            first_start=account.catch_up.first_start,
            max_age=account.catch_up.max_age,
        ),
        read_state=APIS[account.api].READ_STATE,
    )


def _policy(
    key: ChannelKey, receiver: ReceiverConfig, channel: ChannelConfig, fallbacks: tuple[Fallback, ...]
) -> ChannelPolicy:
    rate = _DEFAULT_RATE.get(key.kind)
    if given := receiver.rate_limit:
        rate = RateLimit(per_second=given.per_second, burst=given.burst, max_delay=given.max_delay.total_seconds())
    return ChannelPolicy(
        key=key,
        rate=rate,
        max_alerts=channel.max_alerts,
        initial_backoff=receiver.retry.initial_backoff.total_seconds(),
        max_backoff=receiver.retry.max_backoff.total_seconds(),
        max_age=receiver.retry.max_age.total_seconds(),
        lease=channel.send_timeout + _LEASE_MARGIN,
        fallbacks=fallbacks,
        fallback_after=receiver.fallback_after.total_seconds(),
    )
