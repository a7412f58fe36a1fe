"""Keys of the contract that this version does not know yet: refused by name, so that nobody trusts them to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config import schema

if TYPE_CHECKING:
    from bellwire.config.schema import Section

_CHANNEL = frozenset({"title", "text"})

LATER: dict[type[Section], frozenset[str]] = {
    schema.Config: frozenset(
        {"time_intervals", "inhibit_rules", "templates", "meta_receiver", "heartbeat", "tests"},
    ),
    schema.AccountConfig: frozenset({"cancel_when_read", "alert_when_silent"}),
    schema.RouteConfig: frozenset(
        {"active_time_intervals", "mute_time_intervals", "muted", "suppress_repeats", "dedupe_by", "digest"},
    ),
    schema.ReceiverConfig: frozenset({"fallback", "fallback_after"}),
    schema.SlackConfig: _CHANNEL | {"app_token", "app_token_file", "thread"},
    schema.WebhookConfig: _CHANNEL,
    schema.EmailConfig: _CHANNEL,
    schema.AppriseConfig: _CHANNEL,
}

NOT_YET = "is not supported by this version yet; remove it"
