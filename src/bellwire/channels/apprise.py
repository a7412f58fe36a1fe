"""Some 180 services more, each by its Apprise URL (https://appriseit.com/services/).

Apprise tells success from failure and nothing else, so that every failure is tried again. The other side can be neither
asked nor told: what is in doubt follows ``on_doubt``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from bellwire.channels.text import (
    MARKS,
    headline,
    hide,
    is_single,
    labels_of,
    link_of,
    one_line,
    remarks,
    secrets_of_url,
    shorten,
    source_of,
    stamp,
    title_of,
    whole_of,
    worst,
)
from bellwire.channels.threads import DaemonThreads
from bellwire.errors import BellwireError, DeliveryError, Verdict
from bellwire.model import Alert, Envelope, Message, Receipt, Severity

if TYPE_CHECKING:
    from bellwire.config.schema import AppriseConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

_AT_ONCE = 4
_TITLE = 200
_WHOLE = 2000
# They would repeat a send behind the ledger's back, call a failure a success, follow a redirect, or read a local file.
_REFUSED_PARAMETERS = frozenset({"retry", "wait", "optional", "redirect", "attach"})
_TYPES = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "failure",
    Severity.CRITICAL: "failure",
}


class AppriseChannel:
    """Sends to the one service that the URL names."""

    def __init__(self, settings: AppriseConfig) -> None:
        self._settings = settings
        self._threads = DaemonThreads(_AT_ONCE, "bellwire-apprise")
        parameters = {name.lower() for name, _ in parse_qsl(urlsplit(self._url).query, keep_blank_values=True)}
        refused = sorted(_REFUSED_PARAMETERS & parameters)
        if refused:
            message = f"an Apprise URL must not have the parameter {refused[0]}"
            raise BellwireError(message)

    @property
    def _url(self) -> str:
        return self._settings.url.get_secret_value().strip()

    def render(self, message: Message) -> bytes:
        """Return title, text and type, as JSON."""
        kind = _TYPES[worst(message.alerts)]
        return orjson.dumps({"title": headline(message, _TITLE), "body": _text(message), "notify_type": kind})

    async def send(self, envelope: Envelope) -> Receipt:
        """Have Apprise send it; a call that outlives the time-out may still do so, and is in doubt."""
        if envelope.doubtful and self._settings.on_doubt == "dead":
            message = "an earlier attempt may have arrived, and on_doubt is dead"
            raise DeliveryError(message, verdict=Verdict.MESSAGE_FAULT, reason="in_doubt")
        began = False
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                await self._threads.place()
                began = True
                failure = await self._threads.run(lambda: _notify(self._url, orjson.loads(envelope.body)))
        except TimeoutError:
            verdict, reason = (Verdict.IN_DOUBT, "timeout") if began else (Verdict.RETRY, "busy")
            failure = DeliveryError(f"no end within the time-out: {reason}", verdict=verdict, reason=reason)
        if failure is not None:
            raise failure
        return Receipt(detail="sent by Apprise")


def _notify(url: str, arguments: dict[str, Any]) -> DeliveryError | None:
    """Send in the calling thread; return what went wrong, with nothing in it that the URL holds."""
    try:
        said = _send(url, arguments)
    except Exception as exc:  # noqa: BLE001 - whatever one of 180 services raises; its text may hold the URL
        said = type(exc).__name__
    if said is None:
        return None
    text = one_line(hide(said, secrets_of_url(url)), 300)
    return DeliveryError(f"Apprise: {text or 'failed'}", verdict=Verdict.RETRY, reason="apprise_failed")


def _send(url: str, arguments: dict[str, Any]) -> str | None:
    """Send with Apprise; return what it says of a failure, None after success."""
    _hush()
    import apprise  # noqa: PLC0415 - it loads 180 services: only where one is used

    # in this thread alone: its own pool is joined when the process ends, however long that takes
    asset = apprise.AppriseAsset(
        app_id="Bellwire", async_mode=False, http_redirects=False, allow_templates=False, service_timeout=0
    )
    service = apprise.Apprise(asset=asset)  # a fresh one: an instance sleeps between two sends
    if not service.add(url):
        return "no service has such a URL"
    with service.notify(**arguments, body_format=apprise.NotifyFormat.TEXT) as result:
        return None if result else " ".join(entry.message for entry in result.logs())


def _hush() -> None:
    """Keep parts of URLs out of the log; what Apprise says of a failure comes with its result."""
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False


def _text(message: Message) -> str:
    if is_single(message):
        alert = message.alerts[0]
        labels = [f"{name}: {value}" for name, value in labels_of(alert, 20)]
        parts = [shorten(alert.message, _WHOLE, whole_of(alert)), "\n".join(labels), _source(alert), link_of(alert)]
    else:
        parts = [f"{MARKS[alert.severity]} {title_of(alert, _TITLE)}\n{_source(alert)}" for alert in message.alerts]
    return "\n\n".join(part for part in [*parts, *remarks(message)] if part) or headline(message, _TITLE)


def _source(alert: Alert) -> str:
    return f"{source_of(alert)} · {stamp(alert.created_at)}"


def build(settings: AppriseConfig, pool: HttpPool) -> Channel:  # noqa: ARG001 - Apprise makes connections of its own
    """Return the channel."""
    return AppriseChannel(settings)
