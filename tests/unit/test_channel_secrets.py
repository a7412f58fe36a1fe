"""Whatever of our secrets the other side echoes is blotted out, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
from typing import Any
from urllib.parse import quote

import pytest

from bellwire.channels.secrets import HIDDEN, hide, secrets_of
from bellwire.config.schema import AppriseConfig, SlackConfig, WebhookConfig

BASIC = base64.b64encode(b"puser-name:PLANTED:proxy").decode()


def a_webhook(**settings: Any) -> WebhookConfig:
    return WebhookConfig(**{"url": "http://hook.example/"} | settings)


def told(text: str, **settings: Any) -> str:
    return hide(text, secrets_of(a_webhook(**settings)))


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("Authorization", "Bearer SECRET-bearer", ["SECRET-bearer"]),
        ("authorization", "Whatever  SECRET-made-up", ["SECRET-made-up"]),
        ("X-Auth", "Token token=SECRET-parameter", ["SECRET-parameter"]),
        ("X-Auth", 'Digest username="SECRET-user", response="SECRET-response"', ["SECRET-user", "SECRET-response"]),
        ("Authorization", f"Basic {BASIC}", [BASIC, BASIC.rstrip("="), "puser-name", "PLANTED:proxy"]),
        ("Cookie", "sid=SECRET-cookie-1; a=b;sid2=SECRET==; _x=SECRET%2Fquoted", ["SECRET-cookie-1", "SECRET/quoted"]),
        ("X-Key", "SECRET-one SECRET-two", ["SECRET-one", "SECRET-two"]),
        ("X-Key", "id:SECRET-half", ["SECRET-half"]),
        ("X-Key", "U0VDUkVULWs==", ["U0VDUkVULWs==", "U0VDUkVULWs"]),
    ],
)
def test_each_part_of_a_header_is_hidden(name: str, value: str, secrets: list[str]) -> None:
    for secret in [value, *secrets]:
        assert told(f"({secret}) is revoked", headers={name: value}) == f"({HIDDEN}) is revoked"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-V": "1", "X-E": "a"}, "HTTP 400: 1 bad message, a pity"),
        ({}, "application/json is not supported"),
        ({"Authorization": "Bearer SECRET-bearer"}, "a Bearer token must be in Authorization"),
        ({"Cookie": "session_id=SECRET-cookie"}, "session_id is too old"),
        ({"Accept": "application/json", "User-Agent": "Watchman/2"}, "Watchman/2 must take application/json"),
    ],
)
def test_what_is_no_secret_is_left_as_it_was_said(headers: dict[str, str], said: str) -> None:
    assert told(said, headers=headers) == said


def test_the_login_of_a_proxy_is_hidden_as_it_is_and_as_it_is_sent() -> None:
    http = {"proxy_url": "http://puser-name:PLANTED%3Aproxy@proxy.example:3128"}
    for secret in ("puser-name", "PLANTED:proxy", "PLANTED%3Aproxy", BASIC, BASIC.rstrip("=")):
        assert told(f"no {secret} here", http_config=http) == f"no {HIDDEN} here"
    assert told("proxy.example says no", http_config=http) == "proxy.example says no"


def test_a_token_in_the_place_of_a_user_is_hidden_as_the_header_that_it_becomes() -> None:
    sent = base64.b64encode(b"SECRET-token:").decode()
    assert told(f"what is {sent}?", url="http://SECRET-token@hook.example/") == f"what is {HIDDEN}?"


def test_every_piece_of_an_address_that_the_other_side_may_echo_is_hidden() -> None:
    url = "https://user:pa55w0rd@hooks.example/T000/B0secret1/x?token=abcdef123&y=%2Fpercent%2F"

    said = told("cannot POST /T000/B0secret1/x?token=abcdef123 for pa55w0rd, y=/percent/", url=url)

    assert said == f"cannot POST {HIDDEN}?token={HIDDEN} for {HIDDEN}, y={HIDDEN}"


def test_signing_secrets_are_hidden_with_what_stands_before_them_and_without() -> None:
    said = told(
        "c2VjcmV0LWtleQ== whsec_YW5vdGhlci1rZXk=", signing_secrets=["whsec_c2VjcmV0LWtleQ==", "YW5vdGhlci1rZXk="]
    )
    assert said == f"{HIDDEN} whsec_{HIDDEN}"


def test_of_an_apprise_address_the_host_and_the_headers_are_hidden_too() -> None:
    pieces = secrets_of(AppriseConfig(url="tgram://123456789:SECRET-bot/chat-77?+Authorization=Bearer%20SECRET-bearer"))  # type: ignore[arg-type]  # pydantic makes the secret
    assert hide("SECRET-bot, SECRET-bearer", pieces) == f"{HIDDEN}, {HIDDEN}"


def test_both_tokens_of_slack_are_hidden() -> None:
    pieces = secrets_of(SlackConfig(token="xoxb-SECRET", app_token="xapp-SECRET", channel="#ops"))  # type: ignore[arg-type]  # pydantic makes the secrets
    assert hide("xoxb-SECRET xapp-SECRET #ops", pieces) == f"{HIDDEN} {HIDDEN} #ops"


@pytest.mark.parametrize(
    "form",
    [json.dumps, html.escape, lambda text: quote(text, safe=""), lambda text: json.dumps(text).replace("/", r"\/")],
)
def test_a_secret_is_hidden_as_json_a_page_or_an_address_has_it(form: Any) -> None:
    secret = "SE<RET/é&\"'x"
    assert told(f"<{form(secret)}>", headers={"X-Key": secret}) in {f"<{HIDDEN}>", f'<"{HIDDEN}">'}


def test_of_a_text_that_was_cut_off_within_a_secret_not_even_its_beginning_is_told() -> None:
    secret = "SECRET" + "x" * 3000
    text = f"you said {secret}, {secret}"[:4096]
    said = hide(text, secrets_of(a_webhook(headers={"X-Key": secret})), cut=True)
    assert said == f"you said {HIDDEN}, "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no such hook: SECRETTOK", "no such hook: "),
        ("no such hook: SECRETTOKEN-0123456789", f"no such hook: {HIDDEN}"),
        ("no such hook: SECRETTOK\N{REPLACEMENT CHARACTER}", "no such hook: "),
        ("no such hook", "no such hook"),
        ("", ""),
    ],
)
def test_what_a_cut_text_tells_besides_stays(text: str, told: str) -> None:
    secrets = secrets_of(a_webhook(headers={"X-Key": "SECRETTOKEN-0123456789"}))
    assert hide(text, secrets, cut=True) == told


def test_what_is_no_address_at_all_is_one_secret() -> None:
    assert hide("SECRET://[x", secrets_of(a_webhook(url="SECRET://[x"))) == HIDDEN
