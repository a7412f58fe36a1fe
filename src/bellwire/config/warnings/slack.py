"""Slack channels that cannot do what their keys ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config

_APP = "xapp-"


def check_slack(config: Config) -> Iterator[Finding]:
    """Yield tokens of the wrong kind, and threads where there can be none."""
    for number, receiver in enumerate(config.receivers):
        for at, slack in enumerate(receiver.slack_configs):
            loc = ("receivers", number, "slack_configs", at)
            token, app_token = (
                secret.get_secret_value() if secret else "" for secret in (slack.token, slack.app_token)
            )
            if app_token and not app_token.startswith(_APP):
                message = (
                    f"is no app-level token, for those begin with {_APP}: make one under Basic Information of the app"
                )
                yield Finding((*loc, "app_token"), message)
            if token.startswith(_APP):
                message = "is an app-level token, which may not post: copy the bot token (xoxb-) here"
                yield Finding((*loc, "token"), message)
            if slack.api_url and slack.thread and "thread" in slack.model_fields_set:
                message = (
                    "does nothing here: an incoming webhook cannot say which message began the thread; use a token"
                )
                yield Finding((*loc, "thread"), message)
