"""Commands of people who may not read the secrets of accounts and receivers: those are credentials of the daemon's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.config.load import load
from bellwire.ledger.ledger import Ledger
from bellwire.model import ChannelKey
from ledger_rig import DEAD, send
from makers import a_policy, an_arrival

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

OPS = ChannelKey(receiver="ops", kind="webhook")
CONFIGURATION = """
storage: {{url: "sqlite:///{folder}/ledger.db"}}
web: {{listen: ""}}
heartbeat: {{url_file: heartbeat_url}}
accounts:
  - {{name: vision, api: visual_layer, base_url: "https://vl.example.com", authorization: {{credentials_file: vl_token}}}}
  - {{name: paths, api: owlmetry, base_url: "https://owl.example.com", authorization: {{credentials_file: owl_token}}}}
route: {{receiver: ops}}
receivers:
  - name: ops
    webhook_configs: [{{url_file: hook, signing_secret_file: hook_secret}}]
    slack_configs: [{{token_file: slack_token, channel: "#ops"}}]
    apprise_configs: [{{url_file: apprise_url}}]
  - name: desk
    email_configs:
      - {{to: [a@example.com], from: b@example.com, smarthost: "mail:587", auth_username: u, auth_password_file: smtp}}
tests:
  - {{name: it, alerts: [{{account: vision}}], expect: {{receivers: [ops]}}}}
"""
SECRETS = ("vl_token", "owl_token", "hook", "hook_secret", "slack_token", "apprise_url", "smtp", "heartbeat_url")


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "bellwire.yaml"

    async def call(self, *words: str, text: str | None = None, **environ: str) -> Result:
        runner = CliRunner(env={"CREDENTIALS_DIRECTORY": None, **environ})
        return await asyncio.to_thread(runner.invoke, main, [*words, "--config", str(self.config)], input=text)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """Make a folder with a configuration, none of its secrets, and a ledger with a dead delivery."""
    made = Place(tmp_path)
    made.config.write_text(CONFIGURATION.format(folder=tmp_path))
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    try:
        await ledger.record([an_arrival(OPS)])
        await send(ledger, a_policy(OPS), **DEAD)
    finally:
        await ledger.close()
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("alerts",),
        ("deliveries",),
        ("audit", "--ledger-only"),
        ("silence", "list"),
        ("silence", "add", 'team="x"', "--duration", "1h", "--comment", "c"),
        ("replay", "--dead"),
        ("routes", "show"),
        ("routes", "test", "severity=error"),
        ("test",),
    ],
    ids=" ".join,
)
async def test_what_needs_no_secret_of_theirs_works_without_it(place: Place, words: tuple[str, ...]) -> None:
    result = await place.call(*words)
    assert (result.exit_code, result.stderr) == (0, "")


async def test_commands_about_one_alert_and_on_files_work_without_them_too(place: Place) -> None:
    assert (await place.call("explain", "-", text='{"title": "x"}')).exit_code == 0
    assert (await place.call("backup", str(place.folder / "copy.db"))).exit_code == 0
    assert (await place.call("simulate", "--with", str(place.config))).exit_code == 0


@pytest.mark.parametrize("words", [("audit",), ("doctor",), ("send-test", "ops")], ids=" ".join)
async def test_what_asks_vendors_or_sends_says_which_secret_it_lacks(place: Place, words: tuple[str, ...]) -> None:
    result = await place.call(*words)
    assert result.exit_code == 78
    assert "accounts[0].authorization.credentials_file" in result.stderr
    assert "vl_token cannot be read" in result.stderr


async def test_the_check_of_the_configuration_names_every_one_that_cannot_be_read(place: Place) -> None:
    result = await place.call("check-config")
    assert result.exit_code == 78
    assert [name for name in SECRETS if f"/{name} cannot be read" not in result.stderr] == []


async def test_other_faults_are_told_all_the_same(place: Place) -> None:
    place.config.write_text(place.config.read_text().replace("route: {receiver: ops}", "route: {receiver: opps}"))
    result = await place.call("alerts")
    assert result.exit_code == 78
    assert "did you mean" in result.stderr
    assert "cannot be read" not in result.stderr


async def test_the_token_that_the_daemon_is_asked_with_is_needed_and_how_to_give_it_is_told(place: Place) -> None:
    text = place.config.read_text().replace('{listen: ""}', '{listen: "127.0.0.1:0", token_file: web_token}')
    place.config.write_text(text)
    result = await place.call("alerts")
    assert result.exit_code == 78
    assert "web.token_file" in result.stderr
    assert "CREDENTIALS_DIRECTORY=/run/credentials/bellwire.service" in result.stderr
    assert "$BELLWIRE__WEB__TOKEN" in result.stderr
    given = await place.call("alerts", BELLWIRE__WEB__TOKEN="a-token-by-the-environment")
    assert (given.exit_code, given.stderr) == (0, "")
    assert (await place.call("routes", "show")).exit_code == 0


def test_what_stands_in_for_a_secret_can_be_no_header_and_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "bellwire.yaml"
    path.write_text(CONFIGURATION.format(folder=tmp_path))
    config = load(path, {}, frozenset())
    assert len(config.unread) == len(SECRETS)
    given = config.accounts[0].authorization
    assert given is not None
    assert given.credentials is not None
    assert "\0" in given.credentials.get_secret_value()
