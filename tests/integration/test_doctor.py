from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bellwire.cli import main
from bellwire.clock import SystemClock
from bellwire.config.document import parse
from bellwire.config.load import load
from bellwire.config.secrets import Folders
from bellwire.demo.receivers import SlackApi, SmtpInbox, WebhookReceiver
from bellwire.doctor.diagnosis import Check, Finding, Health, Patient, ok
from bellwire.doctor.examine import examine, make
from bellwire.doctor.files import find_secrets
from bellwire.doctor.process import files_needed
from bellwire.http import HttpPool
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from certificates import Authority
from conftest import sqlite_url
from vendor_server import serving as vendor_serving
from vendor_server import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from click.testing import Result

TOKEN, SLACK_TOKEN, PASSWORD = "secret-token-of-oncall", "xoxb-secret", "secret-password"
SECONDS = 20.0


class Clinic:
    """A folder with a configuration of its own, and everything that it names running on loopback."""

    def __init__(
        self, folder: Path, vendor: ReferenceServer, slack: SlackApi, mail: SmtpInbox, hook: WebhookReceiver
    ) -> None:
        self.folder = folder
        self.slack, self.mail, self.hook = slack, mail, hook
        self.slack_config: dict[str, Any] = {"token": SLACK_TOKEN, "channel": "#ops", "base_url": slack.url}
        self.email_config: dict[str, Any] = {
            "to": ["a@example.com", "b@example.com"],
            "from": "bellwire@example.com",
            "smarthost": mail.smarthost,
            "tls": "none",
            "auth_username": "bellwire",
            "auth_password": PASSWORD,
        }
        self.webhook_config: dict[str, Any] = {"url": hook.url}
        self.receiver: dict[str, Any] = {"name": "ops"}
        self.accounts: list[dict[str, Any]] = [
            {
                "name": api,
                "api": api,
                "base_url": vendor.base_url(api),
                "authorization": {"credentials": TOKEN},
            }
            for api in ("visual_layer", "qualytics", "owlmetry", "elan", "atp")
        ]
        self.more: dict[str, Any] = {"web": {"listen": ""}, "storage": {"url": sqlite_url(folder)}}

    @property
    def path(self) -> Path:
        return self.folder / "bellwire.yaml"

    def write(self) -> None:
        """Write the configuration as it is now."""
        receiver = self.receiver | {
            "slack_configs": [self.slack_config],
            "email_configs": [self.email_config],
            "webhook_configs": [self.webhook_config],
        }
        config = {"accounts": self.accounts, "route": {"receiver": "ops"}, "receivers": [receiver]} | self.more
        self.path.write_text(json.dumps(config))  # JSON is YAML
        self.path.chmod(0o600)

    async def findings(self, clock: SystemClock | None = None) -> list[Finding]:
        """Examine, and hold that no secret is in anything that was found."""
        self.write()
        pool = HttpPool()
        patient = Patient(
            config=load(self.path, os.environ),
            path=self.path,
            ledger_url=sqlite_url(self.folder),
            environ=os.environ,
            pool=pool,
            clock=clock or SystemClock(),
        )
        try:
            found = await examine(patient, SECONDS, lambda _done, _total: None)
        finally:
            await pool.close()
        assert not [secret for secret in (TOKEN, SLACK_TOKEN, PASSWORD) if secret in repr(found)]
        return found

    async def found(self, check: str, **options: Any) -> list[tuple[str, str]]:
        """Return state and text of what the checks of one kind find."""
        findings = await self.findings(**options)
        return [(each.diagnosis.health.value, each.diagnosis.text) for each in findings if each.check == check]

    async def command(self, *words: str) -> Result:
        self.write()
        return await asyncio.to_thread(CliRunner().invoke, main, ["doctor", "--config", str(self.path), *words])


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    settings = ReferenceSettings(users=(User(name="oncall", tokens=(TOKEN,)),), keep_alive=1)
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(serving(settings))
        slack = await stack.enter_async_context(SlackApi(token=SLACK_TOKEN))
        slack.channel_id("#ops")
        mail = await stack.enter_async_context(SmtpInbox(login=("bellwire", PASSWORD)))
        hook = await stack.enter_async_context(WebhookReceiver())
        yield Clinic(tmp_path, vendor, slack, mail, hook)


