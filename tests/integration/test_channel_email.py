from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from bellwire.channels import channels_of
from bellwire.channels.secrets import HIDDEN
from bellwire.config.schema import ReceiverConfig
from bellwire.demo.receivers import SmtpInbox
from bellwire.errors import BellwireError, Verdict
from bellwire.http import HttpPool
from bellwire.model import Severity
from channel_rigs import DELIVERY, a_channel, a_message, a_server, an_alert, envelope, failure_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from bellwire.ports import Channel

TO = "oncall@example.com"


@pytest.fixture
async def inbox() -> AsyncIterator[SmtpInbox]:
    async with SmtpInbox() as box:
        yield box


def email(smarthost: str, **settings: Any) -> AbstractAsyncContextManager[Channel]:
    given = {"to": [TO], "from": "Bellwire <bellwire@example.com>", "smarthost": smarthost, "tls": "none"}
    return a_channel("email", **(given | settings))


async def test_a_mail_has_text_and_html_and_the_deliverys_id(inbox: SmtpInbox) -> None:
    async with email(inbox.smarthost) as channel:
        await channel.send(
            envelope(channel, a_message(an_alert(title="Größe <b>50 µm</b>", severity=Severity.CRITICAL)))
        )

    (arrived,) = inbox.messages
    mail = arrived.parsed
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert mail["Subject"] == "🔴 Größe <b>50 µm</b>"
    assert mail["Message-ID"] == f"<{DELIVERY}@example.com>"
    assert mail["X-Bellwire-Delivery"] == DELIVERY
    assert (mail["From"], mail["To"]) == ("Bellwire <bellwire@example.com>", TO)
    assert mail["Date"].datetime == an_alert().received_at
    assert "The monitor found 12 new results." in text.get_content()
    assert "Größe &lt;b&gt;50 µm&lt;/b&gt;" in html.get_content()
    assert "href='https://vendor.example/views/7?tab=1&amp;x=2'" in html.get_content()
    assert (arrived.sender, arrived.recipients) == ("bellwire@example.com", (TO,))


async def test_a_title_cannot_add_headers_or_recipients(inbox: SmtpInbox) -> None:
    title = "x\r\nBcc: victim@example.com\r\n\r\nbody\u2028Cc: other@example.com"
    async with email(inbox.smarthost) as channel:
        await channel.send(envelope(channel, a_message(an_alert(title=title))))

    mail = inbox.messages[0].parsed
    assert mail["Bcc"] is None
    assert mail["Cc"] is None
    assert inbox.messages[0].recipients == (TO,)


async def test_lines_are_short_and_seven_bit_whatever_the_alert_holds(inbox: SmtpInbox) -> None:
    async with email(inbox.smarthost) as channel:
        await channel.send(envelope(channel, a_message(an_alert(title="é" * 500, message="ü" * 40_000 + "\n.\n.."))))

    raw = inbox.messages[0].raw
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    text = inbox.messages[0].parsed.get_body(("plain",))
    assert text is not None
    assert "ü" * 40_000 + "\n.\n.." in text.get_content().replace("\r\n", "\n")


def test_each_recipient_is_a_channel_of_its_own() -> None:
    settings = {"to": ["A <a@example.com>", "b@example.com"], "from": "x@example.com", "smarthost": "localhost:25"}
    receiver = ReceiverConfig.model_validate({"name": "ops", "email_configs": [settings | {"name": "duty"}, settings]})

    keys = [str(key) for key in channels_of(receiver, HttpPool())]

    assert keys == [
        "ops/email/duty/a@example.com",
        "ops/email/duty/b@example.com",
        "ops/email/a@example.com",
        "ops/email/b@example.com",
    ]


async def test_a_title_that_looks_like_an_encoded_word_is_shown_as_it_is(inbox: SmtpInbox) -> None:
    async with email(inbox.smarthost) as channel:
        await channel.send(envelope(channel, a_message(an_alert(title="=?utf-8?q?fake?= encoded"))))
    assert "= ?utf-8?q?fake?= encoded" in str(inbox.messages[0].parsed["Subject"])


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        ("450 4.2.0 greylisted", Verdict.RETRY, "smtp_450"),
        ("452 4.2.2 full", Verdict.RETRY, "smtp_452"),
        ("550 5.1.1 no such user", Verdict.MESSAGE_FAULT, "smtp_550"),
        ("550 5.1.8 <bw@example.com>: Sender address rejected", Verdict.CHANNEL_FAULT, "smtp_550"),
        ("554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", Verdict.CHANNEL_FAULT, "smtp_554"),
        ("554 5.7.1 <a@example.com>: Relay access denied", Verdict.CHANNEL_FAULT, "smtp_554"),
        ("554 5.7.1 <a@example.com>: Recipient address rejected", Verdict.MESSAGE_FAULT, "smtp_554"),
        ("553 5.1.3 bad address", Verdict.MESSAGE_FAULT, "smtp_553"),
    ],
)
async def test_what_is_said_to_a_recipient_has_a_verdict(
    inbox: SmtpInbox, reply: str, verdict: Verdict, reason: str
) -> None:
    inbox.recipient_replies[TO] = [reply]
    async with email(inbox.smarthost) as channel:
        error = await failure_of(channel, envelope(channel))
        await channel.send(envelope(channel, attempt=2))

    assert (error.verdict, error.reason) == (verdict, reason)
    assert str(error) == f"SMTP {reply[:3]}: {reply[4:]}"
    assert [mail.delivery_id for mail in inbox.messages] == [DELIVERY]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("451 4.3.0 later", Verdict.RETRY),
        ("552 5.3.4 too large", Verdict.MESSAGE_FAULT),
        ("554 spam", Verdict.MESSAGE_FAULT),
    ],
)
async def test_what_is_said_to_the_data_has_a_verdict(inbox: SmtpInbox, reply: str, verdict: Verdict) -> None:
    inbox.data_replies.append(reply)
    async with email(inbox.smarthost) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (verdict, f"smtp_{reply[:3]}")


