"""``bellwire init``: writes a first configuration by asking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.asking import SecretQuestion, ask, ask_secret, choose
from bellwire.cli.first_config import USUAL_ADDRESS, FirstAccount, FirstReceiver, Secret, secret_files, text_of
from bellwire.cli.printing import fail, say
from bellwire.config import values
from bellwire.config.check_apprise import check_apprise_url

if TYPE_CHECKING:
    from collections.abc import Callable

_APIS = ("visual_layer", "qualytics", "owlmetry", "elan", "atp")
_KINDS = ("slack", "email", "webhook", "apprise")
_PRIVATE = 0o600


@click.command("init")
@click.argument("file", default="bellwire.yaml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--api", type=click.Choice(_APIS), help="The vendor's API.")
@click.option("--account", metavar="NAME", help="What to call the account. [the API's name]")
@click.option("--base-url", metavar="URL", help="Where the API is.")
@click.option("--token-env", metavar="VAR", help="The environment variable that holds the account's token.")
@click.option("--token-file", metavar="PATH", help="The file that holds it.")
@click.option("--no-token", is_flag=True, help="The account needs none (visual_layer on premises).")
@click.option("--receiver", type=click.Choice(_KINDS), help="Where alerts go.")
@click.option("--slack-channel", metavar="NAME", help="slack: where to post, by name or id.")
@click.option("--webhook-url", metavar="URL", help="webhook: where to post.")
@click.option("--email-to", metavar="ADDRESS", help="email: who gets it.")
@click.option("--email-from", metavar="ADDRESS", help="email: who sends it.")
@click.option("--smarthost", metavar="HOST:PORT", help="email: the server that takes it.")
@click.option("--smtp-user", metavar="NAME", help="email: who we are to the server; empty: no login.")
@click.option("--smtp-tls", type=click.Choice(("starttls", "implicit", "none")), help="email. [starttls]")
@click.option(
    "--secret-env", metavar="VAR", help="The receiver's secret (token, signing secret, password, Apprise URL)."
)
@click.option("--secret-file", metavar="PATH", help="The file that holds it.")
@click.option("--no-secret", is_flag=True, help="The receiver has none (webhook, email).")
@click.option("--listen", default="127.0.0.1:9095", show_default=True, metavar="HOST:PORT", help="The status page.")
@click.option("--storage", default="", metavar="URL", help="The ledger, as sqlite:///FILE. [beside the daemon]")
def init(file: Path, **given: Any) -> None:
    """Write a first configuration to FILE (bellwire.yaml), asking for what no option says.

    Secrets that are typed in go to files of their own beside it, which only you can read. Nothing is overwritten.
    """
    if file.exists():
        fail(f"{file} exists: name another file, or edit it and run `bellwire check-config`")
    account = _account(given)
    receiver = _RECEIVERS[choose(given["receiver"], "Where do alerts go", "--receiver", _KINDS)](given)
    _write(file, text_of(account, receiver, given["storage"], given["listen"]), secret_files(account, receiver))
    _check(file, account, receiver)
    option = "" if file == Path("bellwire.yaml") else f" --config {file}"
    say(f"\nNext:\n  bellwire check-config {file}    # says all that is wrong with it")
    say(f"  bellwire doctor{option}    # tries every login, address and permission")
    say(f"  bellwire run{option}       # then look at http://{given['listen']}/")


# --- asking --------------------------------------------------------------------------------------------------------


def _account(given: dict[str, Any]) -> FirstAccount:
    api = choose(given["api"], "Which API do notifications come from", "--api", _APIS)
    usual = USUAL_ADDRESS.get(api, "")
    base_url = ask(given["base_url"], "Where is it (base URL)", "--base-url", default=usual, check=_bare_url)
    token = None
    if not given["no_token"]:
        hint = "; empty if it is on premises and asks for none" if api == "visual_layer" else ""
        question = SecretQuestion(
            text=f"Its token (not shown{hint})", option="--token", name=f"{api}_token", check=values.bearer
        )
        token = ask_secret(given["token_env"], given["token_file"], question)
    if token is None and api != "visual_layer":
        message = f"{api} needs a token: give --token-env or --token-file"
        raise click.UsageError(message)
    return FirstAccount(name=given["account"] or api, api=api, base_url=base_url, token=token)


def _slack(given: dict[str, Any]) -> FirstReceiver:
    channel = ask(given["slack_channel"], "Which Slack channel", "--slack-channel", default="#ops-alerts", check=_some)
    token = _needed(
        given, "The app's bot token (xoxb-…, not shown; see docs/channels/slack.md)", "slack_bot_token", values.bearer
    )
    return FirstReceiver(name="ops", kind="slack", settings={"channel": channel}, secrets=(("token", token),))


def _webhook(given: dict[str, Any]) -> FirstReceiver:
    url = ask(given["webhook_url"], "Which URL", "--webhook-url", check=values.http_url)
    secret = _optional(
        given, "A signing secret (base64, not shown; empty for none)", "webhook_secret", values.signing_secret
    )
    return FirstReceiver(name="ops", kind="webhook", settings={"url": url}, secrets=_named("signing_secret", secret))


def _email(given: dict[str, Any]) -> FirstReceiver:
    settings: dict[str, str | list[str]] = {
        "to": [ask(given["email_to"], "Who gets it", "--email-to", check=values.mail_address)],
        "from": ask(given["email_from"], "From which address", "--email-from", check=values.mail_address),
        "smarthost": ask(given["smarthost"], "Which SMTP server (HOST:PORT)", "--smarthost", check=_host_port),
    }
    if given["smtp_tls"]:
        settings["tls"] = given["smtp_tls"]
    anonymous = given["no_secret"]
    user = (
        "" if anonymous else ask(given["smtp_user"], "Login (empty for none)", "--smtp-user or --no-secret", check=_any)
    )
    if not user:
        return FirstReceiver(name="ops", kind="email", settings=settings)
    password = _needed(given, "Password (not shown)", "smtp_password", _any)
    return FirstReceiver(
        name="ops", kind="email", settings=settings | {"auth_username": user}, secrets=(("auth_password", password),)
    )


def _apprise(given: dict[str, Any]) -> FirstReceiver:
    url = _needed(given, "The Apprise URL (not shown; see docs/channels/apprise.md)", "apprise_url", check_apprise_url)
    return FirstReceiver(name="ops", kind="apprise", settings={}, secrets=(("url", url),))


_RECEIVERS: dict[str, Callable[[dict[str, Any]], FirstReceiver]] = {
    "slack": _slack,
    "email": _email,
    "webhook": _webhook,
    "apprise": _apprise,
}


def _needed(given: dict[str, Any], question: str, name: str, check: Callable[[str], str | None]) -> Secret:
    secret = _optional({**given, "no_secret": False}, question, name, check)
    if secret is None:
        message = "this receiver needs a secret: give --secret-env or --secret-file"
        raise click.UsageError(message)
    return secret


def _optional(given: dict[str, Any], question: str, name: str, check: Callable[[str], str | None]) -> Secret | None:
    if given["no_secret"]:
        return None
    asked = SecretQuestion(text=question, option="--secret", name=name, check=check)
    return ask_secret(given["secret_env"], given["secret_file"], asked)


def _named(key: str, secret: Secret | None) -> tuple[tuple[str, Secret], ...]:
    return ((key, secret),) if secret else ()


# --- checking answers ----------------------------------------------------------------------------------------------


def _bare_url(text: str) -> str | None:
    return values.http_url(text, bare=True)


def _host_port(text: str) -> str | None:
    return None if values.host_port(text) else "must be HOST:PORT, such as smtp.example.com:587"


def _some(text: str) -> str | None:
    return None if text else "is empty: give it a value"


def _any(_text: str) -> None:
    return None


# --- writing -------------------------------------------------------------------------------------------------------


def _write(file: Path, text: str, secrets: dict[str, str]) -> None:
    """Write all files or none; none of them may exist."""
    contents = {file.parent / name: f"{value}\n" for name, value in secrets.items()} | {file: text}
    written: list[Path] = []
    try:
        for path, content in contents.items():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
            written.append(path)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(content)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        fail(f"{error.filename or file}: {error.strerror}: nothing was written; move it away, or choose another folder")
    for path in contents:
        say(f"wrote {path}")


def _check(file: Path, account: FirstAccount, receiver: FirstReceiver) -> None:
    """Say what is still missing before the configuration can be used."""
    from bellwire.config.load import load  # noqa: PLC0415 - only once there is something to load
    from bellwire.errors import ConfigError  # noqa: PLC0415

    secrets = [*([account.token] if account.token else []), *(secret for _, secret in receiver.secrets)]
    unset = [secret.variable for secret in secrets if secret.variable and secret.variable not in os.environ]
    for name in unset:
        say(f"before it can be used, set the environment variable {name}")
    if unset:  # what they will hold, nobody can check now
        return
    try:
        load(file, os.environ)
    except ConfigError as error:
        say("\nIt cannot be used yet:")
        for fault in error.faults:
            say(f"  {fault}")
