"""Whom a Slack message calls: the texts of the configuration whose matchers fit one of its alerts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.rules import compile_matchers
from bellwire.routing.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.config.schema import MentionConfig
    from bellwire.model import Alert


class Mentions:
    """The compiled mentions of one channel. Raises `MatcherError` for a matcher that cannot be read."""

    def __init__(self, configured: Sequence[MentionConfig]) -> None:
        self._rules = [(compile_matchers(mention.matchers), mention.text) for mention in configured]

    def of(self, alerts: Sequence[Alert]) -> str:
        """Return the texts that apply, each once, in the order of the configuration."""
        texts = (text for matchers, text in self._rules if any(all_match(matchers, alert) for alert in alerts))
        return " ".join(dict.fromkeys(texts))
