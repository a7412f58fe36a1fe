"""Marked secrets by every way that one can be given, and a search through every channel that anything leaves by."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.demo.receivers.http import Reply, Request, WebhookReceiver
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import API, USER, Daemon, an_account, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer

MARK = "Xq7plantedsecret"
SIGNING = "whsec_" + base64.b64encode(f"{MARK}-signing-key-000000".encode()).decode()
BASIC = base64.b64encode(f"user:{MARK}".encode()).decode()
PROXY = f"user-{MARK}:{MARK}-login"
SENT = base64.b64encode(PROXY.encode()).decode()
FORMS = (MARK, SIGNING.removeprefix("whsec_"), BASIC, SENT, "".join(f"%{byte:02X}" for byte in MARK.encode()))
"""The secrets as they are, and as a URL, a header or a library may have turned them."""

COMMANDS: Sequence[Sequence[str]] = (
    ("check-config",),
    ("routes", "show"),
    ("routes", "test", "severity=error"),
    ("test",),
    ("alerts", "--json"),
    ("deliveries", "--json"),
    ("audit", "--json"),
    ("doctor", "--timeout", "2", "--json"),
    ("send-test", "pager", "--json"),
    ("silence", "list"),
    ("replay", "--dead"),
)


def echo(request: Request) -> Reply:
    """Answer as a careless receiver does, that tells all it was told, taken to pieces and whole."""
    said = " ".join(f"{piece} is revoked" for piece in pieces(request))
    if "/slack/" in request.path:
        return Reply(status=200, body=json.dumps({"ok": False, "error": f"no_{said}"}).encode())
    whole = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return Reply(status=400, body=f"{said}\ncannot take {request.path}\n{whole}".encode())


def pieces(request: Request) -> list[str]:
    """Return what stands within the headers that prove who asks."""
    found = []
    for name in ("Authorization", "Cookie", "Proxy-Authorization"):
        value = request.headers.get(name, "")
        found += [piece for piece in re.split("[ ;=]+", value) if MARK in piece]
        if value.startswith("Basic "):
            login = value.removeprefix("Basic ")
            found += [login, *base64.b64decode(login).decode().split(":")]
    return found


def planted(server: ReferenceServer, folder: Path, pager: WebhookReceiver, keeper: WebhookReceiver) -> dict[str, Any]:
    """Return a configuration whose every secret bears the mark: in the file, in files beside it, in the environment."""
    for name in ("token", "web_token", "read_token", "password", "whsec", "slack", "proxy", "apprise", "hook"):
        (folder / name).write_text(
            {
                "token": f"{MARK}-token",
                "whsec": f"{SIGNING}\n{SIGNING}\n",
                "proxy": f"http://user:{MARK}@127.0.0.1:1",
                "apprise": f"json://user:{MARK}@127.0.0.1:1/{MARK}?+X-Key={MARK}",
                "hook": f"http://user:{MARK}@127.0.0.1:{pager.port}/{MARK}?key={MARK}",
                "slack": f"xoxb-{MARK}",
            }.get(name, f"{MARK}-{name}-0123456789abcdef")
        )
    wrong = {"credentials": f"{MARK}-wrong"}
    api = {"token_file": "slack", "app_token": "${APP_TOKEN}", "channel": "#ops", "base_url": f"{pager.url}/slack/"}
    mail = {
        "to": ["a@example.com"],
        "from": "b@example.com",
        "smarthost": f"127.0.0.1:{pager.port}",
        "tls": "none",
        "timeout": "1s",
    }
    return {
        "global": {"log_level": "debug"},
        "web": {"listen": f"127.0.0.1:{free_port()}", "token_file": "web_token", "read_token_file": "read_token"},
        "accounts": [
            an_account(server, authorization={"credentials_file": "token"}),
            an_account(server, name="refused", authorization=wrong),
            an_account(server, name="told", headers={"X-Session": f"{MARK}-session"}, authorization=wrong),
            an_account(server, name="careless", base_url=f"http://127.0.0.1:{pager.port}", authorization=wrong),
            an_account(server, name="proxied", http_config={"proxy_url_file": "proxy", "timeout": "1s"}),
            an_account(server, name="minted", authorization={"api_key": f"{MARK}-k", "api_secret": f"{MARK}-s" * 4}),
        ],
        "route": {"receiver": "pager"},
        "receivers": [
            {
                "name": "pager",
                "retry": {"initial_backoff": "10ms", "max_backoff": "200ms"},
                "webhook_configs": [
                    {
                        "name": "careless",
                        "url_file": "hook",
                        "signing_secrets_file": "whsec",
                        "headers": {"X-Key": f"{MARK}-header"},
                        "title": "{{ alert.title }}",
                        "text": "{{ alert.severity }} {{ alert.payload }}",
                    },
                    {
                        "name": "revoked",
                        "url": pager.url,
                        "headers": {"Authorization": f"Bearer {MARK}-bearer", "Cookie": f"sid={MARK}-cookie; a=b"},
                    },
                    {
                        "name": "behind",
                        "url": "http://receiver.invalid/hook",
                        "http_config": {"proxy_url": f"http://{PROXY}@127.0.0.1:{pager.port}"},
                    },
                    {"name": "nowhere", "url": f"http://{MARK}.invalid/{MARK}", "timeout": "1s"},
                    {"name": "through", "url": pager.url, "http_config": {"proxy_url_file": "proxy"}, "timeout": "1s"},
                ],
                "slack_configs": [{"name": "api", **api}, {"name": "hook", "api_url": f"{pager.url}/{MARK}"}],
                "email_configs": [mail | {"auth_username": "bellwire", "auth_password_file": "password"}],
                "apprise_configs": [{"url_file": "apprise"}],
            },
            {"name": "keeper", "webhook_configs": [{"url": keeper.url}]},
        ],
        "meta_receiver": "keeper",
        "heartbeat": {"url": f"http://127.0.0.1:{pager.port}/beat/{MARK}", "interval": "1s"},
    }


@pytest.mark.timeout(180)
async def test_no_secret_leaves_by_any_channel(tmp_path: Path) -> None:
    settings = ReferenceSettings(users=(User(name=USER, tokens=(f"{MARK}-token",)),))
    async with serving(settings) as server, WebhookReceiver(otherwise=echo) as pager, WebhookReceiver() as keeper:
        config = planted(server, tmp_path, pager, keeper)
        daemon = Daemon(tmp_path, config, {"APP_TOKEN": f"xapp-{MARK}"})
        async with daemon:
            await daemon.streaming()
            item, *_ = server.emit(API, USER, [{}, {}])
            for name in ("careless", "revoked", "behind"):
                await daemon.wait_for_log(dead(f"pager/webhook/{name}"))
            await daemon.wait_for_log(lambda line: line.get("event") == "heartbeat_failed")
            await keeper.wait_until(lambda requests: len(requests) >= 3)
            told = {f"GET {path}": text for path, text in (await everything(daemon, item)).items()}
            commands = [
                *COMMANDS,
                ("explain", item),
                ("explain", item, "--json"),
                ("backup", str(tmp_path / "copy.db")),
            ]
            answers = await asyncio.gather(*(daemon.command(*command) for command in commands))
            for command, (code, out, err) in zip(commands, answers, strict=True):
                told[" ".join(command)] = out + err
                assert code in {0, 1}, (command, code, out, err)
            await daemon.terminate()
        told["messages to third parties"] = " ".join(request.body.decode() for request in keeper.messages)
        told |= {f"log, line {n}": line for n, line in enumerate(daemon.output.decode().splitlines())}
        told |= {path.name: path.read_bytes().decode("latin-1") for path in tmp_path.glob("*.db*")}
    assert leaks(told) == {}
    assert sum("********** is revoked" in text for text in told.values()) > len(("log", "page", "API", "message"))
    assert [text for text in told.values() if "Traceback (most recent call last)" in text] == []


def dead(channel: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("event") == "delivery_dead" and line.get("channel") == channel


async def everything(daemon: Daemon, item: str) -> dict[str, str]:
    """Return every page, and every answer of the API that can be had by asking."""
    listen = daemon.config["web"]["listen"]

    def get(path: str) -> str:
        headers = {"Authorization": f"Bearer {MARK}-web_token-0123456789abcdef"}
        request = urllib.request.Request(f"http://{listen}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
                endless = answer.headers.get_content_type() == "text/event-stream"
                body: bytes = answer.read1() if endless else answer.read()
                return f"{answer.headers}{body.decode('latin-1')}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.headers}{error.read().decode('latin-1')}"

    openapi = json.loads((await asyncio.to_thread(get, "/api/openapi.json")).partition("\n\n")[2])
    paths = [path for path, calls in openapi["paths"].items() if "get" in calls]
    wanted = {re.sub(r"\{[^}]+\}", item, path) for path in paths}
    wanted |= {"/", "/metrics", "/-/ready", "/-/healthy", "/accounts", "/alerts", f"/alerts/{item}", "/deliveries"}
    wanted |= {"/silences", "/routes", "/configuration", "/api/docs", "/login", "/nowhere"}
    answers = {path: await asyncio.to_thread(get, path) for path in sorted(wanted) if "events" not in path}
    assert len(paths) > 5
    return answers


def leaks(told: dict[str, str]) -> dict[str, list[str]]:
    """Return where a secret shows, each with what stands around it."""
    found = {}
    for where, text in told.items():
        places = [match.start() for form in FORMS for match in re.finditer(re.escape(form), text)]
        if places:
            found[where] = [text[max(0, place - 80) : place + 80] for place in places[:2]]
    return found


BROKEN: tuple[tuple[str, Any], ...] = (
    ("heartbeat", {"url": f"ftp://user:{MARK}@example.com/{MARK}", "interval": "1s"}),
    ("heartbeat", {"url": [MARK]}),
    ("web", {"token": {"x": MARK}}),
    ("web", {"token": MARK, "listen": f"user:{MARK}@127.0.0.1"}),
    ("accounts", [{"name": "a", "api": "visual_layer", "base_url": f"http://u:{MARK}@h/", "authorization": MARK}]),
    (
        "accounts",
        [{"name": "a", "api": "visual_layer", "base_url": "http://h", "authorization": {"credentials": [MARK]}}],
    ),
    ("receivers", [{"name": "p", "webhook_configs": [{"url": f"{MARK}", "signing_secret": f"{MARK}"}]}]),
    (
        "receivers",
        [{"name": "p", "slack_configs": [{"token": f"{MARK}\n", "app_token": f"{MARK} x", "channel": "#o"}]}],
    ),
    ("receivers", [{"name": "p", "slack_configs": [{"api_url": f"nowhere {MARK}"}]}]),
    ("receivers", [{"name": "p", "apprise_configs": [{"url": f"{MARK}://x"}]}]),
    ("receivers", [{"name": "p", "apprise_configs": [{"url": f"json://h/?optional={MARK}"}]}]),
    ("storage", {"url": f"postgresql://u:{MARK}@h/db"}),
    ("storage", {"url": f"nothing://u:{MARK}@h/db"}),
)


@pytest.mark.parametrize(("section", "value"), BROKEN)
async def test_what_is_said_of_a_bad_secret_does_not_quote_it(section: str, value: Any, tmp_path: Path) -> None:
    sound = {
        "accounts": [],
        "route": {"receiver": "p"},
        "receivers": [{"name": "p", "webhook_configs": [{"url": "http://127.0.0.1:1/"}]}],
    }
    daemon = Daemon(tmp_path, sound | {section: value})
    for command in ("check-config", "run", "doctor"):
        result = await asyncio.to_thread(CliRunner().invoke, main, [command, "--config", str(daemon.path)])
        assert result.exit_code != 0
        assert isinstance(result.exception, SystemExit)
        assert leaks({"said": result.output}) == {}
