"""``bellwire send-test``, as a process, against real receivers."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from bellwire.demo.receivers import Reply, SlackApi, SmtpInbox, WebhookReceiver

if TYPE_CHECKING:
    from pathlib import Path


async def send_test(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bellwire", "send-test", *arguments, "--config", str(folder / "b.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def configure(folder: Path, slack: SlackApi, hook: WebhookReceiver, inbox: SmtpInbox) -> None:
    (folder / "b.yaml").write_text(f"""\
web: {{external_url: 'https://bell.example'}}
route: {{receiver: ops}}
receivers:
  - name: ops
    slack_configs:
      - {{token: xoxb-demo, channel: '#ops', base_url: '{slack.url}', title: '{{{{ alert.title }}}} <!here>'}}
    webhook_configs:
      - {{name: one, url: '{hook.url}', text: '{{{{ kind }}}} of {{{{ receiver }}}}'}}
      - {{name: two, url: '{hook.url}'}}
    email_configs:
      - {{to: [a@example.com], from: b@example.com, smarthost: '{inbox.smarthost}', tls: none}}
  - {{name: other, webhook_configs: [{{url: 'http://127.0.0.1:9/'}}]}}
""")


async def test_each_channel_of_the_receiver_gets_one_message_of_kind_test(tmp_path: Path) -> None:
    async with SlackApi() as slack, WebhookReceiver() as hook, SmtpInbox() as inbox:
        configure(tmp_path, slack, hook, inbox)
        status, out, err = await send_test(tmp_path, "ops")
        assert (status, err) == (0, "")
        assert out.count(": ok: ") == 4
        bodies = sorted((json.loads(request.body) for request in hook.messages), key=lambda body: "text" not in body)
        assert [body["kind"] for body in bodies] == ["test", "test"]
        assert bodies[0]["text"] == "test of ops"
        assert bodies[0]["alerts"][0]["title"] == "A test of receiver ops"
        assert "[test] A test of receiver ops <!here>" in json.dumps(slack.messages[0].content)
        assert inbox.messages[0].parsed["Subject"] == "🔵 [test] A test of receiver ops"
        assert len({body["delivery_id"] for body in bodies}) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.yaml"]  # no ledger was made


async def test_what_failed_is_told_with_its_verdict_and_what_to_do(tmp_path: Path) -> None:
    async with SlackApi() as slack, WebhookReceiver() as hook, SmtpInbox() as inbox:
        configure(tmp_path, slack, hook, inbox)
        slack.fail("chat.postMessage", "invalid_auth")
        hook.answer(Reply(status=400, body=b"no"))
        status, out, _ = await send_test(tmp_path, "ops", "--json")
        assert status == 1
        results = {(each["channel"], each["name"]): each for each in json.loads(out)}
    assert list(results) == [("slack", ""), ("email", "a@example.com"), ("webhook", "one"), ("webhook", "two")]
    assert results["slack", ""]["verdict"] == "channel_fault"
    assert results["slack", ""]["reason"] == "slack_invalid_auth"
    assert "credentials" in results["slack", ""]["remedy"]
    # they are sent at the same time, to one address: either may meet the refusal
    assert {results["webhook", name]["verdict"] for name in ("one", "two")} == {"message_fault", None}
    assert results["email", "a@example.com"]["ok"] is True
    assert results["email", "a@example.com"]["remedy"] is None


async def test_a_receiver_that_cannot_be_reached_is_told_on_the_terminal(tmp_path: Path) -> None:
    async with SlackApi() as slack, WebhookReceiver() as hook, SmtpInbox() as inbox:
        configure(tmp_path, slack, hook, inbox)
        status, out, _ = await send_test(tmp_path, "other")
    assert status == 1
    assert out.startswith("other/webhook: retry: ")
    assert "see whether it is up" in out


async def test_an_unknown_receiver_is_a_wrong_call(tmp_path: Path) -> None:
    async with SlackApi() as slack, WebhookReceiver() as hook, SmtpInbox() as inbox:
        configure(tmp_path, slack, hook, inbox)
        status, _, err = await send_test(tmp_path, "opps")
    assert status == 2
    assert "there is no receiver 'opps': did you mean ops?" in err


async def test_a_bad_configuration_is_told_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("route: {receiver: x}\nreceivers: []\n")
    status, _, err = await send_test(tmp_path, "x")
    assert status == 78
    assert "b.yaml:" in err
