"""Checks of who is told of Bellwire's own troubles, and of the heartbeat."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.config import values
from bellwire.config.finding import Finding
from bellwire.config.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config

_SHORTEST = timedelta(seconds=1)


def check_meta(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with ``meta_receiver`` and ``heartbeat``."""
    names = {receiver.name for receiver in config.receivers}
    if config.meta_receiver is not None and config.meta_receiver not in names:
        message = f"there is no receiver {config.meta_receiver!r}: {suggestion(config.meta_receiver, names)}"
        rests_on = (("receivers",), *(("receivers", index, "name") for index in range(len(config.receivers))))
        yield Finding(("meta_receiver",), message, rests_on=rests_on)
    if config.heartbeat is None:
        return
    if problem := values.http_url(config.heartbeat.url.get_secret_value()):
        yield Finding(("heartbeat", "url"), problem)
    if timedelta(0) < config.heartbeat.interval < _SHORTEST:
        yield Finding(("heartbeat", "interval"), "is too short: write 1s or more")
