"""Marked secrets in every place that takes one, and a search through everything that the daemon lets out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from bellwire.demo.receivers.http import Reply, WebhookReceiver
from bellwire.reference.serve import serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import API, USER, Daemon, an_account, to_pager

if TYPE_CHECKING:
    from pathlib import Path

MARK = "Xq7-planted-secret"
SIGNING = base64.b64encode(f"{MARK}-signing-key-000000".encode()).decode()


async def test_no_secret_is_in_any_log_line_page_metric_or_error(tmp_path: Path) -> None:
    token = f"{MARK}-token"
    settings = ReferenceSettings(users=(User(name=USER, tokens=(token,)),))
    async with serving(settings) as server, WebhookReceiver() as pager:
        pager.answer(
            Reply(status=503), Reply(status=302, headers={"Location": f"http://127.0.0.1:1/{MARK}"}), Reply(drop=True)
        )
        config = to_pager(server, pager)
        config["global"] = {"log_level": "debug"}
        config["accounts"] = [
            an_account(server, authorization={"credentials": token}),
            # Neither of these can be reached or entered: their errors are what is looked at.
            an_account(server, name="refused", authorization={"credentials": f"{MARK}-wrong-token"}),
            an_account(
                server, name="minted", authorization={"api_key": f"{MARK}-key", "api_secret": f"{MARK}-secret" * 4}
            ),
            an_account(
                server,
                name="proxied",
                http_config={"proxy_url": f"http://user:{MARK}@127.0.0.1:1", "timeout": "2s"},
            ),
        ]
        config["receivers"] = [
            {
                "name": "pager",
                "retry": {"initial_backoff": "10ms", "max_backoff": "50ms"},
                "webhook_configs": [
                    {
                        "name": "good",
                        "url": f"{pager.url}?key={MARK}",
                        "signing_secret": f"whsec_{SIGNING}",
                        "headers": {"X-Key": f"{MARK}-header"},
                    },
                    {"name": "bad", "url": f"http://{MARK}.invalid/{MARK}", "http_config": {"timeout": "1s"}},
                ],
                "slack_configs": [
                    {"name": "api", "token": f"xoxb-{MARK}", "channel": "#ops", "base_url": f"{pager.url}/api/"},
                    {"name": "hook", "api_url": f"{pager.url}/{MARK}"},
                ],
                "email_configs": [
                    {
                        "to": ["a@example.com"],
                        "from": "b@example.com",
                        "smarthost": f"127.0.0.1:{pager.port}",
                        "tls": "none",
                        "timeout": "1s",  # nothing there speaks SMTP
                        "auth_username": "bellwire",
                        "auth_password": f"{MARK}-password",
                    }
                ],
                "apprise_configs": [{"url": f"json://user:{MARK}@127.0.0.1:1/{MARK}"}],
            }
        ]
        async with Daemon(tmp_path, config) as daemon:
            await daemon.streaming()
            (item,) = server.emit(API, USER, [{}])
            channels = {
                f"pager/{name}" for name in ("webhook/bad", "slack/api", "slack/hook", "email/a@example.com", "apprise")
            }

            def all_failed(lines: list[dict[str, object]]) -> bool:
                return channels <= {line.get("channel") for line in lines if str(line["event"]).startswith("delivery_")}

            await daemon.logged.wait_until(all_failed, 60)
            await daemon.wait_for_log(
                lambda line: line.get("account") == "refused" and line.get("state") == "unauthorized"
            )
            told = [
                (await daemon.get(path))[1]
                for path in ("/", "/metrics", "/-/ready", "/api/v1/status", "/api/v1/alerts", f"/api/v1/alerts/{item}")
            ]
            told += [" ".join(map(str, await daemon.command(*command))) for command in (("explain", item), ("audit",))]
            await daemon.terminate()
    leaked = [line for line in daemon.output.decode().splitlines() if MARK in line]
    assert leaked == []
    assert [text for text in told if MARK in text] == []
    assert b"Traceback" not in daemon.output
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert MARK.encode() not in kept