async def test_where_all_is_well_nothing_fails_and_nothing_is_sent(clinic: Clinic) -> None:
    findings = await clinic.findings()
    assert [each for each in findings if each.diagnosis.health is Health.FAILED] == []
    said = {(each.check, each.subject): each.diagnosis.text for each in findings}
    for api in ("visual_layer", "qualytics", "owlmetry", "elan", "atp"):
        assert said[("account", api)] == "let in; unread at the vendor: 0"
    assert said[("slack", "ops")] == "may post to #ops"
    assert (clinic.slack.messages, clinic.mail.messages, clinic.hook.messages) == ([], [], [])


# --- accounts ------------------------------------------------------------------------------------------------------


async def test_credentials_that_the_vendor_refuses_are_named_by_account(clinic: Clinic) -> None:
    clinic.accounts[1]["authorization"] = {"credentials": "another-secret"}
    states = [state for state, _ in await clinic.found("account")]
    assert states == ["ok", "failed", "ok", "ok", "ok"]


async def test_a_vendor_that_is_busy_is_no_failure_and_one_that_is_gone_is(clinic: Clinic) -> None:
    async with vendor_serving() as busy:
        busy.always["unread-count"] = status(429, **{"Retry-After": "30"})
        with socket.create_server(("127.0.0.1", 0)) as free:
            gone = f"http://127.0.0.1:{free.getsockname()[1]}"
        clinic.accounts = [
            {**clinic.accounts[0], "name": name, "base_url": url} for name, url in (("a", busy.url), ("b", gone))
        ]
        (first, second) = await clinic.found("account")
    assert first[0] == "warning"
    assert (second[0], "cannot connect" in second[1]) == ("failed", True)


# --- Slack ---------------------------------------------------------------------------------------------------------


async def test_a_slack_token_that_is_refused_fails(clinic: Clinic) -> None:
    clinic.slack.fail("auth.test", "invalid_auth")
    assert await clinic.found("slack") == [("failed", "the token is refused: invalid_auth")]


@pytest.mark.parametrize(
    ("scopes", "states"),
    [
        ("chat:write,groups:history,channels:read", ["ok", "ok"]),
        ("chat:write,channels:read", ["ok", "warning", "ok"]),
        ("channels:history,channels:read", ["ok", "failed", "ok"]),
        ("", ["ok", "warning", "ok"]),
    ],
)
async def test_scopes_that_slack_names_are_enough_or_not(clinic: Clinic, scopes: str, states: list[str]) -> None:
    clinic.slack.scopes = scopes
    assert [state for state, _ in await clinic.found("slack")] == states


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_channel_that_the_app_is_not_in_fails(clinic: Clinic, *, by_id: bool) -> None:
    channel = clinic.slack.channel_id("#ops")
    for number in range(300):  # more than a page of others come before it or after it
        clinic.slack.channel_id(f"#other-{number}")
    last = clinic.slack.channel_id("#last")
    clinic.slack.outside = {last}
    for name, id_, state in (("#ops", channel, "ok"), ("#last", last, "failed")):
        clinic.slack_config["channel"] = id_ if by_id else name
        assert [state for state, _ in await clinic.found("slack")] == ["ok", state]


async def test_a_channel_without_the_app_is_fine_where_the_app_may_post_anywhere(clinic: Clinic) -> None:
    clinic.slack.outside = {clinic.slack.channel_id("#ops")}
    clinic.slack.scopes += ",chat:write.public"
    assert [state for state, _ in await clinic.found("slack")] == ["ok", "ok"]


async def test_a_channel_that_cannot_be_asked_about_is_said_to_be_so(clinic: Clinic) -> None:
    clinic.slack.fail("conversations.list", "missing_scope")
    assert [state for state, _ in await clinic.found("slack")] == ["ok", "warning"]
    clinic.slack_config["channel"] = "#nowhere"
    assert (await clinic.found("slack"))[-1][0] == "failed"


# --- e-mail --------------------------------------------------------------------------------------------------------


