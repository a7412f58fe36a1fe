"""From the configuration's sections to what the arrows work with: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.channels import settings_of
from bellwire.config.rules import compile_rules
from bellwire.intake import CatchUp, Mailbox, Rulebook
from bellwire.model import AccountKey
from bellwire.records import ChannelPolicy, RateLimit

if TYPE_CHECKING:
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


def accounts_of(config: Config) -> dict[AccountKey, AccountConfig]:
    """Return the accounts by identity."""
    return {AccountKey(name=account.name, base_url=account.base_url): account for account in config.accounts}


def channels_of(config: Config) -> dict[ChannelKey, ChannelPlan]:
    """Return every channel of every receiver."""
    return {
        key: ChannelPlan(settings=settings, policy=_policy(key, receiver, settings), paused=receiver.paused)
        for receiver in config.receivers
        for key, settings in settings_of(receiver).items()
    }


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
    )


def _policy(key: ChannelKey, receiver: ReceiverConfig, channel: ChannelConfig) -> ChannelPolicy:
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
    )
