"""Some 180 services more, each by its Apprise URL (https://appriseit.com/services/).

Apprise tells success from failure and nothing else, so that every failure is tried again. The other side can be neither
asked nor told: what is in doubt follows ``on_doubt``. That is what outlives the time-out, and a request that was not answered.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from bellwire.channels.secrets import hide, secrets_of
from bellwire.channels.text import (
    cut_note,
    headline,
    is_single,
    labels_of,
    one_line,
    remarks,
    shorten,
    source_of,
    stamp,
    title_of,
)
from bellwire.channels.threads import DaemonThreads
from bellwire.errors import BellwireError, DeliveryError, Verdict
from bellwire.model import Alert, Envelope, Message, Receipt, Severity
from bellwire.templating.escaping import tame
from bellwire.templating.view import MARKS, link_of, whole_of, worst

if TYPE_CHECKING:
    from bellwire.channels.wording import Wording
    from bellwire.config.schema import AppriseConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

_AT_ONCE = 4
_TITLE = 200
_WHOLE = 2000
_TEXT = 10_000  # characters of what a template makes
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

    def __init__(self, settings: AppriseConfig, words: Wording) -> None:
        self._settings = settings
        self._words = words
        self._threads = DaemonThreads(_AT_ONCE, "bellwire-apprise")
        parameters = {name.lower() for name, _ in parse_qsl(urlsplit(_url_of(settings)).query, keep_blank_values=True)}
        refused = sorted(_REFUSED_PARAMETERS & parameters)
        if refused:
            message = f"an Apprise URL must not have the parameter {refused[0]}"
            raise BellwireError(message)

    def render(self, message: Message) -> bytes:
        """Return title, text and type, as JSON."""
        title = self._words.title(message, _TITLE) or tame(headline(message, _TITLE))
        text = self._words.text(message, _TEXT)
        body = tame(_text(message, self._words)) if text is None else "\n\n".join([text, *map(tame, remarks(message))])
        return orjson.dumps({"title": title, "body": body, "notify_type": _TYPES[worst(message.alerts)]})

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
                failure = await self._threads.run(lambda: _notify(self._settings, orjson.loads(envelope.body)))
        except TimeoutError:
            verdict, reason = (Verdict.IN_DOUBT, "timeout") if began else (Verdict.RETRY, "busy")
            failure = DeliveryError(f"no end within the time-out: {reason}", verdict=verdict, reason=reason)
        if failure is not None:
            raise failure
        return Receipt(detail="sent by Apprise")


def _notify(settings: AppriseConfig, arguments: dict[str, Any]) -> DeliveryError | None:
    """Send in the calling thread; return what went wrong, with nothing in it that the URL holds."""
    from bellwire.channels import apprise_doubt  # noqa: PLC0415 - it loads a second HTTP library: only where Apprise is used

    apprise_doubt.forget()
    try:
        said = _send(_url_of(settings), arguments)
    except Exception as exc:  # noqa: BLE001 - whatever one of 180 services raises; its text may hold the URL
        said = type(exc).__name__
    if said is None:
        return None
    text = one_line(hide(said, secrets_of(settings)), 300)
    if doubt := apprise_doubt.doubt():
        return DeliveryError(f"Apprise: {text or doubt}", verdict=Verdict.IN_DOUBT, reason=doubt)
    return DeliveryError(f"Apprise: {text or 'failed'}", verdict=Verdict.RETRY, reason="apprise_failed")


def _url_of(settings: AppriseConfig) -> str:
    return settings.url.get_secret_value().strip()


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


def _text(message: Message, words: Wording) -> str:
    url = words.external_url
    if is_single(message):
        alert = message.alerts[0]
        labels = [f"{name}: {value}" for name, value in labels_of(alert, 20, url)]
        parts = [
            shorten(alert.message, _WHOLE, whole_of(alert, url)),
            "\n".join(labels),
            _source(alert),
            link_of(alert),
            cut_note(alert, url, title=_TITLE),
        ]
    else:
        parts = [_named(alert, url) for alert in message.alerts]
    return "\n\n".join(part for part in [*parts, *remarks(message)] if part) or headline(message, _TITLE)


def _named(alert: Alert, external_url: str | None) -> str:
    note = cut_note(alert, external_url, title=_TITLE)
    lines = [f"{MARKS[alert.severity]} {title_of(alert, _TITLE)}", _source(alert), note]
    return "\n".join(line for line in lines if line)


def _source(alert: Alert) -> str:
    return f"{source_of(alert)} · {stamp(alert.created_at)}"


def build(settings: AppriseConfig, pool: HttpPool, words: Wording) -> Channel:  # noqa: ARG001 - Apprise makes connections of its own
    """Return the channel."""
    return AppriseChannel(settings, words)
