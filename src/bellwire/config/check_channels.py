"""Checks of receivers and their channels across their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.config import values
from bellwire.config.check_apprise import check_apprise_url
from bellwire.config.check_fallbacks import check_fallbacks
from bellwire.config.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bellwire.config.places import Loc
    from bellwire.config.schema import (
        AppriseConfig,
        ChannelConfig,
        Config,
        EmailConfig,
        ReceiverConfig,
        SlackConfig,
        WebhookConfig,
    )

# what Bellwire itself sets on a webhook
_RESERVED = ("webhook-", "bellwire-")
_FRAMING = frozenset({"content-type", "content-length", "transfer-encoding", "connection", "host"})

KINDS = ("slack_configs", "email_configs", "webhook_configs", "apprise_configs")


def check_receivers(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with the receivers."""
    first: dict[str, int] = {}
    for index, receiver in enumerate(config.receivers):
        loc: Loc = ("receivers", index)
        earlier = first.setdefault(receiver.name, index)
        if earlier != index:
            message = f"{receiver.name} is the name of receivers[{earlier}] too: give each receiver its own"
            yield Finding((*loc, "name"), message, rests_on=(("receivers", earlier, "name"),))
        yield from _receiver(receiver, loc)
    yield from check_fallbacks(config)
    if not config.receivers:
        yield Finding(("receivers",), "is empty: add a receiver, for the route must name one")


def _receiver(receiver: ReceiverConfig, loc: Loc) -> Iterator[Finding]:
    channels: dict[str, Sequence[ChannelConfig]] = {kind: getattr(receiver, kind) for kind in KINDS}
    if not any(channels.values()):
        message = f"has no channel: add one of {', '.join(KINDS)}; to drop alerts, use `receiver: null` in a route"
        yield Finding(loc, message, rests_on=tuple((*loc, kind) for kind in KINDS))
    for kind, configs in channels.items():
        yield from _names(kind, configs, (*loc, kind))
        for index, channel in enumerate(configs):
            yield from _CHECKS[kind](channel, (*loc, kind, index))
    if receiver.retry.initial_backoff > receiver.retry.max_backoff:
        place = (*loc, "retry")
        message = "is more than max_backoff: make it at most that"
        yield Finding((*place, "initial_backoff"), message, rests_on=((*place, "max_backoff"),))


def _names(kind: str, configs: Sequence[ChannelConfig], loc: Loc) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, channel in enumerate(configs if len(configs) > 1 else ()):
        place = (*loc, index, "name")
        if not channel.name:
            yield Finding(place, f"is missing: where a receiver has several {kind}, each needs a name")
        elif seen.setdefault(channel.name, index) != index:
            earlier = seen[channel.name]
            message = f"{channel.name} is the name of {kind}[{earlier}] too: give each its own"
            yield Finding(place, message, rests_on=((*loc, earlier, "name"),))


def _slack(slack: SlackConfig, loc: Loc) -> Iterator[Finding]:
    both = ((*loc, "token"), (*loc, "api_url"))
    if slack.token and slack.api_url:
        yield Finding(loc, "has both token and api_url: keep one of the two", rests_on=both)
    if not slack.token and not slack.api_url:
        message = "needs a token (with a channel) or an api_url: add token_file or api_url_file"
        yield Finding(loc, message, rests_on=both)
    if slack.token and not slack.channel:
        message = "is missing: say where the token posts to, such as '#ops-alerts'"
        yield Finding((*loc, "channel"), message)
    if slack.api_url and not slack.token and slack.channel is not None:
        message = "an incoming webhook posts to the channel that it was made for: remove it"
        yield Finding((*loc, "channel"), message)
    if slack.token:
        yield from _found(values.bearer(slack.token.get_secret_value()), (*loc, "token"))
    if slack.app_token:
        if slack.api_url and not slack.token:
            message = "needs a token: what an incoming webhook posts has no buttons; add token_file, or remove it"
            yield Finding((*loc, "app_token"), message, rests_on=both)
        yield from _found(values.bearer(slack.app_token.get_secret_value()), (*loc, "app_token"))
    if slack.api_url:
        yield from _found(values.http_url(slack.api_url.get_secret_value()), (*loc, "api_url"))
    yield from _found(values.http_url(slack.base_url, bare=True), (*loc, "base_url"))


def _webhook(webhook: WebhookConfig, loc: Loc) -> Iterator[Finding]:
    yield from _found(values.http_url(webhook.url.get_secret_value()), (*loc, "url"))
    if webhook.signing_secret and webhook.signing_secrets:
        message = "stands beside signing_secret: keep one of the two"
        yield Finding((*loc, "signing_secrets"), message, rests_on=((*loc, "signing_secret"),))
    if webhook.signing_secret:
        yield from _found(
            values.signing_secret(webhook.signing_secret.get_secret_value()),
            (*loc, "signing_secret"),
        )
    for index, secret in enumerate(webhook.signing_secrets):
        yield from _found(values.signing_secret(secret.get_secret_value()), (*loc, "signing_secrets", index))
    for name, value in webhook.headers.items():
        problem = values.header_name(name) or values.header_value(value.get_secret_value())
        if name.lower() in _FRAMING or name.lower().startswith(_RESERVED):
            problem = "is set by Bellwire: remove it"
        yield from _found(problem, (*loc, "headers", name))


def _email(email: EmailConfig, loc: Loc) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, address in enumerate(email.to):
        problem = values.mail_address(address)
        if address.lower() in seen:
            problem = "is named twice: remove it"
        seen.add(address.lower())
        yield from _found(problem, (*loc, "to", index))
    yield from _found(values.mail_address(email.from_), (*loc, "from"))
    target = values.host_port(email.smarthost)
    if target is None or not target[0]:
        yield Finding((*loc, "smarthost"), "must be HOST:PORT, such as smtp.example.com:587")
    if email.auth_username and email.auth_password is None:
        message = "stands without auth_password: add it, or auth_password_file"
        yield Finding((*loc, "auth_username"), message, rests_on=((*loc, "auth_password"),))
    if email.auth_password and not email.auth_username:
        message = "stands without auth_username: add it"
        yield Finding((*loc, "auth_password"), message, rests_on=((*loc, "auth_username"),))


def _apprise(apprise: AppriseConfig, loc: Loc) -> Iterator[Finding]:
    yield from _found(check_apprise_url(apprise.url.get_secret_value()), (*loc, "url"))


def _found(problem: str | None, loc: Loc) -> Iterator[Finding]:
    if problem:
        yield Finding(loc, problem)


_CHECKS: Mapping[str, Callable[[Any, Loc], Iterator[Finding]]] = {
    "slack_configs": _slack,
    "email_configs": _email,
    "webhook_configs": _webhook,
    "apprise_configs": _apprise,
}
