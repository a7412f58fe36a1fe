"""A webhook: the contract's JSON body, signed as Standard Webhooks 1.0 asks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from datetime import UTC
from typing import TYPE_CHECKING

from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signer

from bellwire.channels.http_post import Poster
from bellwire.channels.webhook_body import webhook_body
from bellwire.errors import BellwireError
from bellwire.model import Envelope, Message, Receipt

if TYPE_CHECKING:
    from pydantic import SecretStr

    from bellwire.channels.wording import Wording
    from bellwire.config.schema import WebhookConfig
    from bellwire.http import HttpPool
    from bellwire.ports import Channel

_TITLE = 10_000  # characters of what a template makes
_TEXT = 1_000_000

# ours, or the transport's: what a receiver trusts must not come from a list of custom headers
_RESERVED = frozenset(
    {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "bellwire-attempt",
        "content-type",
        "content-length",
        "transfer-encoding",
        "connection",
    }
)


class WebhookChannel:
    """Posts the body as it was rendered. Raises `BellwireError` for secrets or headers that cannot be used."""

    def __init__(self, settings: WebhookConfig, pool: HttpPool, words: Wording) -> None:
        self._words = words
        self._signers = [_signer(secret) for secret in _signing_secrets(settings)]
        fixed = _custom_headers(settings) | {"Content-Type": "application/json"}
        self._poster = Poster(pool, settings, settings.url.get_secret_value(), fixed, settings.method)

    def render(self, message: Message) -> bytes:
        """Return the body of the contract, with ``title`` and ``text`` beside its keys where there are templates."""
        title, text = self._words.title(message, _TITLE), self._words.text(message, _TEXT)
        return webhook_body(message, title=title, text=text)

    async def send(self, envelope: Envelope) -> Receipt:
        """Post it under the delivery's id, the same in every attempt: the receiver can tell a repetition."""
        said = await self._poster.post(self._signed(envelope), envelope.body, envelope.sent_at)
        return Receipt(detail=f"HTTP {said.status}")

    def _signed(self, envelope: Envelope) -> dict[str, str]:
        headers = {
            "webhook-id": envelope.delivery_id,
            "webhook-timestamp": str(int(envelope.sent_at.timestamp())),
            "bellwire-attempt": str(envelope.attempt),
        }
        if self._signers:
            sent_at = envelope.sent_at.astimezone(UTC)
            body = envelope.body.decode()
            signatures = (signer.sign(envelope.delivery_id, sent_at, body) for signer in self._signers)
            headers["webhook-signature"] = " ".join(signatures)
        return headers


def _signing_secrets(settings: WebhookConfig) -> list[SecretStr]:
    one = [] if settings.signing_secret is None else [settings.signing_secret]
    return one + settings.signing_secrets


def _signer(secret: SecretStr) -> Signer:
    text = secret.get_secret_value().strip().removeprefix("whsec_")
    with contextlib.suppress(ValueError, EmptyWebhookSecretError):  # binascii.Error is a ValueError
        # the library itself would take any text, and sign with what remains of it
        return Signer(b64decode(text + "=" * (-len(text) % 4), validate=True))
    message = "a webhook's signing secret must be base64 text, with or without whsec_ before it"
    raise BellwireError(message)


def _custom_headers(settings: WebhookConfig) -> dict[str, str]:
    headers = {}
    for name, secret in settings.headers.items():
        value = secret.get_secret_value()
        if name.lower() in _RESERVED or not name.isascii() or not name.isprintable() or any(c in name for c in ' :"'):
            message = f"a webhook cannot set the header {name!r}"
            raise BellwireError(message)
        if not value.isprintable():
            message = f"the value of the webhook's header {name!r} has control characters"
            raise BellwireError(message)
        headers[name] = value
    return headers


def build(settings: WebhookConfig, pool: HttpPool, words: Wording) -> Channel:
    """Return the channel."""
    return WebhookChannel(settings, pool, words)
