from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from bellwire.cli import main
from bellwire.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

FIXED = ["--api", "qualytics", "--base-url", "https://acme.qualytics.io/api", "--token-env", "QUALYTICS_TOKEN"]
WEBHOOK = ["--receiver", "webhook", "--webhook-url", "https://pager.example/hook?key=1", "--no-secret"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("BELLWIRE_CONFIG", raising=False)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def call(*words: str, typed: str = "", environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, list(words), input=typed, env=environ or {})


def test_options_alone_write_a_configuration_that_passes(folder: Path) -> None:
    result = call("init", *FIXED, *WEBHOOK)
    assert result.exit_code == 0, result.output
    assert "set the environment variable QUALYTICS_TOKEN" in result.stdout
    environ = {"QUALYTICS_TOKEN": "token-1"}
    checked = call("check-config", environ=environ)
    assert checked.stdout.startswith("bellwire.yaml: ok: 1 account")
    config = load(folder / "bellwire.yaml", environ)
    (account,), (receiver,) = config.accounts, config.receivers
    assert (account.name, account.api, account.base_url) == ("qualytics", "qualytics", "https://acme.qualytics.io/api")
    assert account.authorization
    assert account.authorization.credentials
    assert account.authorization.credentials.get_secret_value() == "token-1"
    assert receiver.webhook_configs[0].url.get_secret_value() == "https://pager.example/hook?key=1"


CONVERSATIONS = {
    "slack": (["elan", "", "elan-secret", "slack", "#weld", "xoxb-secret"], ["elan_token", "slack_bot_token"]),
    "webhook": (
        ["owlmetry", "", "owl-secret", "webhook", "https://pager.example/", "whsec_c2VjcmV0"],
        ["owlmetry_token", "webhook_secret"],
    ),
    "email": (
        [
            *("atp", "https://atp.example/", "atp-secret", "email", "a@example.com", "b@example.com"),
            *("smtp.example:587", "bellwire", "mail-secret"),
        ],
        ["atp_token", "smtp_password"],
    ),
    "apprise": (["visual_layer", "", "", "apprise", "ntfys://ntfy.example/secret"], ["apprise_url"]),
}


@pytest.mark.parametrize(("answers", "secrets"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_what_is_asked_and_answered_becomes_a_configuration_that_passes(
    folder: Path, answers: list[str], secrets: list[str]
) -> None:
    result = call("init", typed="".join(f"{answer}\n" for answer in answers))
    assert result.exit_code == 0, result.output
    assert call("check-config").exit_code == 0
    assert names(folder) == {"bellwire.yaml", *secrets}
    for each in folder.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert "secret" not in (folder / "bellwire.yaml").read_text().replace("webhook_secret", "").replace(
        "signing_secret", ""
    )
    for answer in answers:
        if "secret" in answer:
            assert answer not in result.output


def test_a_bad_answer_is_asked_again() -> None:
    answers = ["elan", "api.elan", "https://api.elan.example", "two words", "good-token", "slack", "", "xoxb-1"]
    result = call("init", typed="".join(f"{answer}\n" for answer in answers))
    assert result.exit_code == 0, result.output
    assert "must begin with https:// or http://" in result.stderr
    assert "no token does: copy it again" in result.stderr
    assert "two words" not in result.output


@pytest.mark.parametrize("existing", ["bellwire.yaml", "elan_token"])
def test_nothing_is_overwritten_and_then_nothing_is_written(folder: Path, existing: str) -> None:
    (folder / existing).write_text("precious")
    result = call("init", typed="elan\n\nnew-secret\nslack\n\nxoxb-1\n")
    assert result.exit_code == 1
    assert "exist" in result.stderr
    assert names(folder) == {existing}
    assert (folder / existing).read_text() == "precious"


def test_where_there_is_nobody_to_ask_it_says_which_option_would_do(folder: Path) -> None:
    for words, named in (
        ([], "--api"),
        (FIXED[:2], "--base-url"),
        (FIXED[:4], "--token-env or --token-file"),
        (FIXED, "--receiver"),
        ([*FIXED, *WEBHOOK[:4]], "--secret-env or --secret-file"),
    ):
        result = call("init", *words)
        assert (result.exit_code, f"give {named}" in result.stderr) == (2, True), result.output
    assert names(folder) == set()


def test_options_are_checked_like_answers() -> None:
    assert call("init", "--api", "atp", "--base-url", "ftp://x").exit_code == 2
    assert call("init", *FIXED, "--token-file", "t").exit_code == 2
    assert call("init", "--api", "atp", "--base-url", "https://x.example", "--no-token").exit_code == 2
    assert call("init", *FIXED, "--receiver", "email", "--email-to", "nobody").exit_code == 2


def test_next_steps_name_the_file(folder: Path) -> None:
    result = call("init", "bridge.yaml", *FIXED, *WEBHOOK, "--listen", "127.0.0.1:9111")
    for line in ("check-config bridge.yaml", "doctor --config bridge.yaml", "run --config bridge.yaml", ":9111/"):
        assert line in result.stdout
    assert (folder / "bridge.yaml").exists()


def test_a_configuration_whose_secret_file_is_missing_is_said_to_be_unfinished() -> None:
    result = call("init", *FIXED[:4], "--token-file", "later", *WEBHOOK)
    assert result.exit_code == 0
    assert "It cannot be used yet:" in result.stdout
    assert "create it" in result.stdout


def test_text_that_yaml_would_take_for_something_else_stays_text(folder: Path) -> None:
    result = call("init", *FIXED, *WEBHOOK, "--account", 'no: ${HOME} # "x"')
    assert result.exit_code == 0
    config = load(folder / "bellwire.yaml", {"QUALYTICS_TOKEN": "t"})
    assert config.accounts[0].name == 'no: ${HOME} # "x"'