async def test_one_smarthost_is_tried_once_however_many_recipients_it_has(clinic: Clinic) -> None:
    found = await clinic.found("email")
    assert [state for state, _ in found] == ["ok", "warning"]
    assert found[0][1] == "connected, logged in as bellwire"
    assert "in the clear" in found[1][1]


async def test_a_wrong_password_fails(clinic: Clinic) -> None:
    clinic.mail.refuse_login()
    assert await clinic.found("email") == [("failed", "SMTP 535: 5.7.8 Authentication credentials invalid")]


async def test_a_server_without_starttls_fails_where_it_is_asked_for(clinic: Clinic) -> None:
    clinic.email_config["tls"] = "starttls"
    ((state, text),) = await clinic.found("email")
    assert (state, text) == ("failed", "the server does not offer what the settings ask for")


# --- webhooks and TLS ----------------------------------------------------------------------------------------------


async def test_a_webhook_is_reached_without_a_request(clinic: Clinic) -> None:
    assert await clinic.found("webhook") == [("ok", "reached")]
    assert clinic.hook.messages == []


async def test_a_certificate_is_looked_at(clinic: Clinic, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with WebhookReceiver(tls=authority.server_context()) as hook:
        clinic.webhook_config = {"url": hook.url}
        ((state, text),) = await clinic.found("webhook")
        assert (state, "certificate that is not accepted" in text) == ("failed", True)
        clinic.webhook_config["http_config"] = {"tls_config": {"ca_file": authority.ca_file}}
        ((state, text),) = await clinic.found("webhook")
        assert (state, "its certificate ends on" in text) == ("warning", True)  # the tests' are good for a day


async def test_a_port_that_nobody_has_and_one_without_tls_fail(clinic: Clinic) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = f"http://127.0.0.1:{free.getsockname()[1]}/?key=secret-key"
    clinic.webhook_config = {"url": gone}
    assert await clinic.found("webhook") == [("failed", "the server cannot be reached: Connection refused")]
    clinic.webhook_config = {"url": clinic.hook.url.replace("http:", "https:")}
    assert await clinic.found("webhook") == [("failed", "the server speaks no TLS that we speak")]


# --- the machine ---------------------------------------------------------------------------------------------------


class Wrong(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, seconds: float) -> None:
        self._wrong = timedelta(seconds=seconds)
        super().__init__()

    def wall(self) -> Any:
        return super().wall() + self._wrong


@pytest.mark.parametrize(
    ("seconds", "state", "word"), [(0, "ok", "right"), (30, "warning", "30 s fast"), (-300, "failed", "300 s slow")]
)
async def test_the_clock_is_held_against_the_vendors(clinic: Clinic, seconds: float, state: str, word: str) -> None:
    ((found, text),) = await clinic.found("clock", clock=Wrong(seconds))
    assert found == state
    assert word in text or str(abs(seconds) - 1) in text or str(abs(seconds) + 1) in text


@pytest.fixture
def public(clinic: Clinic) -> Iterator[Path]:
    """A folder that every user may enter, as tests' own are not: the configuration is in it."""
    with tempfile.TemporaryDirectory() as name:
        clinic.folder = Path(name)
        clinic.folder.chmod(0o755)
        assert all(each.stat().st_mode & 0o001 for each in clinic.folder.parents), "set TMPDIR=/tmp"
        yield clinic.folder


async def test_files_that_everyone_may_read_or_change_are_named(clinic: Clinic, public: Path) -> None:
    secret = public / "vl_token"
    secret.write_text(TOKEN)
    clinic.accounts[0]["authorization"] = {"credentials_file": "vl_token"}
    for mode, expected in ((0o600, "ok"), (0o640, "ok"), (0o644, "warning"), (0o602, "failed")):
        secret.chmod(mode)
        findings = [each for each in await clinic.findings() if each.check == "files"]
        assert expected in {each.diagnosis.health for each in findings}, (oct(mode), findings)
        if expected != "ok":
            assert findings[0].diagnosis.remedy == f"chmod o-{'r' if mode & 4 else 'w'} {secret}"


async def test_a_configuration_that_holds_secrets_itself_is_for_few(clinic: Clinic, public: Path) -> None:
    clinic.write()
    clinic.path.chmod(0o644)
    document = parse(clinic.path.read_text(), str(clinic.path), {})
    assert find_secrets(document, Folders.of(clinic.path, {})).inline
    named = parse("accounts: [{authorization: {credentials: '${VL}'}}]", "x", {"VL": TOKEN})
    assert not find_secrets(named, Folders.of(public / "x", {})).inline


async def test_a_way_that_is_barred_hides_what_everyone_might_read_behind_it(clinic: Clinic) -> None:
    (clinic.folder / "vl_token").write_text(TOKEN)
    (clinic.folder / "vl_token").chmod(0o644)
    clinic.accounts[0]["authorization"] = {"credentials_file": "vl_token"}
    clinic.folder.chmod(0o700)
    assert [state for state, _ in await clinic.found("files")] == ["ok"]


async def test_a_ledger_is_looked_at_where_there_is_one(clinic: Clinic) -> None:
    assert ("ok", "there is no ledger yet: `bellwire run` makes one") in await clinic.found("ledger")
    (clinic.folder / "ledger.db").write_text("no ledger at all, but long enough to be taken for a file of some kind")
    states = [state for state, _ in await clinic.found("ledger")]
    assert "failed" in states


async def test_more_accounts_need_more_files(clinic: Clinic) -> None:
    clinic.write()
    config = load(clinic.path, os.environ)
    many = config.model_copy(update={"accounts": config.accounts * 200})
    assert files_needed(many) - files_needed(config) == 3 * (1000 - 5)


async def test_the_web_address_is_looked_at(clinic: Clinic) -> None:
    everywhere = "0.0.0.0:9095"
    clinic.more["web"] = {"listen": everywhere, "token": "short"}
    found = await clinic.found("web")
    assert [state for state, _ in found] == ["warning", "ok", "warning"]
    assert "could be guessed" in found[0][1]
    assert "in the clear" in found[2][1]
    clinic.more["web"] = {"listen": "127.0.0.1:9095"}
    assert [state for state, _ in await clinic.found("web")] == ["ok"]


# --- the whole -----------------------------------------------------------------------------------------------------


async def test_what_hangs_costs_its_own_time_and_hides_nothing_else() -> None:
    async def hang() -> list[Any]:
        await asyncio.Event().wait()
        return []

    async def fall() -> list[Any]:
        message = "secret"
        raise ZeroDivisionError(message)

    async def fine() -> list[Any]:
        return [ok("fine")]

    looks: list[Callable[[], Awaitable[Any]]] = [hang, fall, fine]
    told: list[tuple[int, int]] = []
    checks = [Check(name="x", subject=look.__name__, look=look) for look in looks]
    found = await make(checks, 0.05, lambda done, total: told.append((done, total)))
    assert [(each.subject, each.diagnosis.text) for each in found] == [
        ("hang", "no answer within 0.05 s"),
        ("fall", "the check itself failed (ZeroDivisionError)"),
        ("fine", "fine"),
    ]
    assert told == [(1, 3), (2, 3), (3, 3)]


async def test_all_checks_end_in_time_however_many_hang() -> None:
    async def hang() -> list[Any]:
        await asyncio.Event().wait()
        return []

    checks = [Check(name="x", subject=str(number), look=hang) for number in range(1000)]
    async with asyncio.timeout(10):
        found = await make(checks, 0.05, lambda _done, _total: None)
    assert len(found) == 1000


async def test_the_command_exits_1_if_something_failed_and_says_how_to_mend_it(clinic: Clinic) -> None:
    clinic.mail.refuse_login()
    result = await clinic.command()
    assert result.exit_code == 1
    assert "failed  email ops/127.0.0.1:" in result.stdout
    assert "→ the name or password is wrong: see auth_username and auth_password_file" in result.stdout
    assert result.stdout.rstrip().endswith("1 failed")
    assert "\x1b" not in result.stdout


async def test_json_is_one_array_of_all_findings(clinic: Clinic) -> None:
    result = await clinic.command("--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {each["state"] for each in found} == {"ok", "warning"}
    assert all(each.keys() == {"state", "check", "subject", "text", "remedy"} for each in found)
    assert all(each["remedy"] for each in found if each["state"] != "ok")
