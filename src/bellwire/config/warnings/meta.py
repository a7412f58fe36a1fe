"""A ``meta_receiver`` that falls silent together with what it is to report."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bellwire.config.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config, ReceiverConfig, RouteConfig

Reliance = tuple[str, str, str]
"""What a channel cannot do without: its kind, the other side's host, and what it is let in by."""


def check_meta_receiver(config: Config) -> Iterator[Finding]:
    """Yield the receivers of alerts whose failure nobody would hear of, because the report fails by the same cause."""
    by_name = {receiver.name: receiver for receiver in config.receivers}
    meta = by_name.get(config.meta_receiver or "")
    if meta is None:
        return
    named = dict.fromkeys(_named(config.route))
    # that it may also get alerts is no mistake, while there are others whose troubles it can tell
    reported = [name for name in named if name != meta.name] or list(named)
    ways = _reliances(meta)
    silent = [name for name in reported if ways <= _reliances(by_name[name])]
    if silent:
        hosts = ", ".join(sorted({host for _, host, _ in ways}))
        message = (
            f"relies on the same host and credential ({hosts}) as {', '.join(silent)}: if that fails, nobody is told; "
            "give it a channel of another kind, or another token"
        )
        yield Finding(("meta_receiver",), message)


def _named(route: RouteConfig) -> Iterator[str]:
    if route.receiver is not None:
        yield route.receiver
    for child in route.routes:
        yield from _named(child)


def _reliances(receiver: ReceiverConfig) -> set[Reliance]:
    """Return what each channel relies on. The credentials are compared and go nowhere."""
    found: set[Reliance] = set()
    for slack in receiver.slack_configs:
        secret = slack.token or slack.api_url
        address = slack.base_url if slack.token else slack.api_url.get_secret_value() if slack.api_url else ""
        found.add(("slack", _host(address), secret.get_secret_value() if secret else ""))
    for webhook in receiver.webhook_configs:
        headers = {name.lower(): value for name, value in webhook.headers.items()}
        token, url = headers.get("authorization"), webhook.url.get_secret_value()
        # without a header the address itself may bear the token: only the very same one is surely the same
        found.add(("webhook", _host(url), token.get_secret_value() if token else url))
    for email in receiver.email_configs:
        found.add(("email", email.smarthost.lower(), email.auth_username or ""))
    for apprise in receiver.apprise_configs:
        url = apprise.url.get_secret_value()
        found.add(("apprise", f"{url.partition(':')[0]}://", url))  # where others have a host, there may be a token
    return found


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
