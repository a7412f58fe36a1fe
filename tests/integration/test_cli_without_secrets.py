"""Commands of people who have not the secrets of accounts and receivers.

Those are credentials of the daemon's, which nobody else may read, or stand in the environment of its service alone.
"""

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
BY_VARIABLES = """
storage: {{url: "sqlite:///{folder}/ledger.db"}}
web: {{listen: ""}}
heartbeat: {{url: "https://hc.example.com/${{HEARTBEAT}}"}}
accounts:
  - {{name: vision, api: visual_layer, base_url: "https://vl.example.com", authorization: {{credentials: "${{VL_TOKEN}}"}}}}
  - {{name: paths, api: owlmetry, base_url: "https://owl.example.com", authorization: {{credentials: "${{OWL_TOKEN}}"}}}}
route: {{receiver: ops}}
receivers:
  - name: ops
    webhook_configs:
      - {{url: "https://x.example.com/${{HOOK}}", headers: {{X-Key: "key ${{HOOK_KEY}}"}}, signing_secrets: ["${{HOOK_SECRET}}"]}}
    slack_configs: [{{token: "${{SLACK_TOKEN}}", channel: "#ops"}}]
    apprise_configs: [{{url: "${{APPRISE_URL}}"}}]
  - name: desk
    email_configs:
      - {{to: [a@example.com], from: b@example.com, smarthost: "mail:587", auth_username: u, auth_password: "${{SMTP}}"}}
tests:
  - {{name: it, alerts: [{{account: vision}}], expect: {{receivers: [ops]}}}}
"""
LISTENS = '{{listen: "127.0.0.1:0", token_file: "${{HOOK}}/web_token"}}'
VARIABLES = (
    "HEARTBEAT",
    "VL_TOKEN",
    "OWL_TOKEN",
    "HOOK",
    "HOOK_KEY",
    "HOOK_SECRET",
    "SLACK_TOKEN",
    "APPRISE_URL",
    "SMTP",
)
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
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Make a folder with a configuration, none of its secrets, and a ledger with a dead delivery."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    made = Place(tmp_path)
    made.config.write_text(CONFIGURATION.format(folder=tmp_path))
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda last: SystemClock(not_before=last))
    try:
        await ledger.record([an_arrival(OPS)])
        await send(ledger, a_policy(OPS), **DEAD)
    finally:
        await ledger.close()
    return made


NEED_NONE = pytest.mark.parametrize(
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
NEED_ALL = pytest.mark.parametrize("words", [("audit",), ("doctor",), ("send-test", "ops")], ids=" ".join)


@NEED_NONE
async def test_what_needs_no_secret_of_theirs_works_without_it(place: Place, words: tuple[str, ...]) -> None:
    result = await place.call(*words)
    assert (result.exit_code, result.stderr) == (0, "")


@NEED_NONE
async def test_what_needs_no_secret_of_theirs_works_where_its_variable_is_not_set(
    place: Place, words: tuple[str, ...]
) -> None:
    place.config.write_text(BY_VARIABLES.format(folder=place.folder))
    result = await place.call(*words)
    assert (result.exit_code, result.stderr) == (0, "")


@NEED_NONE
async def test_what_needs_no_secret_of_theirs_works_where_its_variable_is_empty(
    place: Place, words: tuple[str, ...]
) -> None:
    place.config.write_text(BY_VARIABLES.format(folder=place.folder))
    result = await place.call(*words, **dict.fromkeys(VARIABLES, ""))
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["check-config", "run", "alerts"])
async def test_an_empty_token_of_the_web_ends_with_its_place_and_78(place: Place, command: str) -> None:
    text = CONFIGURATION.replace('{{listen: ""}}', '{{listen: "0.0.0.0:0", token: "${{HOOK:-}}"}}')
    place.config.write_text(text.format(folder=place.folder))
    result = await place.call(command)
    assert result.exit_code == 78
    assert "bellwire.yaml:3:35: web.token: is empty: give its variable a value, or remove it" in result.stderr


async def test_an_empty_override_is_told_with_its_variable_and_nothing_else(place: Place) -> None:
    result = await place.call("alerts", BELLWIRE__WEB__TOKEN="")
    told = "$BELLWIRE__WEB__TOKEN:1:1: web.token: is empty: give the variable a value, or unset it\n"
    assert (result.exit_code, result.stderr) == (78, told)


@pytest.mark.parametrize("text", [CONFIGURATION, BY_VARIABLES], ids=["files", "variables"])
async def test_commands_about_one_alert_and_on_files_work_without_them_too(place: Place, text: str) -> None:
    place.config.write_text(text.format(folder=place.folder))
    assert (await place.call("explain", "-", text='{"title": "x"}')).exit_code == 0
    assert (await place.call("backup", str(place.folder / "copy.db"))).exit_code == 0
    assert (await place.call("simulate", "--with", str(place.config))).exit_code == 0