@pytest.mark.parametrize(
    ("lines", "verdict", "reason"),
    [
        ([b"421 busy"], Verdict.RETRY, "smtp_421"),
        ([b"554 no"], Verdict.RETRY, "smtp_554"),
        ([b"220 hi", b"250 ok", b"550 not you"], Verdict.CHANNEL_FAULT, "smtp_550"),
        ([b"220 hi", b"250 ok", b"552 too large"], Verdict.MESSAGE_FAULT, "smtp_552"),
        ([b"220 hi", b"250 ok"], Verdict.RETRY, "connection_lost"),
        ([b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go"], Verdict.IN_DOUBT, "connection_lost"),
        ([b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go", b"nonsense"], Verdict.IN_DOUBT, "connection_lost"),
        ([b"nonsense"], Verdict.RETRY, "connection_lost"),
    ],
)
async def test_wherever_a_conversation_breaks_off_there_is_a_verdict(
    lines: list[bytes], verdict: Verdict, reason: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line + b"\r\n")
            await writer.drain()
            end = b"\r\n.\r\n" if line.startswith(b"354") else b"\r\n"
            await reader.readuntil(end)

    async with a_server(serve) as port, email(f"127.0.0.1:{port}") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (verdict, reason)


async def refused(reply: bytes, **settings: Any) -> str:
    """Return what is said of a mail that a server refuses with these lines."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(b"250-ok\r\n250 AUTH PLAIN\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(reply)
        await reader.read()

    async with a_server(serve) as port, email(f"127.0.0.1:{port}", **settings) as channel:
        return str(await failure_of(channel, envelope(channel)))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"550-5.7.1 not from here,\r\n550 5.7.1 see https://mail.example/why\r\n", "5.7.1 not from here, 5.7.1 see"),
        (b"550 beep\x07 \x1b[31mred\x00 \xff\r\n", "beep [31mred \N{REPLACEMENT CHARACTER}"),
        (b"550 " + b"x" * 400 + b"\r\n", "x" * 199 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
async def test_what_the_server_says_is_told_on_one_line_and_no_longer_than_is_of_use(reply: bytes, said: str) -> None:
    text = await refused(reply)
    assert text.startswith(f"SMTP 550: {said}")
    assert len(text) <= len("SMTP 550: ") + 200


async def test_a_reply_without_words_is_told_by_its_number() -> None:
    assert await refused(b"550 \r\n") == "SMTP 550"


async def test_what_the_server_says_never_tells_the_login() -> None:
    user, password = "bellwire-mailer", "hunter2 & co"
    plain = b64encode(f"\0{user}\0{password}".encode())
    echoed = [user.encode(), password.encode(), b64encode(user.encode()), b64encode(password.encode()), plain]
    text = await refused(
        b"535 no: " + b" ".join(echoed) + b" so\r\n", auth_username=user, auth_password=SecretStr(password)
    )
    assert text == "SMTP 535: no: " + " ".join([HIDDEN] * 5) + " so"


async def test_a_server_that_never_greets_is_tried_again() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with a_server(serve) as port, email(f"127.0.0.1:{port}", timeout="300ms") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.RETRY, "timeout")


async def test_a_server_without_the_starttls_or_the_login_that_is_asked_for_gets_no_mail(inbox: SmtpInbox) -> None:
    async with email(inbox.smarthost, tls="starttls") as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.CHANNEL_FAULT, "smtp_not_supported")
    assert not inbox.messages


async def test_a_login_that_is_wanted_but_not_configured_is_the_channels_fault() -> None:
    async with SmtpInbox(login=("bellwire", "pw")) as inbox, email(inbox.smarthost) as channel:
        error = await failure_of(channel, envelope(channel))

    assert (error.verdict, error.reason) == (Verdict.CHANNEL_FAULT, "smtp_530")


async def test_an_address_beyond_ascii_goes_by_smtputf8(inbox: SmtpInbox) -> None:
    async with email(inbox.smarthost, to=["jürgen@example.com"]) as channel:
        await channel.send(envelope(channel))

    assert inbox.messages[0].recipients == ("jürgen@example.com",)


@pytest.mark.parametrize("bad", [{"to": ["nobody"]}, {"from": ""}, {"smarthost": "host:port"}, {"to": ["a@b@c <"]}])
async def test_addresses_that_cannot_be_used_are_refused_at_once(bad: dict[str, Any]) -> None:
    with pytest.raises(BellwireError):
        async with email(**({"smarthost": "localhost:25"} | bad)):
            pass
