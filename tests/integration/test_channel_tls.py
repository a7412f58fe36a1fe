"""TLS with an authority of one's own, on every channel that Bellwire connects itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.demo.receivers import SlackApi, SmtpInbox, WebhookReceiver
from bellwire.errors import Verdict
from certificates import Authority
from channel_rigs import a_channel, envelope, failure_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def receiver(kind: str, tls: ssl.SSLContext) -> AsyncIterator[tuple[Any, str, dict[str, Any]]]:
    """Yield the receiver, the kind of its channel and that channel's settings."""
    mail = {"to": ["a@example.com"], "from": "b@example.com", "auth_username": "u", "auth_password": "p"}
    async with contextlib.AsyncExitStack() as stack:
        if kind == "webhook":
            hook = await stack.enter_async_context(WebhookReceiver(tls=tls))
            yield hook, "webhook", {"url": hook.url}
        elif kind == "slack":
            slack = await stack.enter_async_context(SlackApi(tls=tls))
            yield slack, "slack", {"token": slack.token, "channel": "#ops", "base_url": slack.url}
        elif kind == "slack_incoming":
            slack = await stack.enter_async_context(SlackApi(tls=tls))
            yield slack, "slack", {"api_url": slack.webhook_url}
        else:
            box = SmtpInbox(tls=tls, implicit=kind == "implicit", login=("u", "p"))
            inbox = await stack.enter_async_context(box)
            yield inbox, "email", {"smarthost": inbox.smarthost, "tls": kind, **mail}


KINDS = ["webhook", "slack", "slack_incoming", "starttls", "implicit"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_receiver_whose_authority_is_configured_is_sent_to(kind: str, authority: Authority) -> None:
    async with receiver(kind, authority.server_context()) as (there, channel_kind, settings):
        http_config = {"tls_config": {"ca_file": authority.ca_file}}
        async with a_channel(channel_kind, **settings, http_config=http_config) as channel:
            await channel.send(envelope(channel))

        (message,) = there.messages
        assert getattr(message, "encrypted", True)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing_and_is_tried_again(
    kind: str, authority: Authority
) -> None:
    async with receiver(kind, authority.server_context()) as (there, channel_kind, settings):
        async with a_channel(channel_kind, **settings) as channel:
            error = await failure_of(channel, envelope(channel))

        assert (error.verdict, error.reason) == (Verdict.RETRY, "tls_error")
        assert not there.messages


@pytest.mark.parametrize("kind", ["webhook", "slack", "slack_incoming", "implicit"])
async def test_a_receiver_that_asks_for_a_certificate_gets_ours(
    kind: str, authority: Authority, tmp_path: Path
) -> None:
    clients = Authority(tmp_path, "clients")
    ours = clients.certificate("bellwire")
    tls = {"ca_file": authority.ca_file, "cert_file": ours.cert_file, "key_file": ours.key_file}
    async with receiver(kind, authority.server_context(clients_of=clients)) as (there, channel_kind, settings):
        async with a_channel(channel_kind, **settings, http_config={"tls_config": tls}) as channel:
            await channel.send(envelope(channel))

        assert len(there.messages) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_tls_files_that_are_gone_are_the_channels_fault(kind: str, authority: Authority, tmp_path: Path) -> None:
    gone = {"tls_config": {"ca_file": str(tmp_path / "gone.pem")}}
    async with (
        receiver(kind, authority.server_context()) as (_, channel_kind, settings),
        a_channel(channel_kind, **settings, http_config=gone) as channel,
    ):
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.CHANNEL_FAULT, "tls_files")