@NEED_ALL
async def test_what_asks_vendors_or_sends_says_which_secret_it_lacks(place: Place, words: tuple[str, ...]) -> None:
    result = await place.call(*words)
    assert result.exit_code == 78
    assert "accounts[0].authorization.credentials_file" in result.stderr
    assert "vl_token cannot be read" in result.stderr


async def test_the_check_of_the_configuration_names_every_one_that_cannot_be_read(place: Place) -> None:
    result = await place.call("check-config")
    assert result.exit_code == 78
    assert [name for name in SECRETS if f"/{name} cannot be read" not in result.stderr] == []


@NEED_ALL
async def test_what_asks_vendors_or_sends_says_which_variable_it_lacks(place: Place, words: tuple[str, ...]) -> None:
    place.config.write_text(BY_VARIABLES.format(folder=place.folder))
    result = await place.call(*words)
    assert result.exit_code == 78
    assert "accounts[0].authorization.credentials: the environment variable VL_TOKEN is not set" in result.stderr


async def test_a_file_may_be_named_by_a_variable_that_the_service_alone_has(place: Place) -> None:
    text = CONFIGURATION.replace("vl_token", '"${{HOOK}}/vl_token"').replace('{{listen: ""}}', LISTENS)
    place.config.write_text(text.format(folder=place.folder))
    lacking = await place.call("alerts")
    assert lacking.exit_code == 78
    assert "web.token_file: the environment variable HOOK is not set" in lacking.stderr
    assert "accounts" not in lacking.stderr
    given = await place.call("alerts", BELLWIRE__WEB__TOKEN="a-token")
    assert (given.exit_code, given.stderr) == (0, "")
    checked = await place.call("check-config")
    assert "accounts[0].authorization.credentials_file: the environment variable HOOK is not set" in checked.stderr


@pytest.mark.parametrize("command", ["check-config", "run"])
async def test_the_check_and_the_daemon_name_every_variable_that_is_not_set(place: Place, command: str) -> None:
    place.config.write_text(BY_VARIABLES.format(folder=place.folder))
    result = await place.call(command)
    assert result.exit_code == 78
    assert [name for name in VARIABLES if f"variable {name} is not set" not in result.stderr] == []


async def test_a_variable_in_what_is_no_secret_is_needed_all_the_same(place: Place) -> None:
    text = BY_VARIABLES.replace('smarthost: "mail:587"', 'smarthost: "${{SMTP}}:587"')
    place.config.write_text(text.format(folder=place.folder))
    result = await place.call("alerts")
    assert result.exit_code == 78
    (line,) = result.stderr.splitlines()
    assert "receivers[1].email_configs[0].smarthost: the environment variable SMTP is not set" in line


async def test_a_reference_that_is_none_is_a_fault_within_a_secret_too(place: Place) -> None:
    text = BY_VARIABLES.replace("${{SLACK_TOKEN}}", "${{SLACK-TOKEN}}${{SLACK_TOKEN}}")
    place.config.write_text(text.format(folder=place.folder))
    result = await place.call("alerts")
    assert result.exit_code == 78
    (line,) = result.stderr.splitlines()
    assert "receivers[0].slack_configs[0].token: ${ begins no reference" in line


async def test_the_token_and_the_address_that_a_command_needs_may_come_by_other_variables(place: Place) -> None:
    text = BY_VARIABLES.replace('{{listen: ""}}', '{{listen: "127.0.0.1:0", token: "${{SMTP}}"}}')
    text = text.replace("sqlite:///{folder}/ledger.db", "${{HOOK}}")
    place.config.write_text(text.format(folder=place.folder))
    lacking = await place.call("alerts")
    assert lacking.exit_code == 78
    assert "web.token: the environment variable SMTP is not set" in lacking.stderr
    assert "storage.url: the environment variable HOOK is not set" in lacking.stderr
    assert "set it here too, or set $BELLWIRE__WEB__TOKEN" in lacking.stderr
    given = await place.call(
        "alerts", BELLWIRE__WEB__TOKEN="a-token", BELLWIRE__STORAGE__URL=f"sqlite:///{place.folder}/ledger.db"
    )
    assert (given.exit_code, given.stderr) == (0, "")


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


@pytest.mark.parametrize(("text", "secrets"), [(CONFIGURATION, SECRETS), (BY_VARIABLES, VARIABLES)])
def test_what_stands_in_for_a_secret_can_be_no_header_and_is_no_fault(
    tmp_path: Path, text: str, secrets: tuple[str, ...]
) -> None:
    path = tmp_path / "bellwire.yaml"
    path.write_text(text.format(folder=tmp_path))
    config = load(path, {}, frozenset())
    assert len(config.unread) == len(secrets)
    given = config.accounts[0].authorization
    assert given is not None
    assert given.credentials is not None
    assert "\0" in given.credentials.get_secret_value()
