"""The Slack apps of a configuration: receivers with the same app token share one connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bellwire.channels import settings_of
from bellwire.config.schema import SlackConfig

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from pydantic import SecretStr

    from bellwire.buttons.desk import Desk
    from bellwire.channels.slack_socket import SocketMode
    from bellwire.config.schema import Config, HttpConfig
    from bellwire.http import HttpPool
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import ChannelKey
    from bellwire.serving import Means

    AppKey = tuple[SecretStr, str, HttpConfig]
    """A token, where it is good, and how that is reached."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _App:
    desk: Desk
    socket: SocketMode
    task: asyncio.Task[None]


class SlackApps:
    """Made once; `change` with each configuration, `stop` at the end."""

    def __init__(self, ledger: Ledger, pool: HttpPool, means: Means) -> None:
        self._ledger = ledger
        self._pool = pool
        self._means = means
        self._apps: dict[AppKey, _App] = {}

    def change(self, config: Config, *, dry: bool = False) -> None:
        """Be connected for the apps of ``config`` and no others. Dry: for none, for nothing is done."""
        wanted = {} if dry else _apps_of(config)
        for key in [key for key in self._apps if key not in wanted]:
            self._apps.pop(key).task.cancel()
        for key, channels in wanted.items():
            if key not in self._apps:
                self._apps[key] = self._begin(next(iter(channels.values())))
            self._apps[key].desk.channels = channels
            self._apps[key].desk.page = config.web.external_url

    def stop(self) -> None:
        """Be connected no more."""
        for app in self._apps.values():
            app.task.cancel()
        self._apps.clear()

    def standing(self) -> list[dict[str, Any]]:
        """Return how each connection stands: ``receivers connected_at error``."""
        return [
            {
                "receivers": sorted({key.receiver for key in app.desk.channels}),
                "connected_at": app.socket.connected_at,
                "error": app.socket.error,
            }
            for app in self._apps.values()
        ]

    def _begin(self, settings: SlackConfig) -> _App:
        # Loaded with Slack's library, and so only for those who have an app.
        from bellwire.buttons.desk import Desk  # noqa: PLC0415
        from bellwire.channels.slack_socket import SocketMode  # noqa: PLC0415

        means = self._means
        desk = Desk(self._ledger, self._pool)
        socket = SocketMode(settings, self._pool, means.clock, means.chance, desk.take)
        return _App(desk=desk, socket=socket, task=means.spawn(socket.run(), "slack-app"))


def _apps_of(config: Config) -> Mapping[AppKey, dict[ChannelKey, SlackConfig]]:
    """Return the channels of each app, those of paused receivers too: their messages still have buttons."""
    apps: dict[AppKey, dict[ChannelKey, SlackConfig]] = {}
    for receiver in config.receivers:
        for key, settings in settings_of(receiver).items():
            if isinstance(settings, SlackConfig) and settings.app_token:
                app = (settings.app_token, settings.base_url, settings.http_config)
                apps.setdefault(app, {})[key] = settings
    return apps
